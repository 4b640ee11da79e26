"""A network family under `encoding: pattern`: one rule and one form for all learned slots."""

import re

import optuna
import pytest
from hypothesis import given
from optuna.distributions import CategoricalDistribution, IntDistribution
from space_cases import (
    BUDGET,
    DELETED,
    DIGITS,
    MLP,
    ask,
    by_pattern,
    document,
    edited,
    modest,
    problems,
    write,
)

from slaf_automl.errors import SpaceError
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace, SizedSpace, space_description
from slaf_automl.spaces.patterns import PATTERNS
from slaf_automl.spaces.schema import parse_space
from slaf_automl.spec import DataInfo


def space_of(patterns=PATTERNS, *changes):
    """Return the shipped space with these patterns and dimensions changed."""
    changes = [(("dimensions", name), value) for name, value in changes]
    return SearchSpace(parse_space(by_pattern(edited(*changes), patterns), "space.yaml"))


SPACE = space_of()
ONCE = {"pattern", "count", "basis", "degree", "hybrid"}
STORED = {
    "depth": 3,
    "shape": "constant",
    "pattern": "first",
    "count": 2,
    "basis": "hermite",
    "degree": 4,
    "hybrid": 0.25,
    "sharing": "channel",
    "normaliser": "element",
    "start": "silu",
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "routine": "joint",
}


def refusal(given):
    with pytest.raises(SpaceError) as caught:
        parse_space(given, "space.yaml")
    message = str(caught.value)
    assert message.startswith("space.yaml: ")
    assert len(message.splitlines()) == 1
    return message


def test_the_names_are_those_of_slots_but_for_what_is_said_once():
    slots, found = MLP.distributions(DIGITS, BUDGET), SPACE.distributions(DIGITS, BUDGET)
    assert found.keys() == {n for n in slots if not n.startswith("slot")} | ONCE
    assert found["pattern"] == CategoricalDistribution(PATTERNS)
    assert found["count"] == IntDistribution(1, 3)
    for name in ("basis", "degree", "hybrid"):
        assert found[name] == slots[f"slot0.{name}"]
    for name in found.keys() & slots.keys():
        assert found[name] == slots[name]


@pytest.mark.parametrize(
    ("depth", "pattern", "count", "learned"),
    [
        (3, "none", None, ()),
        (3, "all", None, (0, 1, 2)),
        (3, "first", 2, (0, 1)),
        (3, "last", 1, (2,)),
        (3, "alternate", None, (0, 2)),
        (1, "alternate", None, (0,)),
        # The count is chosen for the deepest network: in others it may be more than there are.
        (2, "first", 3, (0, 1)),
        (1, "last", 2, (0,)),
    ],
)
def test_a_pattern_is_the_candidate_of_the_same_slots(depth, pattern, count, learned):
    form = {name: STORED[name] for name in ("basis", "degree", "hybrid")}
    changes = {"depth": depth, "pattern": pattern, "count": count}
    given = {n: v for n, v in {**STORED, **changes}.items() if v is not None}
    slots = {n: v for n, v in given.items() if n not in ONCE}
    for i in range(depth):
        slots[f"slot{i}.activation"] = "slaf" if i in learned else "relu"
        slots |= {f"slot{i}.{name}": value for name, value in form.items() if i in learned}
    candidate = SPACE.decode(given, DIGITS, BUDGET)
    assert candidate == MLP.decode(slots, DIGITS, BUDGET)
    assert SPACE.decode(SPACE.encode(candidate, DIGITS, BUDGET), DIGITS, BUDGET) == candidate


@given(problem=problems(space=SPACE))
@modest(60)
def test_every_door_agrees(problem):
    info, budget, seed = problem
    trial, candidate = ask(SPACE, info, budget, seed)
    promised = SPACE.distributions(info, budget)
    assert trial.distributions == {name: promised[name] for name in trial.params}
    assert SPACE.decode(trial.params, info, budget) == candidate
    encoded = SPACE.encode(candidate, info, budget)
    assert SPACE.decode(encoded, info, budget) == candidate
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed + 1))
    study.enqueue_trial(encoded)
    assert SPACE.suggest(study.ask(), info, budget) == candidate
    flat = study.ask(promised)
    assert budget.allows(count_cost(SPACE.decode(flat.params, info, budget).architecture))


def test_only_what_a_candidate_needs_is_asked_for():
    asked = set()
    for seed in range(60):
        names = ask(SPACE, DIGITS, BUDGET, seed)[0].params
        asked |= names.keys()
        assert ("count" in names) == (names["pattern"] in ("first", "last"))
        assert ("degree" in names) == (names["pattern"] != "none")
    assert asked == SPACE.distributions(DIGITS, BUDGET).keys()
    plain = space_of(["all", "alternate"])
    assert "count" not in plain.distributions(DIGITS, BUDGET)
    assert "pattern" not in space_of("last").distributions(DIGITS, BUDGET)


