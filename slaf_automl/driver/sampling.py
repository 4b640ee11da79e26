"""The sampler and the pruner of a study."""

from __future__ import annotations

import warnings

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


def seeded_sampler(seed: int) -> BaseSampler:
    """Return the default sampler, multivariate TPE: the best of `scripts/benchmarks/samplers.py`.

    A fresh one for every trial, seeded by the study's seed and the trial's number: so a resumed
    search suggests what an uninterrupted one would have. Trials that still run count as bad ones
    (Optuna's constant liar), so that many asked at once differ.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, constant_liar=True)


class HalvingPruner(BasePruner):
    """Asynchronous successive halving (Li et al. 2020) over the values reported at shared rungs.

    At a rung a trial goes on if it is among the best ⌊n/reduction⌋ (at least one) of the n values
    reported there so far, its own included. Optuna's own pruner counts a trial in when it decides
    about it, so that of many that arrive together the first would be compared with none of the
    others; here all that is reported before a decision counts. Failed trials do not: an interrupted
    one reports again under its new number.

    Args:
        reduction: 1/reduction of the trials at a rung go on.
    """

    def __init__(self, reduction: int) -> None:
        self.reduction = reduction

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Say whether the trial's latest value ends it."""
        step = trial.last_step
        if step is None:
            return False
        values = sorted(
            other.intermediate_values[step]
            for other in study.get_trials(deepcopy=False)
            if other.state != TrialState.FAIL and step in other.intermediate_values
        )
        if study.direction.name == "MAXIMIZE":
            values.reverse()
        worst = values[max(1, len(values) // self.reduction) - 1]
        value = trial.intermediate_values[step]
        return value < worst if study.direction.name == "MAXIMIZE" else value > worst


def pruner_for(reduction: int | None, *, folds: bool = False) -> BasePruner:
    """Return the pruner.

    Args:
        reduction: 1/reduction of the trials at a rung go on; None never prunes.
        folds: reports are those of single folds: a trial is stopped when a signed-rank test over
            the folds so far says that the best trial is better (p < 0.1).
    """
    if folds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return WilcoxonPruner(p_threshold=0.1)
    return NopPruner() if reduction is None else HalvingPruner(reduction)
