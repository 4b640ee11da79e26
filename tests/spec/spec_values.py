"""Examples of every value, and hypothesis strategies that generate them."""

from hypothesis import strategies as st

from slaf_automl.spec import (
    COSTS,
    ROUTINES,
    ActivationSpec,
    Architecture,
    Budget,
    Candidate,
    Cost,
    DataInfo,
    Operations,
    Placement,
    Recipe,
    Slot,
    TrialResult,
)

RELU = ActivationSpec("relu", {"normaliser": "none"})
SLAF = ActivationSpec("slaf", {"basis": "hermite", "degree": 3, "hybrid": 0.25, "clip": None})
ARCHITECTURE = Architecture("mlp", 4, 3, (8, 5), (SLAF, RELU), centred_inputs=True)
SLOT = Slot("layer1.relu", 1, 2, "relu", 16, -1, 256, "module", uses=3)
RECIPE = Recipe(routine="two_speed", learning_rate=0.01, gradient_clip=None, patience=7)

EXAMPLES = (
    SLAF,
    ARCHITECTURE,
    RECIPE,
    Candidate(ARCHITECTURE, RECIPE),
    Cost(
        (("layers.0.weight", 12), ("layers.0.bias", 3)),
        (Operations("layers.0", 12, 0, 1), Operations("slots.0", 0, 3, None)),
    ),
    Budget(parameters=5_000, macs=9_000, relus=0, depth=6),
    DataInfo(("width", "height"), "species", "multiclass", (0, "1", "Größe"), rows=120),
    TrialResult("complete", 0.25, epochs=54, seconds=1.5),
    SLOT,
    Placement((SLOT,), (SLAF,)),
)
"""One value of each class, as it goes through JSON."""


def name_of(value):
    """Name a parametrised case after the value's class."""
    return type(value).__name__


def positive_floats():
    return st.floats(min_value=1e-9, max_value=1e9)


def floats_from_zero():
    return st.floats(min_value=0.0, max_value=1e9)


def scalars():
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
    )


def activation_specs():
    return st.builds(
        ActivationSpec,
        st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True),
        st.dictionaries(st.text(max_size=8), scalars(), max_size=4),
    )


@st.composite
def architectures(draw):
    placement = draw(st.lists(activation_specs(), min_size=1, max_size=3))
    size = st.integers(1, 10_000)
    widths = draw(st.tuples(*[size] * len(placement)))
    return Architecture(
        "mlp", draw(size), draw(size), widths, tuple(placement), draw(st.booleans())
    )


def recipes():
    return st.builds(
        Recipe,
        routine=st.sampled_from(ROUTINES),
        learning_rate=positive_floats(),
        weight_decay=floats_from_zero(),
        epochs=st.integers(1, 10_000),
        batch_size=st.integers(1, 10_000),
        coefficient_rate=positive_floats(),
        coefficient_decay=floats_from_zero(),
        gradient_clip=st.none() | positive_floats(),
        patience=st.none() | st.integers(1, 100),
    )


@st.composite
def data_infos(draw):
    task = draw(st.sampled_from(("binary", "multiclass", "regression")))
    least, most = {"binary": (2, 2), "multiclass": (3, 5), "regression": (0, 0)}[task]
    label = st.integers() | st.text(max_size=5)
    return DataInfo(
        tuple(draw(st.lists(st.text(max_size=8), min_size=1, max_size=4))),
        draw(st.text(max_size=8)),
        task,
        tuple(draw(st.lists(label, min_size=least, max_size=most, unique=True))),
        draw(st.integers(1, 10**9)),
        draw(st.booleans()),
    )


def operations():
    count = st.integers(0, 10**12)
    return st.builds(Operations, st.text(max_size=8), count, count, st.none() | count)


def budgets():
    """Generate budgets over any of the costs."""
    limits = {name: st.integers(kind.least, 10**12) for name, kind in COSTS.items()}
    some = st.fixed_dictionaries({}, optional=limits).filter(bool)
    return some.map(lambda chosen: Budget(**chosen))


def slots():
    """Generate slots of any form."""
    return st.builds(
        lambda path, calls, call, *rest: Slot(path, min(call, calls - 1), calls, *rest),
        st.text(min_size=1, max_size=8),
        st.integers(1, 4),
        st.integers(0, 3),
        st.sampled_from(("relu", "gelu")),
        st.integers(1, 4096),
        st.sampled_from((1, -1, 2)),
        st.integers(0, 10**9),
        st.sampled_from(("module", "attribute", "call")),
        st.integers(1, 5),
    )


@st.composite
def placements(draw):
    places = draw(st.lists(slots(), max_size=3, unique_by=lambda slot: slot.id))
    return Placement(tuple(places), tuple(draw(activation_specs()) for _ in places))


def values():
    """Generate values of every class of `EXAMPLES`."""
    return st.one_of(
        activation_specs(),
        architectures(),
        recipes(),
        st.builds(Candidate, architectures(), recipes()),
        st.builds(
            Cost,
            st.lists(st.tuples(st.text(max_size=8), st.integers(0, 10**12))).map(tuple),
            st.lists(operations(), max_size=4).map(tuple),
        ),
        budgets(),
        data_infos(),
        st.builds(
            TrialResult,
            state=st.sampled_from(("complete", "pruned", "interrupted")),
            value=st.floats(allow_nan=False, allow_infinity=False),
            epochs=st.integers(0, 10_000),
            diverged=st.booleans(),
            seconds=floats_from_zero(),
        ),
        slots(),
        placements(),
    )
