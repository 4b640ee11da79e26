"""How weights, offsets and coefficients share the optimiser, step by step."""

import math

import pytest
from small_tables import make_candidate, make_data, relu, slaf
from step_recorder import StepRecorder, plain_trainer

from slaf_automl import SlafModule
from slaf_automl.spec import Recipe
from slaf_automl.training.routines import FINAL_RATE, WARM_UP, parameter_groups, rate_at

MIX = (slaf(normaliser="input", hybrid=0.5), relu("input"), slaf())


def make_module(placement=MIX, **recipe):
    data = make_data("regression")
    return SlafModule(make_candidate(data, placement, **recipe), data), data


def recorded(tmp_path, placement=MIX, **recipe):
    """Train two epochs in a plain Trainer; return what each step moved and the module."""
    module, data = make_module(placement, **recipe)
    recorder = StepRecorder()
    trainer = plain_trainer(tmp_path, recorder, enable_checkpointing=False)
    trainer.fit(module, datamodule=data)
    return recorder, module


def names_of(module, group):
    known = {id(p): name for name, p in module.network.named_parameters()}
    return {known[id(p)] for p in group["params"]}


def test_groups_hold_what_their_names_say():
    module, _ = make_module()
    groups = parameter_groups(module.network, module.candidate.recipe)
    found = {group["name"]: names_of(module, group) for group in groups}
    assert found == {
        "weights": {f"layers.{i}.weight" for i in range(4)},
        "offsets": {
            *(f"layers.{i}.bias" for i in range(4)),
            *(
                f"slots.{slot}before.{name}"
                for slot in ("0.", "0.rectifier.", "1.")
                for name in ("weight", "bias")
            ),
        },
        "coefficients": {f"slots.{i}.{name}" for i in (0, 2) for name in ("coefficients", "bias")},
    }


@pytest.mark.parametrize("routine", ["joint", "alternate", "two_speed"])
@pytest.mark.parametrize("placement", [MIX, (relu(), relu("element"))])
def test_every_parameter_is_in_exactly_one_group(placement, routine):
    module, _ = make_module(placement, routine=routine)
    groups = parameter_groups(module.network, module.candidate.recipe)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in module.parameters())


def test_network_without_coefficients_has_no_group_of_them():
    module, _ = make_module((relu("input"),))
    groups = parameter_groups(module.network, Recipe(routine="two_speed", coefficient_rate=9.0))
    assert [group["name"] for group in groups] == ["weights", "offsets"]


def test_decay_is_each_group_s_own():
    module, _ = make_module()
    recipe = Recipe(weight_decay=0.3, coefficient_decay=0.02)
    groups = parameter_groups(module.network, recipe)
    decays = {group["name"]: group["weight_decay"] for group in groups}
    assert decays == {"weights": 0.3, "offsets": 0.0, "coefficients": 0.02}


@pytest.mark.parametrize(
    ("routine", "factor"), [("joint", 1.0), ("alternate", 1.0), ("two_speed", 4.0)]
)
def test_only_two_speed_gives_the_coefficients_a_rate_of_their_own(routine, factor):
    module, _ = make_module()
    recipe = Recipe(routine=routine, learning_rate=0.01, coefficient_rate=4.0)
    rates = {g["name"]: g["lr"] for g in parameter_groups(module.network, recipe)}
    assert rates == pytest.approx({"weights": 0.01, "offsets": 0.01, "coefficients": 0.01 * factor})


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_coefficients_move_at_their_own_speed(tmp_path, factor):
    recorder, module = recorded(
        tmp_path, routine="two_speed", coefficient_rate=factor, weight_decay=0.0
    )
    # Adam's first step is the rate itself, whatever the gradient.
    rate = module.candidate.recipe.learning_rate * rate_at(0, len(recorder.moves))
    first = recorder.moves[0]
    assert first["weights"] == pytest.approx(rate, rel=1e-3)
    assert first["coefficients"] == pytest.approx(factor * rate, rel=1e-3)


def test_alternate_leaves_the_resting_group_unchanged_bit_for_bit(tmp_path):
    # With decay and momentum, which would move a group whose gradient is merely zero.
    recorder, _ = recorded(tmp_path, routine="alternate", weight_decay=0.5, coefficient_decay=0.5)
    assert len(recorder.moves) == 12
    for step, moves in enumerate(recorder.moves):
        learned_turn = step % 2 == 1
        assert (moves["coefficients"] > 0) is learned_turn
        assert (moves["weights"] > 0) is not learned_turn
        assert (moves["offsets"] > 0) is not learned_turn


@pytest.mark.parametrize("routine", ["joint", "two_speed"])
def test_other_routines_move_every_group_at_every_step(tmp_path, routine):
    recorder, _ = recorded(tmp_path, routine=routine)
    assert all(move > 0 for moves in recorder.moves for move in moves.values())


def test_nothing_rests_in_a_network_without_coefficients(tmp_path):
    recorder, _ = recorded(tmp_path, (relu("input"),), routine="alternate")
    assert all(move > 0 for moves in recorder.moves for move in moves.values())


@pytest.mark.parametrize("steps", [1, 3, 20, 1000])
def test_rate_rises_to_its_peak_and_falls_to_its_end(steps):
    rates = [rate_at(step, steps) for step in range(steps + 1)]
    peak = max(range(len(rates)), key=rates.__getitem__)
    assert rates[peak] == 1.0
    assert peak == max(1, round(WARM_UP * steps)) - 1
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[0] > 0
    assert rates[-1] == pytest.approx(FINAL_RATE)


def test_rate_is_half_way_down_in_the_middle_of_the_decay():
    warm = round(WARM_UP * 1000)
    middle = warm - 1 + (1000 - warm) // 2
    assert rate_at(middle, 1000) == pytest.approx((1 + FINAL_RATE) / 2, abs=2e-3)


def test_rate_stays_at_its_peak_when_the_number_of_steps_is_unknown():
    assert {rate_at(step, math.inf) for step in (0, 10, 10**6)} == {1.0}
