"""Properties of every placement that a space suggests, whatever the network and the limits."""

import contextlib
import json
import re
from unittest import mock

import optuna
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from optuna.distributions import IntDistribution
from placement_cases import ask, document, limits, network, space_of, spaces, through_json, within
from space_cases import modest

from slaf_automl.activations import find_kind
from slaf_automl.errors import BudgetError, SlafError, SpaceError
from slaf_automl.spaces import PlacementSpace
from slaf_automl.spaces.patterns import pattern_slots
from slaf_automl.spaces.placement_limits import Ledger
from slaf_automl.spec import Budget, Placement

SEEDS = st.integers(0, 2**31)
FOUR = (2, 3, 8, 1)


def held(data, space):
    """Draw limits within which there is a placement."""
    budget, extra = data.draw(limits(space))
    try:
        space.distributions(budget, extra=extra)
    except BudgetError:
        assume(False)
    return budget, extra


def specs(placement):
    return {slot.path: spec for slot, spec in placement}


def slaf(**parameters):
    return find_kind("slaf").spec(**parameters)


@given(data=st.data(), space=spaces(), seed=SEEDS)
@modest(150)
def test_suggestions_are_within_the_limits_and_can_be_told(data, space, seed):
    budget, extra = held(data, space)
    trial, placement = ask(space, seed, budget, extra)
    assert within(space, placement, budget, extra)
    assert all(s.channels >= find_kind(p.kind).least_channels(p) for s, p in placement)
    assert space.decode(trial.params, budget, extra=extra) == placement
    assert space.decode(through_json(trial.params), budget, extra=extra) == placement
    promised = space.distributions(budget, extra=extra)
    assert trial.distributions == {name: promised[name] for name in trial.params}
    assert all(name.startswith(space.prefix) for name in promised)
    encoded = space.encode(placement, budget, extra=extra)
    assert encoded.keys() <= promised.keys()
    assert space.decode(encoded, budget, extra=extra) == placement
    fixed = optuna.trial.FixedTrial(encoded)
    assert space.suggest(fixed, budget, extra=extra) == placement
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed + 1))
    study.enqueue_trial(encoded)
    assert space.suggest(study.ask(), budget, extra=extra) == placement


@given(data=st.data(), space=spaces(), seed=SEEDS)
@modest(100)
def test_a_placement_within_the_limits_is_left_as_it_was_chosen(data, space, seed):
    budget, extra = data.draw(limits(space))
    _, placement = ask(space, seed)
    assume(within(space, placement, budget, extra))
    # No refusal where something fits.
    space.distributions(budget, extra=extra)
    try:
        encoded = space.encode(placement, budget, extra=extra)
    except SpaceError:  # The limits leave no choice elsewhere: clip, all slots.
        assert budget.relus is not None or budget.depth is not None
    else:
        assert space.decode(encoded, budget, extra=extra) == placement


@given(data=st.data(), space=spaces(), seed=SEEDS)
@modest(80)
def test_what_can_be_encoded_does_not_depend_on_the_short_way(data, space, seed):
    # Placements of the space, and others: suggested under other limits, or of fewer slots.
    extra = data.draw(st.none() | st.builds(Budget, parameters=st.integers(1, 60)))
    _, placement = ask(space, seed, *held(data, space))
    pairs = [pair for pair in placement if data.draw(st.booleans())]
    placement = Placement(tuple(slot for slot, _ in pairs), tuple(spec for _, spec in pairs))
    found = []
    the_long_way = mock.patch.object(Ledger, "keeping_is_cheapest", False)
    for way in (contextlib.nullcontext(), the_long_way):
        with way:
            try:
                found.append(space.encode(placement, extra=extra))
            except (SpaceError, BudgetError) as error:
                found.append(str(error))
    assert found[0] == found[1]


