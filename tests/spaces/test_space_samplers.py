"""The space serves every sampler without a warning but Optuna's own about its experiments."""

import math
import warnings

import optuna
import pytest
from space_cases import BUDGET, DIGITS, MLP

from slaf_automl.networks import count_cost

SAMPLERS = {
    "random": lambda: optuna.samplers.RandomSampler(seed=0),
    "tpe": lambda: optuna.samplers.TPESampler(
        seed=0, n_startup_trials=5, multivariate=True, group=True
    ),
    "gp": lambda: optuna.samplers.GPSampler(seed=0, n_startup_trials=5),
}
TRIALS = 20


def score(candidate):
    """Prefer learned slots and a learning rate near 0.01: smooth, quick, of no meaning."""
    learned = sum(kind == "slaf" for kind in candidate.architecture.kinds)
    return abs(math.log10(candidate.recipe.learning_rate) + 2) - 0.1 * learned


def run(sampler, next_candidate):
    """Run a study under strict warnings and return it with its candidates."""
    candidates = []

    def objective(trial):
        candidates.append(next_candidate(trial))
        return score(candidates[-1])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=SAMPLERS[sampler]())
        study.optimize(objective, n_trials=TRIALS)
    return study, candidates


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers_draw_from_the_conditional_space(sampler):
    study, candidates = run(sampler, lambda trial: MLP.suggest(trial, DIGITS, BUDGET))
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * TRIALS
    for trial, candidate in zip(study.trials, candidates, strict=True):
        assert count_cost(candidate.architecture).parameters <= BUDGET.parameters
        assert MLP.decode(trial.params, DIGITS, BUDGET) == candidate
    assert MLP.decode(study.best_params, DIGITS, BUDGET) in candidates


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers_draw_from_the_flat_space(sampler):
    flat = MLP.distributions(DIGITS, BUDGET)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=SAMPLERS[sampler]())
        for _ in range(TRIALS):
            trial = study.ask(flat)
            candidate = MLP.decode(trial.params, DIGITS, BUDGET)
            assert count_cost(candidate.architecture).parameters <= BUDGET.parameters
            study.tell(trial, score(candidate))
    assert all(trial.params.keys() == flat.keys() for trial in study.trials)
