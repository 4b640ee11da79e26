"""The sampler and the pruner of a study."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, TPESampler


def seeded_sampler(seed: int) -> BaseSampler:
    """Return the default sampler, TPE over groups of dimensions that occur together.

    A fresh one for every trial, seeded by the study's seed and the trial's number: so a resumed
    search suggests what an uninterrupted one would have.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True)


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
        """Return Optuna's asynchronous successive halving."""
        return SuccessiveHalvingPruner(
            min_resource=self.first_rung, reduction_factor=self.reduction
        )


def pruner_for(halving: Halving | None) -> BasePruner:
    """Return the pruner, one that never prunes where there is no rung."""
    return NopPruner() if halving is None else halving.pruner()
