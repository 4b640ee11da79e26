"""Every value refuses what its fields cannot hold, and cannot be changed afterwards."""

import dataclasses

import pytest
from spec_values import ARCHITECTURE, EXAMPLES, RELU, SLAF, name_of

from slaf_automl.errors import SpecError
from slaf_automl.spec import (
    ROUTINES,
    TASKS,
    ActivationSpec,
    Architecture,
    Budget,
    Candidate,
    Cost,
    DataInfo,
    Job,
    Operations,
    Recipe,
    TrialResult,
)

NAN, INF = float("nan"), float("inf")
INFO = DataInfo(("a", "b"), "y", "binary", (0, 1), rows=100)
RESULT = TrialResult("complete", 0.5, epochs=1)

NOT_COUNTS = (0, -1, 1.5, 2.0, True, "3", None, NAN)
"""What a number of things of at least one cannot be."""

HUGE = 10**400
"""An integer that no float can hold."""

NOT_POSITIVE = (0, 0.0, -1e-9, INF, NAN, True, "1", HUGE)
NOT_FROM_ZERO = (-1e-9, INF, NAN, True, "1", None, HUGE)


def cases(whole, /, **fields):
    """List one case per refused content of each field."""
    return [
        pytest.param(whole, name, content, id=f"{name_of(whole)}.{name}={content!r:.60}")
        for name, contents in fields.items()
        for content in contents
    ]


REFUSED = [
    *cases(
        Recipe(),
        routine=("cold_start", "", None, 1),
        learning_rate=(*NOT_POSITIVE, None),
        weight_decay=NOT_FROM_ZERO,
        epochs=NOT_COUNTS,
        batch_size=NOT_COUNTS,
        coefficient_rate=(*NOT_POSITIVE, None),
        coefficient_decay=NOT_FROM_ZERO,
        gradient_clip=NOT_POSITIVE,
        patience=[c for c in NOT_COUNTS if c is not None],
    ),
    *cases(Budget(1), parameters=NOT_COUNTS),
    *cases(
        Budget(1, 1, 1, 1),
        macs=[c for c in NOT_COUNTS if c is not None],
        relus=(-1, 1.5, 2.0, True, "3", NAN),
        depth=[c for c in NOT_COUNTS if c is not None],
    ),
    *cases(
        ARCHITECTURE,
        family=("cnn", "", None),
        inputs=NOT_COUNTS,
        outputs=NOT_COUNTS,
        widths=[(), [8, 5], "85", *((8, bad) for bad in NOT_COUNTS)],
        placement=((), (RELU,), (RELU, SLAF, RELU), ("slaf", "relu"), [SLAF, RELU]),
        centred_inputs=("no", 0, None),
    ),
    *cases(Candidate(ARCHITECTURE, Recipe()), architecture=(None, {}), recipe=(None, SLAF)),
    *cases(
        Cost((("a", 1),)),
        parts=((("a", 1, 2),), (("a",),), ((5, 1),), (("a", 1.5),), ("ab",), [("a", 1)]),
        operations=(None, ("a",), [Operations("a")], (("a", 1, 0, 1),)),
    ),
    *cases(
        Operations("layers.0"),
        name=(None, 5),
        macs=(-1, 1.5, True, None, "3"),
        relus=(-1, 1.5, True, None, "3"),
        depth=(-1, 1.5, True, INF, "3"),
    ),
    *cases(
        INFO,
        task=("ranking", "", None),
        classes=((), (0,), (0, 1, 2)),
        rows=NOT_COUNTS,
        features=((), (1, 2), ("a", None), ["a"], "ab"),
        target=(None, 5),
        centred_inputs=("no", 0, None),
    ),
    *cases(
        RESULT,
        state=("running", "", None),
        value=(NAN, INF, -INF, "0.5", None, True),
        epochs=(-1, 1.5, True, None),
        seconds=NOT_FROM_ZERO,
    ),
    *cases(
        SLAF,
        kind=("", "two words", "3d", None, 5),
        parameters=(None, [], {"degree": [3]}, {3: "degree"}, {"basis": {}}, {"clip": NAN}),
    ),
]


