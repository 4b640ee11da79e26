"""Every sampler of Optuna draws from every space, conditional dimensions and all.

CMA-ES needs the package cmaes, which slaf_automl does not: without it those cases are skipped.
"""

import functools
import importlib.util
import math
import warnings
from dataclasses import replace

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import (
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    GridSampler,
    NSGAIIISampler,
    NSGAIISampler,
    PartialFixedSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from placement_cases import document as placement_document
from placement_cases import space_of, within
from space_cases import DIGITS, SERIES, by_pattern, document
from table_spaces import IMAGE_SPACES, SERIES_SPACES, TABLE_SPACES

from slaf_automl.errors import SpaceError
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.dimensions import Constant, Searched
from slaf_automl.spaces.placement_file import ENCODINGS
from slaf_automl.spaces.schema import parse_space
from slaf_automl.spec import Budget

TRIALS = 30
BUDGET = Budget(parameters=1_000)

# Few trials at random first, and small populations, so that each sampler's own method is at work.
SAMPLERS = {
    "random": functools.partial(RandomSampler, seed=0),
    "tpe": functools.partial(TPESampler, seed=0, n_startup_trials=5),
    "tpe multivariate": functools.partial(
        TPESampler, seed=0, n_startup_trials=5, multivariate=True
    ),
    "tpe group": functools.partial(
        TPESampler, seed=0, n_startup_trials=5, multivariate=True, group=True
    ),
    "tpe constant liar": functools.partial(
        TPESampler, seed=0, n_startup_trials=5, multivariate=True, constant_liar=True
    ),
    "gp": functools.partial(GPSampler, seed=0, n_startup_trials=5),
    "cma-es": functools.partial(CmaEsSampler, seed=0, n_startup_trials=5, popsize=5),
    "cma-es with margin": functools.partial(CmaEsSampler, seed=0, with_margin=True, popsize=5),
    "nsga-ii": functools.partial(NSGAIISampler, seed=0, population_size=6),
    "nsga-iii": functools.partial(NSGAIIISampler, seed=0, population_size=6),
    "qmc": functools.partial(QMCSampler, seed=0, scramble=True),
}


@pytest.fixture(params=(*TABLE_SPACES, *IMAGE_SPACES), scope="module")
def space(request):
    return SearchSpace.load(request.param)


def score(candidate):
    """Prefer learned slots and a learning rate near 0.01: smooth, quick, of no meaning."""
    learned = sum(kind == "slaf" for kind in candidate.architecture.kinds)
    return abs(math.log10(candidate.recipe.learning_rate) + 2) - 0.1 * learned


def data_of(space):
    """Return data that the space takes."""
    return SERIES if space.name in SERIES_SPACES else DIGITS


class Candidates:
    """A space of tables, images or series under the budget."""

    def __init__(self, space, data=None):
        self.space, data = space, data or data_of(space)
        self.distributions = functools.partial(space.distributions, data, BUDGET)
        self.suggest = functools.partial(space.suggest, data=data, budget=BUDGET)
        self.decode = functools.partial(space.decode, data=data, budget=BUDGET)

    def score(self, candidate):
        assert count_cost(candidate.architecture).parameters <= BUDGET.parameters
        return score(candidate)


class Placements:
    """The placements of a network of four slots, under a limit that not all of them meet."""

    def __init__(self, encoding):
        self.space = space_of((3, 8, 2, 5), placement_document(encoding))
        self.extra = Budget(parameters=40)
        self.distributions = functools.partial(self.space.distributions, extra=self.extra)
        self.suggest = functools.partial(self.space.suggest, extra=self.extra)
        self.decode = functools.partial(self.space.decode, extra=self.extra)

    def score(self, placement):
        assert within(self.space, placement, None, self.extra)
        return abs(2.5 - sum(slot.channels for slot in placement.slots))


SPACES = {
    name: lambda name=name: Candidates(SearchSpace.load(name))
    for name in (*TABLE_SPACES, *IMAGE_SPACES)
}
SPACES["mlp by pattern"] = lambda: Candidates(
    SearchSpace(parse_space(by_pattern(document()), "space.yaml"))
)
FEW = replace(DIGITS, features=DIGITS.features[:4], image=None)
"""Inputs so few that there are rows and a budget for a function of each."""
SPACES["mlp"] = lambda: Candidates(SearchSpace.load("mlp"), FEW)
SPACES |= {f"placement by {e}": functools.partial(Placements, e) for e in ENCODINGS}


@pytest.fixture(params=TABLE_SPACES, scope="module")
def table_space(request):
    """A space small enough for its candidates to be counted by hand."""
    return SearchSpace.load(request.param)


@pytest.fixture(params=SPACES, scope="module")
def served(request):
    return SPACES[request.param]()


def conditional(study, served):
    """Let the space ask for what is needed; return the trial, and what it stands for."""
    trial = study.ask()
    return trial, served.suggest(trial)


def flat(study, served):
    """Ask for every dimension, needed or not, and decode."""
    trial = study.ask(served.distributions())
    return trial, served.decode(trial.params)


def study_of(served, sampler, way=conditional):
    """Run a study under strict warnings, check what it suggests, and return it."""
    stopped = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=sampler())
        study.stop = lambda: stopped.append(True)  # Optuna's own is for Study.optimize only.
        while len(study.trials) < TRIALS and not stopped:
            trial, suggested = way(study, served)
            assert served.decode(trial.params) == suggested
            study.tell(trial, served.score(suggested))
    return study


