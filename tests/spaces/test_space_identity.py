"""The control arm, the identity that guards a study, the schedule, and the promised names."""

import dataclasses
import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, distribution_to_json
from space_cases import BUDGET, DIGITS, MLP, MLP_V2, ask, document, edited, modest, problems, write

from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.schema import INPUTS
from slaf_automl.spec import Budget, DataInfo

GOLDEN = Path(__file__).parent / "golden" / "mlp_v1_distributions.json"

CONTROL = MLP.control()
CONTROL_NAMES = {"depth", "shape", "normaliser", "learning_rate", "weight_decay"}

CHANGES = {
    "name": (("name",), "mlp2"),
    "version": (("version",), 3),
    "widths.least": (("widths", "least"), 3),
    "widths.most": (("widths", "most"), 1000),
    "epochs": (("training", "epochs"), 55),
    "least_steps": (("training", "least_steps"), 801),
    "first_rung": (("training", "first_rung"), 7),
    "reduction": (("training", "reduction"), 2),
    "gradient_clip": (("training", "gradient_clip"), None),
    "patience": (("training", "patience"), 9),
    "depth": (("dimensions", "depth", "high"), 4),
    "depth fixed": (("dimensions", "depth"), {"value": 3}),
    "shape": (("dimensions", "shape", "choices"), ["constant", "decreasing"]),
    "slot.activation": (("dimensions", "slot.activation"), {"value": "slaf"}),
    "slot.basis": (("dimensions", "slot.basis", "choices"), ["chebyshev", "hermite"]),
    "slot.degree": (("dimensions", "slot.degree", "low"), 3),
    "slot.hybrid": (("dimensions", "slot.hybrid", "choices"), [0.0, 0.25, 0.5, 0.7]),
    "sharing": (("dimensions", "sharing"), {"value": "layer"}),
    "normaliser": (("dimensions", "normaliser", "choices"), ["none", "input"]),
    "start": (("dimensions", "start", "choices"), ["relu", "silu", "tanh"]),
    "clip": (("dimensions", "clip", "value"), 3.5),
    "learning_rate": (("dimensions", "learning_rate", "high"), 0.031),
    "learning_rate scale": (("dimensions", "learning_rate", "log"), False),
    "weight_decay": (("dimensions", "weight_decay", "low"), 2e-3),
    "routine": (("dimensions", "routine", "choices"), ["joint", "alternate"]),
    "coefficient_rate": (("dimensions", "coefficient_rate", "low"), 0.2),
}


def changed(folder, *changes):
    return SearchSpace.load(write(folder, edited(*changes)))


@given(problem=problems(space=CONTROL))
@modest(60)
def test_the_control_holds_relu_networks_only(problem):
    info, budget, seed = problem
    trial, candidate = ask(CONTROL, info, budget, seed)
    assert set(candidate.architecture.kinds) == {"relu"}
    assert trial.params.keys() <= CONTROL_NAMES
    assert candidate.recipe.routine == "joint"
    assert count_cost(candidate.architecture).parameters <= budget.parameters
    assert CONTROL.decode(trial.params, info, budget) == candidate
    assert CONTROL.decode(CONTROL.encode(candidate, info, budget), info, budget) == candidate


def test_the_control_never_promises_a_slaf_dimension():
    assert CONTROL.distributions(DIGITS, BUDGET).keys() == CONTROL_NAMES


def test_both_arms_share_recipes_normalisers_and_schedule():
    # The comparison is fair: what is asked in both is asked alike.
    mix, control = MLP.distributions(DIGITS, BUDGET), CONTROL.distributions(DIGITS, BUDGET)
    assert {name: mix[name] for name in control} == control
    assert CONTROL.epochs(DIGITS) == MLP.epochs(DIGITS)
    assert CONTROL.rungs(DIGITS) == MLP.rungs(DIGITS)


@pytest.mark.parametrize("seed", range(10))
def test_every_control_candidate_is_also_in_the_mix(seed):
    _, candidate = ask(CONTROL, DIGITS, BUDGET, seed)
    encoded = MLP.encode(candidate, DIGITS, BUDGET)
    assert MLP.decode(encoded, DIGITS, BUDGET) == candidate


def test_the_control_of_a_space_without_relu_is_relu(tmp_path):
    space = changed(tmp_path, CHANGES["slot.activation"])
    assert set(ask(space, DIGITS, BUDGET, 0)[1].architecture.kinds) == {"slaf"}
    assert set(ask(space.control(), DIGITS, BUDGET, 0)[1].architecture.kinds) == {"relu"}


def test_identity_is_equal_across_loads_and_layouts(tmp_path):
    again = SearchSpace.load(MLP_V2)
    # Neither comments nor the order of keys are part of a space.
    backwards = dict(reversed(document().items()))
    backwards["dimensions"] = dict(reversed(backwards["dimensions"].items()))
    assert MLP.identity() == again.identity()
    assert SearchSpace.load(write(tmp_path, backwards)).identity() == MLP.identity()
    assert CONTROL.identity() == again.control().identity() == CONTROL.control().identity()