def test_few_answers_are_tried_where_limits_only_take_away():
    space = space_of((4,) * 20, document("pattern"))
    assert space._within(None, Budget(parameters=9)).ledger.keeping_is_cheapest
    assert not space._within(Budget(relus=80), None).ledger.keeping_is_cheapest
    encoding = space._within(None, None).encoding
    cheapest = slaf(degree=2, hybrid=0.0)
    choices = tuple(cheapest if i in (3, 7) else None for i in range(20))
    tried = list(encoding.answers(choices, only_less=True))
    assert {a["pattern"] for a in tried} == {"all", "first", "last"}
    assert len(tried) == 1 + 13 + 4
    # A pattern's nearest comes first, and the patterns take turns.
    assert [(a["pattern"], a["count"]) for a in tried[:4]] == [
        ("first", 8),
        ("last", 17),
        ("all", 1),
        ("first", 9),
    ]
    assert len(list(encoding.answers(choices, only_less=False))) > 1_000


@given(data=st.data(), space=spaces())
@modest(60)
def test_limits_that_nothing_meets_are_refused_alike_everywhere(data, space):
    budget, extra = data.draw(limits(space))
    try:
        space.distributions(budget, extra=extra)
    except BudgetError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
        for refused in (
            lambda: space.suggest(optuna.trial.FixedTrial({}), budget, extra=extra),
            lambda: space.decode({}, budget, extra=extra),
            lambda: space.encode(Placement((), ()), budget, extra=extra),
        ):
            with pytest.raises(BudgetError, match=re.escape(message)):
                refused()


@given(space=spaces(), seed=SEEDS)
@modest(40)
def test_flat_sampling_decodes(space, seed):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask(space.distributions())
    placement = space.decode(trial.params)
    assert space.decode(space.encode(placement)) == placement


@given(space=spaces())
@modest(20)
def test_every_distribution_is_asked_for_by_some_trial(space):
    asked = set()
    for seed in range(60):
        asked |= ask(space, seed)[0].params.keys()
    assert asked == space.distributions().keys()


def test_the_shipped_space():
    space = space_of((3, 8))
    names = [f"slot{i}.{n}" for i in (0, 1) for n in ("activation", "basis", "degree", "hybrid")]
    assert set(space.distributions()) == {*names, "sharing", "normaliser"}
    parameters = {
        "slot0.activation": "keep",
        "slot1.activation": "slaf",
        "slot1.basis": "hermite",
        "slot1.degree": 4,
        "slot1.hybrid": 0.5,
        "sharing": "layer",
        "normaliser": "input",
    }
    spec = slaf(basis="hermite", degree=4, hybrid=0.5, sharing="layer", normaliser="input")
    assert specs(space.decode(parameters)) == {"3": spec}
    assert space.encode(Placement(space.slots[1:], (spec,))) == parameters


@pytest.mark.parametrize(
    ("parameters", "filled"),
    [
        ({"pattern": "none"}, ()),
        ({"pattern": "all"}, (0, 1, 2, 3)),
        ({"pattern": "alternate"}, (0, 2)),
        ({"pattern": "first", "count": 3}, (0, 1, 2)),
        ({"pattern": "last", "count": 1}, (3,)),
    ],
)
def test_patterns(parameters, filled):
    space = space_of((4,) * 4, document("pattern", slot_hybrid=0.0))
    shared = {"basis": "legendre", "degree": 2, "sharing": "layer", "normaliser": "none"}
    given = {**parameters, **(shared if filled else {})}
    placement = space.decode(given)
    assert [space.slots.index(slot) for slot in placement.slots] == list(filled)
    assert len(set(placement.specs)) <= 1
    assert space.distributions()["count"] == IntDistribution(1, 4)
    assert space.decode(space.encode(placement)) == placement


def test_shares_take_slots_in_the_given_order():
    space = space_of((4,) * 4, document("share"), order=(2, 0, 3, 1))
    shared = {"basis": "legendre", "degree": 2, "hybrid": 0.0, "sharing": "layer"}
    for count in range(5):
        given = {"count": count, **(shared if count else {}), "normaliser": "none"}
        filled = [space.slots.index(slot) for slot in space.decode(given).slots]
        assert filled == sorted((2, 0, 3, 1)[:count])
    assert space.distributions()["count"] == IntDistribution(0, 4)


def test_patterns_of_more_than_there_is():
    assert list(pattern_slots("first", 9, 3)) == list(pattern_slots("last", 9, 3)) == [0, 1, 2]


