"""A space in which the size of the network is a dimension too, for trading a metric for costs."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.trial import BaseTrial

from slaf_automl.errors import BudgetError, SpaceError
from slaf_automl.spaces.dimensions import contains, described
from slaf_automl.spaces.limits import limit_space
from slaf_automl.spaces.narrowest import depth_range, narrowest
from slaf_automl.spaces.samplers import doubtful_sampler, require_served
from slaf_automl.spaces.space import Data, SearchSpace, info_of
from slaf_automl.spec import Budget, Candidate, Scalar

SIZE = "size"
"""Name of the dimension: the share of the budget's parameters and macs that a candidate may use."""


@dataclass(frozen=True)
class SizedSpace:
    """A search space with one more dimension, `size`.

    Each candidate is solved for `size` times the limits on parameters and macs, so it is within the
    budget by construction, and networks of all sizes are compared.

    Args:
        space: the space.
        data: what the networks are for.
        budget: the greatest limits; it must limit parameters or macs.

    Raises:
        BudgetError: a budget that limits neither, or that is too small for the space.
    """

    space: SearchSpace
    data: Data
    budget: Budget

    def __post_init__(self) -> None:
        if not self._sized:
            raise BudgetError(
                f"a budget of {self.budget.in_words()} to trade a metric for size",
                expected="a limit on parameters or macs",
            )
        limit_space(self.space.file, info_of(self.data), self.budget)

    @property
    def _sized(self) -> dict[str, int]:
        return {n: v for n, v in self.budget.limits.items() if n in ("parameters", "macs")}

    @functools.cached_property
    def least(self) -> float:
        """The smallest share, that of the narrowest network with most layers.

        Fewer layers could be smaller still, but then the layers to choose from would depend on the
        size, and Optuna's samplers need one distribution a name.
        """
        info = info_of(self.data)
        file = limit_space(self.space.file, info, self.budget)
        needed = narrowest(file, info, depth_range(file)[1])
        return min(1.0, max(needed[name] / limit for name, limit in self._sized.items()))

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return every dimension's distribution by its public name."""
        return {SIZE: self._size(), **self.space.distributions(self.data, self.budget)}

    def suggest(self, trial: BaseTrial) -> Candidate:
        """Let a trial of any Optuna study suggest a candidate of any size within the budget.

        Raises:
            SpaceError: the study's sampler cannot serve the space; see `require_sampler`.
        """
        size = self._size()
        if (sampler := doubtful_sampler(trial)) is not None:
            self._require_sized(sampler, trial.params)
        share = trial.suggest_float(SIZE, size.low, size.high, log=True)
        return self.space.suggest(trial, self.data, self._budget(share))

    def require_sampler(self, sampler: BaseSampler) -> None:
        """Refuse a sampler that cannot serve this space; see `SearchSpace.require_sampler`.

        Raises:
            SpaceError: it cannot; the message names the dimensions that are why.
        """
        self._require_sized(sampler)
        self.space.require_sampler(sampler, self.data, self.budget)

    def decode(self, parameters: Mapping[str, Scalar]) -> Candidate:
        """Return the candidate of stored parameters.

        Raises:
            SpaceError: a parameter is unknown, missing or out of range.
        """
        rest = dict(parameters)
        share = rest.pop(SIZE, None)
        if share is None or not contains(self._size(), share):
            raise SpaceError(f"{SIZE} = {share!r}", expected=described(self._size()))
        return self.space.decode(rest, self.data, self._budget(float(share)))

    def control(self) -> SizedSpace:
        """Return the same with every slot ReLU."""
        return replace(self, space=self.space.control())

    def _require_sized(self, sampler: BaseSampler, asked: Collection[str] = ()) -> None:
        size = self._size()
        require_served(sampler, self.space.name, lambda c: c.choose(SIZE, size), asked)

    def _size(self) -> FloatDistribution:
        return FloatDistribution(self.least, 1.0, log=True)

    def _budget(self, share: float) -> Budget:
        least = self.least
        limits = {
            name: max(math.ceil(limit * least), round(limit * share))
            for name, limit in self._sized.items()
        }
        return Budget(**{**self.budget.limits, **limits})