def test_placements_that_no_pattern_gives_are_refused():
    slots = {n: v for n, v in STORED.items() if n not in ONCE}
    form = {"activation": "slaf", "basis": "hermite", "degree": 4, "hybrid": 0.25}
    one = {f"slot1.{name}": value for name, value in form.items()}
    middle = {"slot0.activation": "relu", **one, "slot2.activation": "relu"}
    two = {f"slot0.{name}": value for name, value in {**form, "degree": 3}.items()}
    for other in (middle, {**two, **one, "slot2.activation": "relu"}):
        candidate = MLP.decode({**slots, **other}, DIGITS, BUDGET)
        with pytest.raises(SpaceError, match="is not in space 'mlp' under"):
            SPACE.encode(candidate, DIGITS, BUDGET)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": 4}, "count = 4; expected an integer from 1 to 3"),
        ({"count": 0}, "count = 0; expected an integer from 1 to 3"),
        ({"count": None}, "parameter 'count' is missing; expected an integer from 1 to 3"),
        ({"pattern": None}, "parameter 'pattern' is missing; expected one of none, all"),
        ({"pattern": "middle"}, "pattern = 'middle'; expected one of none, all, first, last, alt"),
        ({"degree": None}, "parameter 'degree' is missing; expected an integer from 2 to 6"),
        ({"slot0.degree": 3}, "unknown parameter 'slot0.degree' for space 'mlp'"),
    ],
)
def test_stored_parameters_are_read_strictly(change, words):
    given = {n: v for n, v in {**STORED, **change}.items() if v is not None}
    with pytest.raises(SpaceError, match=re.escape(words)) as caught:
        SPACE.decode(given, DIGITS, BUDGET)
    assert len(str(caught.value).splitlines()) == 1


def test_the_control_is_all_relu_and_shares_what_it_asks():
    control = SPACE.control()
    found, mix = control.distributions(DIGITS, BUDGET), SPACE.distributions(DIGITS, BUDGET)
    assert found == MLP.control().distributions(DIGITS, BUDGET)
    assert {name: mix[name] for name in found} == found
    for seed in range(10):
        _, candidate = ask(control, DIGITS, BUDGET, seed)
        assert set(candidate.architecture.kinds) == {"relu"}
        encoded = SPACE.encode(candidate, DIGITS, BUDGET)
        assert encoded["pattern"] == "none"
        assert SPACE.decode(encoded, DIGITS, BUDGET) == candidate
    assert control.degrees == ()
    # A space without `none` has its control too.
    assert space_of("all").control().distributions(DIGITS, BUDGET) == found


def test_sizes_are_searched_too():
    sized = SizedSpace(SPACE, DIGITS, BUDGET)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        candidate = sized.suggest(trial)
        assert sized.decode(trial.params) == candidate
        promised = sized.distributions()
        assert trial.distributions == {name: promised[name] for name in trial.params}
        assert BUDGET.allows(count_cost(candidate.architecture))
    assert set(sized.control().distributions()) == {
        "size",
        *MLP.control().distributions(DIGITS, BUDGET),
    }


# The file


def test_the_encoding_is_part_of_the_identity_and_slots_is_the_default():
    assert parse_space({**document(), "encoding": "slots"}, "space.yaml") == MLP.file
    spaces = [MLP, SPACE, space_of(["none", "all"]), SPACE.control(), MLP.control()]
    assert len({space.identity() for space in spaces}) == len(spaces)
    # Studies are stored under these: files without the key keep theirs.
    assert MLP.identity() == "0113ccd7016e164e"
    assert MLP.control().identity() == "cd5cb7535addfecb"


def test_the_description_names_what_is_said_once(tmp_path):
    path = write(tmp_path, by_pattern(document()))
    text = space_description(path)
    assert text == SPACE.description()
    assert text.splitlines()[0] == "mlp (version 2, family mlp, encoding pattern)"
    rows = {line.split()[0]: line for line in text.splitlines()[1:]}
    assert rows.keys() == {*SPACE.distributions(DIGITS, BUDGET), "clip", "widths", "training"}
    assert rows["pattern"].endswith("one of none, all, first, last, alternate")
    assert rows["count"].endswith("of slots under first and last, 1 to all of them")
    assert "count" not in space_of(["all", "none"]).description()


@pytest.mark.parametrize("encoding", ["bits", "placement", None, ["pattern"], 3])
def test_unknown_encodings_are_refused(encoding):
    message = refusal({**document(), "encoding": encoding})
    assert message.endswith(f"encoding {encoding!r}; expected one of slots, pattern")


def test_shares_are_for_trained_networks():
    message = refusal({**document(), "encoding": "share"})
    assert "encoding 'share', whose order of slots only a trained network has" in message
    assert message.endswith("for a trained network of your own use SearchSpace.for_model")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("pattern", DELETED, "dimensions: key 'pattern' is missing"),
        ("pattern", {"value": "middle"}, "pattern: unknown pattern 'middle'; expected one of none"),
        ("pattern", {"choices": ["all", "all"]}, "pattern.choices: ['all', 'all']; expected every"),
        ("pattern", {"low": 1, "high": 2}, "pattern: {'low': 1, 'high': 2}; expected one of"),
        ("slot.activation", {"value": "slaf"}, "dimensions: unknown key 'slot.activation'"),
        ("count", {"low": 1, "high": 2}, "dimensions: unknown key 'count'"),
    ],
)
def test_the_dimensions_are_those_of_the_encoding(name, content, words):
    found = by_pattern(document())
    if content is DELETED:
        del found["dimensions"][name]
    else:
        found["dimensions"][name] = content
    assert words in refusal(found)
    assert "unknown key 'pattern'" in refusal(edited((("dimensions", "pattern"), {"value": "all"})))


def test_patterns_fit_any_data():
    info = DataInfo(("a",), "y", "regression", (), rows=40)
    _, candidate = ask(SPACE, info, SPACE.smallest_budget(info), seed=0)
    assert len(candidate.architecture.placement) == 1