def test_the_own_start_is_what_each_slot_holds():
    names = ("gelu", "relu", "hardswish", "prelu")
    space = space_of((4,) * 4, document("pattern", pattern="all"), names)
    _, placement = ask(space)
    starts = [spec["start"] for _, spec in placement]
    assert starts == ["gelu", "relu", "relu", "relu"]
    some = space_of((4,) * 4, document("pattern", pattern="all", start=["tanh", "own"]), names)
    found = {tuple(s["start"] for _, s in ask(some, seed)[1]) for seed in range(9)}
    assert found == {("gelu", "relu", "relu", "relu"), ("tanh",) * 4}
    assert some.encode(placement)["start"] == "own"


# --- limits


def test_extra_limits_are_of_additions():
    space = space_of(FOUR)
    for seed in range(20):
        _, placement = ask(space, seed, extra=Budget(parameters=30, macs=20))
        more = [
            space.costs(placement).totals[n] - space.costs().totals[n]
            for n in ("parameters", "macs")
        ]
        assert more[0] <= 30
        assert more[1] <= 20
    with pytest.raises(BudgetError, match="a limit on extra depth; expected extra parameters or"):
        space.suggest(optuna.trial.FixedTrial({}), extra=Budget(relus=3, depth=2))


def test_slots_take_what_fits_in_order_of_use():
    # Each is 4 channels of degree 2 and their constants, and the clip range: 13 parameters.
    given = document(slot_activation="slaf", slot_degree=2, slot_hybrid=0.0, slot_basis="hermite")
    given["dimensions"]["slot.activation"] = {"choices": ["keep", "slaf"]}
    space = space_of((4,) * 4, given)
    parameters = {f"slot{i}.activation": "slaf" for i in range(4)}
    parameters |= {"sharing": "channel", "normaliser": "none"}
    for limit, filled in ((12, 0), (13, 1), (38, 2), (39, 3), (52, 4)):
        placement = space.decode(parameters, extra=Budget(parameters=limit))
        assert placement.slots == space.slots[:filled]


def test_relus_are_saved_without_clip_and_no_more_than_needed():
    given = document(clip=[None, 3.0], slot_hybrid=0.0)
    space = space_of(FOUR, given)
    parameters = {f"slot{i}.activation": "keep" for i in range(4)}
    parameters |= {"sharing": "layer", "normaliser": "none"}
    assert "clip" in space.distributions()
    assert "clip" in space.distributions(Budget(relus=14))
    assert "clip" not in space.distributions(Budget(relus=13))
    # In order of use slots keep what they have, as long as those after them can make up for it.
    wanted = {13: (0, 1, 2), 6: (0, 1, 3), 5: (0, 1), 2: (0,), 1: (3,), 0: ()}
    for limit, kept in wanted.items():
        placement = space.decode(parameters, Budget(relus=limit))
        assert space.costs(placement).relus <= limit
        assert placement.slots == tuple(s for i, s in enumerate(space.slots) if i not in kept)
        assert all(spec["clip"] is None for spec in placement.specs)


def test_relus_and_parameters_can_be_tight_at_once():
    # Three numbers for the slot of eight channels are enough, for all slots they are not.
    space = space_of(FOUR, document(clip=None, slot_hybrid=0.0))
    for seed in range(10):
        _, placement = ask(space, seed, Budget(relus=6), Budget(parameters=3))
        assert [slot.channels for slot in placement.slots] == [8]
    with pytest.raises(BudgetError):
        ask(space, 0, Budget(relus=6), Budget(parameters=2))


def test_all_slots_slaf_can_be_cheap_by_their_hybrid_share():
    given = document(clip=None, slot_activation="slaf", slot_degree=2, sharing="channel")
    space = space_of((8, 8), given)
    # 8 channels × (2 + 1), of which a share of 0.75 leaves 2.
    for limit, shares in ((48, {0.0, 0.5, 0.75}), (12, {0.75})):
        found = {
            spec["hybrid"]
            for seed in range(15)
            for spec in ask(space, seed, extra=Budget(parameters=limit))[1].specs
        }
        assert found == shares
    with pytest.raises(BudgetError):
        ask(space, 0, extra=Budget(parameters=11))