def require_installed(name):
    if name.startswith("cma-es") and importlib.util.find_spec("cmaes") is None:
        pytest.skip("CmaEsSampler needs the package cmaes, which is not installed")


def require_varied(study):
    assert len(study.trials) == TRIALS
    assert len({str(trial.params) for trial in study.trials}) > TRIALS / 2


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n == "gp" else ())
        for n in SAMPLERS
        if n != "cma-es with margin"
    ],
)
def test_it_draws_within_the_budget(served, name):
    require_installed(name)
    require_varied(study_of(served, SAMPLERS[name]))


# Margins of CMA-ES are for spaces whose dimensions stay: see test_refused_samplers.py. GP on the
# flat space takes longest and is tested in test_space_samplers.py.
@pytest.mark.parametrize("name", [n for n in SAMPLERS if n != "gp"])
def test_it_draws_from_the_flat_space(served, name):
    require_installed(name)
    require_varied(study_of(served, SAMPLERS[name], flat))


def test_partly_fixed_dimensions_stay_as_they_are_fixed(served):
    # One that always has a SLAF, and a number that only SLAFs have.
    wanted = {"slot0.activation": "slaf", "pattern": "all", "slot0.degree": 4, "degree": 4}
    fixed = {n: v for n, v in wanted.items() if n in served.distributions()}
    if "count" in served.distributions() and "pattern" not in fixed:
        fixed["count"] = 2
    sampler = functools.partial(PartialFixedSampler, fixed, SAMPLERS["tpe group"]())
    study = study_of(served, sampler)
    assert len(fixed) == 2
    assert len(study.trials) == TRIALS
    for trial in study.trials:
        assert fixed.items() <= trial.params.items()


def ends(distribution):
    """Return the first and the last value of a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return [distribution.choices[0], distribution.choices[-1]]
    return [distribution.low, distribution.high]


def test_a_grid_is_gone_through_once(table_space):
    distributions = table_space.distributions(DIGITS, BUDGET)
    searched = ("depth", "slot0.activation", "slot1.activation", "learning_rate")
    grid = {
        name: ends(distribution)[: 2 if name in searched else 1]
        for name, distribution in distributions.items()
    }
    study = study_of(Candidates(table_space), lambda: GridSampler(grid, seed=0))
    # A grid is flat: where slot 1 is not asked for, its two values give one candidate twice.
    assert len(study.trials) == 2 ** len(searched)
    assert len({str(trial.params) for trial in study.trials}) == 12


def test_a_grid_without_some_dimension_is_refused_by_naming_it(space):
    grid = {n: ends(d)[:1] for n, d in space.distributions(data_of(space), BUDGET).items()}
    del grid["learning_rate"]
    with pytest.raises(ValueError, match=r"parameter name, learning_rate, is not found in"):
        study_of(Candidates(space), lambda: GridSampler(grid))


def discrete(space, **fixed):
    """Return the space with its continuous dimensions, and those named, at their first value."""
    dimensions = {
        name: Constant(fixed[name])
        if name in fixed
        else Constant(d.distribution.low)
        if isinstance(d, Searched) and isinstance(d.distribution, FloatDistribution)
        else d
        for name, d in space.file.dimensions.items()
    }
    return SearchSpace(replace(space.file, dimensions=dimensions))


def test_brute_force_needs_a_space_without_continuous_dimensions(space):
    with pytest.raises(SpaceError, match="BruteForceSampler on space"):
        study_of(Candidates(space), lambda: BruteForceSampler(seed=0))
    study = study_of(Candidates(discrete(space)), lambda: BruteForceSampler(seed=0))
    assert len({str(trial.params) for trial in study.trials}) == len(study.trials) == TRIALS


def test_brute_force_ends_when_every_candidate_was_drawn(table_space):
    few = {"slot.basis": "chebyshev", "slot.degree": 3, "slot.hybrid": 0.0, "sharing": "layer"}
    few |= {"start": "identity", "normaliser": "element", "routine": "joint", "clip": 3.0}
    few |= {"residual": False, "inputs.activation": "none"}
    small = discrete(table_space, depth=2, shape="constant", **few)
    study = study_of(Candidates(small), lambda: BruteForceSampler(seed=0))
    kinds = {tuple(sorted(trial.params.items())) for trial in study.trials}
    assert len(study.trials) == len(kinds) == 4  # two slots, each ReLU or SLAF