@pytest.mark.parametrize(("value", "field", "content"), REFUSED)
def test_a_field_out_of_range_is_refused(value, field, content):
    with pytest.raises(SpecError) as caught:
        dataclasses.replace(value, **{field: content})
    message = str(caught.value)
    words = {"placement": ("activation specs", "placement"), "parameters": ("parameter",)}
    words["parts"] = ("Cost",)
    assert any(word in message for word in words.get(field, (field,)))
    assert "expected" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "field", "content"),
    [
        *cases(
            Recipe(),
            routine=ROUTINES,
            learning_rate=(1e-300, 1e300),
            weight_decay=(0, 0.0),
            epochs=(1,),
            batch_size=(1,),
            coefficient_rate=(1e-300,),
            coefficient_decay=(0,),
            gradient_clip=(None, 1e-300),
            patience=(None, 1),
        ),
        *cases(Budget(5), parameters=(1, 10**15)),
        *cases(
            Budget(5, 5, 5, 5),
            parameters=(None,),
            macs=(1, 10**15, None),
            relus=(0, 10**15, None),
            depth=(1, 10**15, None),
        ),
        *cases(Operations("a"), macs=(0,), relus=(0,), depth=(0, None), name=("",)),
        *cases(
            ARCHITECTURE, inputs=(1,), outputs=(1,), widths=((1, 1),), placement=((RELU, RELU),)
        ),
        *cases(INFO, rows=(1,), features=(("a",),)),
        *cases(
            RESULT,
            state=("complete", "pruned", "interrupted"),
            value=(-1e300, 0, 1e300),
            epochs=(0,),
            seconds=(0,),
        ),
        *cases(SLAF, parameters=({}, {"any": None}), kind=("x", "my_kind2")),
    ],
)
def test_the_ends_of_every_range_are_allowed(value, field, content):
    assert getattr(dataclasses.replace(value, **{field: content}), field) == content


@pytest.mark.parametrize(
    ("task", "count", "fits"),
    [
        ("binary", 1, False),
        ("binary", 2, True),
        ("binary", 3, False),
        ("multiclass", 2, False),
        ("multiclass", 3, True),
        ("multiclass", 30, True),
        ("regression", 0, True),
        ("regression", 1, False),
    ],
)
def test_classes_must_fit_the_task(task, count, fits):
    assert task in TASKS
    classes = tuple(range(count))
    if fits:
        assert DataInfo(("a",), "y", task, classes, rows=1).classes == classes
    else:
        with pytest.raises(SpecError, match=f"{count} classes for task {task}"):
            DataInfo(("a",), "y", task, classes, rows=1)


def test_a_candidate_of_nothing_is_refused():
    with pytest.raises(SpecError, match=r"Candidate\.architecture None; expected Architecture"):
        Candidate(None, None)


def test_cost_refuses_a_negative_part_by_name():
    with pytest.raises(SpecError, match=r"layers\.0\.bias"):
        Cost((("layers.0.weight", 5), ("layers.0.bias", -1)))


def test_cost_adds_its_parts_and_budget_compares_them():
    cost = Cost((("a", 12), ("b", 3), ("c", 0)))
    assert cost.parameters == 15
    assert Cost(()).parameters == 0
    assert Budget(15).allows(cost)
    assert not Budget(14).allows(cost)


def test_architecture_lists_the_kinds_of_its_slots():
    assert ARCHITECTURE.kinds == ("slaf", "relu")


@pytest.mark.parametrize(
    ("task", "classes", "outputs"),
    [("binary", ("no", "yes"), 1), ("multiclass", (0, 1, 2, 3), 4), ("regression", (), 1)],
)
def test_outputs_follow_from_the_task(task, classes, outputs):
    assert DataInfo(("a",), "y", task, classes, rows=9).outputs == outputs


@pytest.mark.parametrize(
    ("rows", "batch"),
    # 1149/18 = 63.8 and 4000/18 = 222 lie nearest to 64 and 256; the ends are 16 and 512.
    [(1, 16), (100, 16), (1149, 64), (4000, 256), (8000, 512), (10**9, 512)],
)
def test_batch_size_is_a_power_of_two_near_an_eighteenth_of_the_rows(rows, batch):
    assert DataInfo(("a",), "y", "regression", (), rows=rows).batch_size == batch


def frozen_values():
    job = Job("mix", 0, Candidate(ARCHITECTURE, Recipe()), seed=1, checkpoint="runs/0")
    return (*EXAMPLES, job)


@pytest.mark.parametrize("value", frozen_values(), ids=name_of)
def test_values_are_frozen_and_hashable(value):
    for field in dataclasses.fields(value):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field.name, getattr(value, field.name))
    twin = dataclasses.replace(value)
    assert twin is not value
    assert {value: "found"}[twin] == "found"


def test_parameters_of_an_activation_cannot_be_changed():
    mine = {"degree": 3}
    spec = ActivationSpec("slaf", mine)
    mine["degree"] = 4
    assert spec["degree"] == 3
    with pytest.raises(TypeError):
        spec.parameters["degree"] = 4


def test_an_architecture_differs_by_every_field():
    others = (
        dataclasses.replace(ARCHITECTURE, inputs=5),
        dataclasses.replace(ARCHITECTURE, outputs=2),
        dataclasses.replace(ARCHITECTURE, widths=(8, 6)),
        dataclasses.replace(ARCHITECTURE, placement=(RELU, SLAF)),
        dataclasses.replace(ARCHITECTURE, centred_inputs=False),
    )
    assert len({ARCHITECTURE, *others}) == 6
    assert all(isinstance(other, Architecture) for other in others)