def test_a_depth_limit_makes_every_slot_a_polynomial():
    given = document(clip=[2.0, None], slot_basis=["gaussian", "chebyshev"], slot_hybrid=[0.5, 0.0])
    space = space_of(FOUR, given)
    depths = set()
    for seed in range(20):
        _, placement = ask(space, seed, Budget(depth=14))
        assert placement.slots == space.slots
        assert {(s["basis"], s["clip"], s["hybrid"]) for s in placement.specs} == {
            ("chebyshev", None, 0.0)
        }
        depths.add(space.costs(placement).depth)
    # 5 layers, and 4 slots of 2 levels (degree 2 or 3) or 3 (4 or 5); 14 allows one of 3.
    assert max(depths) == 14
    names = {re.sub(r"\d", "", name) for name in space.distributions(Budget(depth=14))}
    assert names == {"slot.degree", "sharing", "normaliser"}
    with pytest.raises(
        BudgetError, match=r"a budget of 12 levels .* expected at least .*\(13 level"
    ):
        ask(space, 0, Budget(depth=12))


def test_a_depth_that_the_network_itself_excludes_names_why():
    model = torch.nn.Sequential(*network((4,), ("relu",)), torch.nn.Softmax(1))
    space = PlacementSpace.of(model, torch.ones(1, 4))
    with pytest.raises(BudgetError, match="clip of space 'placement' without null, which the limi"):
        space.distributions(Budget(depth=50))
    free = space_of((4,), document(clip=None))
    free = PlacementSpace(free.file, space.slots, space.cost, (0,))
    with pytest.raises(BudgetError, match="leave out the depth: _softmax of the network are no p"):
        free.distributions(Budget(depth=50))


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (
            Budget(parameters=10),
            "a budget of 10 parameters; expected at least what the network has as it is "
            "(16 parameters) or with slaf in 1 slot (20 parameters); raise the budget or widen the "
            "space",
        ),
        (
            Budget(macs=1, relus=5),
            "a budget of 1 macs and 5 ReLU evaluations; expected at least what the network has as "
            "it is (12 macs and 2 ReLU evaluations) or with slaf in 1 slot (18 macs and 4 ReLU "
            "evaluations) or with slaf in 1 slot (15 macs and 3 ReLU evaluations); "
            "raise the budget or widen the space",
        ),
        (
            Budget(relus=1),
            "clip of space 'placement' without null, which the limit on ReLU evaluations needs; "
            "add null to its choices, or leave that limit out",
        ),
    ],
)
def test_limits_that_nothing_meets_name_what_there_is(budget, words):
    # A row of degree 2, its constant and the clip range; 2 + 1 macs for each SLAF channel.
    with pytest.raises(BudgetError) as caught:
        space_of((2,)).distributions(budget)
    assert str(caught.value) == words


def test_shared_values_that_cannot_hold_the_limits_give_way():
    given = document(clip=None, slot_hybrid=0.0, slot_activation="slaf", slot_degree=2)
    space = space_of(FOUR, given)
    for seed in range(8):
        # 4 rows of 2 numbers and a constant: one row a layer is all that fits.
        _, placement = ask(space, seed, extra=Budget(parameters=12))
        assert placement.slots == space.slots
        assert {spec["sharing"] for spec in placement.specs} == {"layer"}
        assert {spec["normaliser"] for spec in placement.specs} == {"none"}
    with pytest.raises(BudgetError, match="11 parameters more"):
        ask(space, 0, extra=Budget(parameters=11))


def test_narrow_slots_keep_what_they_have():
    given = document(slot_activation="slaf", slot_hybrid=0.75)
    space = space_of((1, 2, 1, 8), given)
    trial, placement = ask(space)
    assert [slot.channels for slot in placement.slots] == [2, 8]
    assert space.decode(space.encode(placement)) == placement
    assert space.decode(trial.params) == placement
    mixed = space_of((1, 8), document(slot_activation=["relu", "slaf"], slot_hybrid=0.75))
    for seed in range(8):
        _, placement = ask(mixed, seed)
        assert len(placement) == 2
        assert placement.specs[0].kind == "relu"


