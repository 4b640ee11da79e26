"""Data shapes, budgets, trials and edited space files that every test of the spaces draws from."""

import copy
from pathlib import Path

import optuna
import yaml
from hypothesis import settings
from hypothesis import strategies as st

from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.patterns import PATTERNS
from slaf_automl.spec import Budget, DataInfo

MLP_V2 = Path(__file__).parent / "golden" / "mlp_v2.yaml"
"""The space `mlp` as it was shipped in version 2: what is shipped now may change, this may not."""
MLP = SearchSpace.load(MLP_V2)
DIGITS = DataInfo(
    tuple(f"pixel{i}" for i in range(64)),
    "digit",
    "multiclass",
    tuple(range(10)),
    rows=1149,
    image=(1, 8, 8),
)
SERIES = DataInfo(
    tuple(f"x{i}" for i in range(80)),
    "kind",
    "multiclass",
    tuple(range(6)),
    rows=900,
    image=(2, 1, 40),
)
BUDGET = Budget(parameters=5_000)
DELETED = object()
"""Stands for taking a key out of a document."""


def modest(examples):
    """Return the settings of a property: few examples, the same ones in every run."""
    return settings(deadline=None, max_examples=examples, derandomize=True)


def document():
    """Return the space file `mlp` of version 2 as plain data."""
    return yaml.safe_load(MLP_V2.read_text(encoding="utf-8"))


def edited(*changes):
    """Return that document with `(path, value)` changes made."""
    changed = copy.deepcopy(document())
    for path, value in changes:
        *parents, last = path
        place = changed
        for key in parents:
            place = place[key]
        if value is DELETED:
            del place[last]
        else:
            place[last] = value
    return changed


def by_pattern(changed, patterns=PATTERNS):
    """Return a document of the family `mlp` with the encoding `pattern`; the argument stays."""
    changed = copy.deepcopy(changed)
    dimensions = changed["dimensions"]
    del dimensions["slot.activation"]
    given = {"value": patterns} if isinstance(patterns, str) else {"choices": list(patterns)}
    dimensions["pattern"] = given
    return {**changed, "encoding": "pattern"}


def write(folder, content):
    """Write plain data, or text as it is, as a space file; return its path."""
    path = folder / "space.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def ask(space, info, budget, seed):
    """Let a random trial suggest; return the trial and its candidate."""
    sampler = optuna.samplers.RandomSampler(seed=seed)
    trial = optuna.create_study(sampler=sampler).ask()
    return trial, space.suggest(trial, info, budget)


@st.composite
def infos(draw):
    """Draw tables of 1 to 50 features, of any task and length."""
    task = draw(st.sampled_from(("binary", "multiclass", "regression")))
    classes = {"binary": 2, "multiclass": draw(st.integers(3, 12)), "regression": 0}[task]
    return DataInfo(
        features=tuple(f"x{i}" for i in range(draw(st.integers(1, 50)))),
        target="y",
        task=task,
        classes=tuple(range(classes)),
        rows=draw(st.integers(1, 20_000)),
        centred_inputs=draw(st.booleans()),
    )


@st.composite
def problems(draw, space=MLP, most=20_000):
    """Draw a table, a budget from the smallest one up to `most`, and a seed."""
    info = draw(infos())
    least = space.smallest_budget(info).parameters
    budget = draw(st.integers(least, max(least, most)))
    return info, Budget(parameters=budget), draw(st.integers(0, 2**31))