def test_identity_differs_with_every_change(tmp_path):
    identities = {name: changed(tmp_path, change).identity() for name, change in CHANGES.items()}
    identities |= {"none": MLP.identity(), "control": CONTROL.identity()}
    for (a, first), (b, second) in itertools.combinations(identities.items(), 2):
        assert first != second, f"{a} and {b}"


def test_the_changes_above_touch_every_dimension():
    assert set(document()["dimensions"]) <= set(CHANGES)
    # How many candidates train at once is the study's, not the space's.
    assert set(document()["training"]) - {"population"} <= set(CHANGES)


@pytest.mark.parametrize(
    ("rows", "epochs", "rungs"),
    [
        # 18 batches of 64: 54 epochs are 972 steps, enough.
        (1149, 54, (6, 18)),
        # 7 batches of 16: 378 steps in 54 epochs, so three times as many.
        (100, 162, (18, 54)),
        # One batch: 800 steps need 15 times 54 epochs.
        (1, 810, (90, 270)),
        (100_000, 54, (6, 18)),
    ],
)
def test_small_tables_train_more_epochs(rows, epochs, rungs):
    info = DataInfo(("a",), "y", "regression", (), rows=rows)
    assert MLP.epochs(info) == epochs
    assert MLP.rungs(info) == rungs


@given(rows=st.integers(1, 50_000))
@modest(100)
def test_the_least_steps_are_made_and_no_more_than_needed(rows):
    info = DataInfo(("a",), "y", "regression", (), rows=rows)
    batches = math.ceil(rows / info.batch_size)
    epochs = MLP.epochs(info)
    assert epochs % 54 == 0
    assert epochs * batches >= 800
    assert epochs == 54 or (epochs - 54) * batches < 800
    assert all(0 < rung < epochs for rung in MLP.rungs(info))


def test_rungs_grow_by_the_reduction_up_to_the_last_epoch(tmp_path):
    info = DataInfo(("a",), "y", "regression", (), rows=100_000)

    def rungs(first, reduction):
        return changed(
            tmp_path,
            (("training", "first_rung"), first),
            (("training", "reduction"), reduction),
        ).rungs(info)

    assert rungs(1, 2) == (1, 2, 4, 8, 16, 32)
    assert rungs(6, 4) == (6, 24)
    # The last epoch is no rung: there every candidate has finished.
    assert rungs(18, 3) == (18,)
    assert rungs(54, 3) == ()


def test_the_recipe_follows_the_schedule(tmp_path):
    space = changed(tmp_path, CHANGES["patience"], (("training", "gradient_clip"), 2))
    info = DataInfo(("a",), "y", "regression", (), rows=100)
    recipe = ask(space, info, Budget(parameters=500), 0)[1].recipe
    # Patience is stretched with the epochs: both count passes over the rows.
    assert (recipe.epochs, recipe.patience, recipe.batch_size) == (162, 27, 16)
    assert (type(recipe.gradient_clip), recipe.gradient_clip) == (float, 2.0)
    assert ask(MLP, info, Budget(parameters=500), 0)[1].recipe.patience is None


def test_a_file_of_an_older_version_means_what_it_meant():
    # A study of it, begun under an earlier release, goes on under this one.
    assert MLP.identity() == "0113ccd7016e164e"
    assert CONTROL.identity() == "cd5cb7535addfecb"
    later = SearchSpace.load(MLP_V2.with_name("mlp_v4.yaml"))
    assert (later.identity(), later.control().identity()) == (
        "82994c20434558a6",
        "591bd04792f154cd",
    )


def test_the_names_of_an_older_version_are_the_promised_ones():
    # Studies are stored under these names: changing one needs a new version of the space.
    found = {
        name: json.loads(distribution_to_json(distribution))
        for name, distribution in MLP.distributions(DIGITS, BUDGET).items()
    }
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert MLP.file.version == 2


def test_the_names_of_the_shipped_space_are_the_promised_ones():
    # The ranges are the version's; the names are those of every version, and the inputs' slot.
    space = SearchSpace.load("mlp")
    info = dataclasses.replace(DIGITS, rows=10_000)
    found, before = space.distributions(info, BUDGET), MLP.distributions(info, BUDGET)
    inputs = found.keys() & set(INPUTS)
    assert found.keys() - inputs == before.keys()
    assert (
        "inputs.activation" in inputs <= {f"inputs.{n}" for n in ("activation", "basis", "degree")}
    )
    assert found["inputs.activation"] == CategoricalDistribution(["none", "shared", "slaf"])
    assert not inputs & space.control().distributions(info, BUDGET).keys()
    assert space.file.version >= 5
