"""Every sampler of Optuna draws from every shipped space of tables, conditional dimensions and all.

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
from space_cases import DIGITS
from table_spaces import TABLE_SPACES

from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.dimensions import Constant, Searched
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


@pytest.fixture(params=TABLE_SPACES, scope="module")
def space(request):
    return SearchSpace.load(request.param)


def score(candidate):
    """Prefer learned slots and a learning rate near 0.01: smooth, quick, of no meaning."""
    learned = sum(kind == "slaf" for kind in candidate.architecture.kinds)
    return abs(math.log10(candidate.recipe.learning_rate) + 2) - 0.1 * learned


def conditional(study, space):
    """Let the space ask for what a candidate needs; return its parameters, and it."""
    trial = study.ask()
    return trial, space.suggest(trial, DIGITS, BUDGET)


def flat(study, space):
    """Ask for every dimension, needed or not, and decode."""
    trial = study.ask(space.distributions(DIGITS, BUDGET))
    return trial, space.decode(trial.params, DIGITS, BUDGET)


def study_of(space, sampler, way=conditional):
    """Run a study under strict warnings, check each of its candidates, and return it."""
    stopped = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=sampler())
        study.stop = lambda: stopped.append(True)  # Optuna's own is for Study.optimize only.
        while len(study.trials) < TRIALS and not stopped:
            trial, candidate = way(study, space)
            assert count_cost(candidate.architecture).parameters <= BUDGET.parameters
            assert space.decode(trial.params, DIGITS, BUDGET) == candidate
            study.tell(trial, score(candidate))
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
def test_it_draws_candidates_within_the_budget(space, name):
    require_installed(name)
    require_varied(study_of(space, SAMPLERS[name]))


# Margins of CMA-ES are for spaces whose dimensions stay: Optuna 5.0 mixes up vectors of several
# lengths where the dimensions that all trials share get fewer. GP on the flat space takes longest
# and is tested in test_space_samplers.py.
@pytest.mark.parametrize("name", [n for n in SAMPLERS if n != "gp"])
def test_it_draws_from_the_flat_space(space, name):
    require_installed(name)
    require_varied(study_of(space, SAMPLERS[name], flat))


def test_partly_fixed_dimensions_stay_as_they_are_fixed(space):
    fixed = {"slot0.activation": "slaf", "slot0.degree": 4}
    study = study_of(space, lambda: PartialFixedSampler(fixed, SAMPLERS["tpe group"]()))
    assert len(study.trials) == TRIALS
    for trial in study.trials:
        assert fixed.items() <= trial.params.items()


def ends(distribution):
    """Return the first and the last value of a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return [distribution.choices[0], distribution.choices[-1]]
    return [distribution.low, distribution.high]


def test_a_grid_is_gone_through_once(space):
    searched = ("depth", "slot0.activation", "slot1.activation", "learning_rate")
    grid = {
        name: ends(distribution)[: 2 if name in searched else 1]
        for name, distribution in space.distributions(DIGITS, BUDGET).items()
    }
    study = study_of(space, lambda: GridSampler(grid, seed=0))
    # A grid is flat: where slot 1 is not asked for, its two values give one candidate twice.
    assert len(study.trials) == 2 ** len(searched)
    assert len({str(trial.params) for trial in study.trials}) == 12


def test_a_grid_without_some_dimension_is_refused_by_naming_it(space):
    grid = {n: ends(d)[:1] for n, d in space.distributions(DIGITS, BUDGET).items()}
    del grid["learning_rate"]
    with pytest.raises(ValueError, match=r"parameter name, learning_rate, is not found in"):
        study_of(space, lambda: GridSampler(grid))


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
    with pytest.raises(ValueError, match=r"FloatDistribution\.step must be given for BruteForce"):
        study_of(space, lambda: BruteForceSampler(seed=0))
    study = study_of(discrete(space), lambda: BruteForceSampler(seed=0))
    assert len({str(trial.params) for trial in study.trials}) == len(study.trials) == TRIALS


def test_brute_force_ends_when_every_candidate_was_drawn(space):
    few = {"slot.basis": "chebyshev", "slot.degree": 3, "slot.hybrid": 0.0, "sharing": "layer"}
    few |= {"start": "identity", "normaliser": "element", "routine": "joint", "clip": 3.0}
    small = discrete(space, depth=2, shape="constant", **few)
    study = study_of(small, lambda: BruteForceSampler(seed=0))
    kinds = {tuple(sorted(trial.params.items())) for trial in study.trials}
    assert len(study.trials) == len(kinds) == 4  # two slots, each ReLU or SLAF