# --- studies


def test_two_networks_in_one_study():
    student, teacher = space_of((3, 8)), space_of((2,), prefix="teacher.")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    placements = [space.suggest(trial) for space in (student, teacher)]
    trial.suggest_float("rate", 0, 1)
    assert teacher.decode(trial.params) == placements[1]
    own = {n: v for n, v in trial.params.items() if n in student.distributions()}
    assert student.decode(own) == placements[0]
    with pytest.raises(SpaceError, match=r"unknown parameter '(rate|teacher\.)"):
        student.decode(trial.params)


def test_two_spaces_under_one_prefix_in_one_trial_are_refused():
    first, second = space_of((3, 8)), space_of((3, 2))
    trial, placement = ask(first)
    with pytest.raises(SpaceError, match="two placement spaces with the prefix ''") as caught:
        second.suggest(trial)
    assert len(str(caught.value).splitlines()) == 1
    # The same space again is the same question.
    assert space_of((3, 8)).suggest(trial) == placement


def test_identities():
    first = space_of((3, 8))
    assert first.identity() == space_of((3, 8)).identity()
    others = [
        space_of((3, 2)),
        space_of((3, 8), order=(1, 0)),
        space_of((3, 8), prefix="a."),
        space_of((3, 8), activations=("relu", "gelu")),
        space_of((3, 8), document(clip=2.0)),
        space_of((3, 8), document("share")),
    ]
    assert len({space.identity() for space in (first, *others)}) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"slot9.activation": "keep"},
            "unknown parameter 'slot9.activation' for space 'placement'",
        ),
        ({"slot0.activation": "relu"}, "slot0.activation = 'relu'; expected one of keep, slaf"),
        ({"slot0.degree": 9}, "slot0.degree = 9; expected an integer from 2 to 5"),
        ({"slot0.degree": None}, "parameter 'slot0.degree' is missing; expected an integer from 2"),
    ],
)
def test_parameters_that_are_not_the_spaces_are_refused(change, message):
    space = space_of((3,))
    trial, _ = next(found for seed in range(9) if len((found := ask(space, seed))[1]))
    given = {n: v for n, v in {**trial.params, **change}.items() if v is not None}
    with pytest.raises(SpaceError, match=re.escape(message)) as caught:
        space.decode(given)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("encoding", ["slots", "pattern", "share"])
def test_placements_that_are_not_in_the_space_are_refused(encoding):
    space, other = space_of((3, 8), document(encoding)), space_of((3, 2))
    for placement in (
        Placement(other.slots[1:], (slaf(),)),
        Placement(space.slots[:1], (slaf(degree=9),)),
        Placement(space.slots[:1], (slaf(clip=None),)),
        Placement(space.slots, (slaf(sharing="layer"), slaf(sharing="channel"))),
        Placement(space.slots, (slaf(start="tanh"), slaf(start="tanh"))),
        Placement(space.slots[:1], (find_kind("relu").spec(),)),
    ):
        with pytest.raises(SpaceError, match=r"a placement in .*; expected one of space") as caught:
            space.encode(placement)
        assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(SpaceError):
        space.encode(Placement(space.slots, (slaf(),) * 2), extra=Budget(parameters=1))


def test_costs_are_those_of_the_network():
    space = space_of((3, 8))
    assert space.costs() == space.cost.of()
    _, placement = ask(space, 1)
    assert space.costs(placement) == space.cost.of(placement)
    with pytest.raises(SlafError, match="a placement in slot"):
        space.costs(Placement(space_of((2,)).slots, (slaf(),)))


def test_parameters_survive_a_storage(tmp_path):
    space = space_of(FOUR, document(clip=[None, 3.0]))
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(storage=storage, study_name="s")
    placements = []

    def objective(trial):
        placements.append(space.suggest(trial, Budget(parameters=100)))
        return 0.0

    study.optimize(objective, n_trials=4)
    loaded = optuna.load_study(storage=storage, study_name="s")
    for trial, placement in zip(loaded.trials, placements, strict=True):
        assert space.decode(trial.params, Budget(parameters=100)) == placement
        assert json.dumps(trial.user_attrs)
