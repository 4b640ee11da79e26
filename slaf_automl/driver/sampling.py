"""The sampler and the pruner of a study."""

from __future__ import annotations

import warnings
from collections.abc import Container
from dataclasses import dataclass
from typing import Any, cast

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


def seeded_sampler(seed: int) -> BaseSampler:
    """Return the default sampler, TPE over groups of dimensions that occur together.

    A fresh one for every trial, seeded by the study's seed and the trial's number: so a resumed
    search suggests what an uninterrupted one would have.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True)


class _Living:
    """A study as a pruner sees it, without the trials that failed.

    An interrupted trial is queued again and reports its rungs under its new number; counted twice,
    its ghost would hold places at the rungs that no trial can ever take.
    """

    def __init__(self, study: Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials that did not fail."""
        trials = self._study.get_trials(deepcopy=deepcopy, states=states)
        return [trial for trial in trials if trial.state != TrialState.FAIL]


class LivingTrialsPruner(BasePruner):
    """Another pruner's decisions, with failed trials left out of the comparison."""

    def __init__(self, inner: BasePruner) -> None:
        self._inner = inner

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Ask the inner pruner."""
        return self._inner.prune(cast("Study", _Living(study)), trial)


@dataclass(frozen=True)
class Halving:
    """Successive halving at shared rungs, in epochs.

    Args:
        first_rung: epochs before the first comparison.
        reduction: 1/reduction of the candidates at a rung go on.
    """

    first_rung: int
    reduction: int

    def pruner(self) -> BasePruner:
        """Return Optuna's asynchronous successive halving over the trials that did not fail."""
        halving = SuccessiveHalvingPruner(
            min_resource=self.first_rung, reduction_factor=self.reduction
        )
        return LivingTrialsPruner(halving)


def pruner_for(halving: Halving | None) -> BasePruner:
    """Return the pruner, one that never prunes where there is no rung."""
    return NopPruner() if halving is None else halving.pruner()
