"""Successive halving: by hand, together or one after the other, and without the failed."""

import optuna
import pytest
from optuna.trial import TrialState

from slaf_automl.driver.sampling import HalvingPruner


def study_of(direction="minimize", reduction=3):
    return optuna.create_study(direction=direction, pruner=HalvingPruner(reduction))


def reported(study, values, step=6):
    trials = [study.ask() for _ in values]
    for trial, value in zip(trials, values, strict=True):
        trial.report(value, step)
    return trials


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_of_those_reported_together_the_best_third_goes_on(direction):
    sign = 1 if direction == "minimize" else -1
    values = [sign * v for v in (5, 2, 9, 1, 7, 3, 8)]
    trials = reported(study_of(direction), values)
    assert [not t.should_prune() for t in trials] == [v in (sign, 2 * sign) for v in values]


def test_one_after_the_other_each_meets_those_before():
    study = study_of()
    kept = []
    for value in (5, 6, 4, 4.5, 3):
        (trial,) = reported(study, [value])
        kept.append(not trial.should_prune())
    # Up to five values the best one alone goes on.
    assert kept == [True, False, True, False, True]


def test_equal_values_go_on_together():
    trials = reported(study_of(), [1.0] * 4)
    assert not any(t.should_prune() for t in trials)


def test_rungs_are_apart_and_the_latest_counts():
    study = study_of()
    first, second = reported(study, [1.0, 2.0])
    first.report(9.0, 18)
    assert not first.should_prune()
    assert second.should_prune()


def test_a_trial_that_reported_nothing_goes_on():
    assert not study_of().ask().should_prune()


def test_failed_trials_hold_no_place():
    study = study_of()
    (ghost,) = reported(study, [0.0])
    study.tell(ghost, state=TrialState.FAIL)
    (trial,) = reported(study, [1.0])
    assert not trial.should_prune()
