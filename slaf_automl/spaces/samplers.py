"""Which of Optuna's samplers cannot serve a space, said before a study fails within Optuna."""

from __future__ import annotations

from collections.abc import Callable, Collection

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, BruteForceSampler, CmaEsSampler
from optuna.trial import BaseTrial, Trial

from slaf_automl.errors import SpaceError
from slaf_automl.spaces.dimensions import Chooser
from slaf_automl.spec import Scalar

_ASKS_NOTHING = ("keep", "none")
_ASKS_MORE = ("slaf", "first", "last", "two_speed")


def doubtful_sampler(trial: BaseTrial) -> BaseSampler | None:
    """Return the sampler of a trial's study if there are spaces that it cannot serve."""
    sampler = trial.study.sampler if isinstance(trial, Trial) else None
    return sampler if isinstance(sampler, (BruteForceSampler, CmaEsSampler)) else None


def require_served(
    sampler: BaseSampler,
    name: str,
    walk: Callable[[Chooser], object],
    asked: Collection[str] = (),
) -> None:
    """Raise a `SpaceError` if the sampler cannot serve a space.

    Args:
        sampler: of a study.
        name: of the space.
        walk: asks a chooser for what one suggestion needs.
        asked: dimensions that the sampler has served already.
    """
    if isinstance(sampler, BruteForceSampler):
        _require_finite(name, walk, asked)
    # Optuna keeps the setting to itself. With it, points of several lengths are mixed up as soon as
    # trials have fewer numbers than those before; without, the sampler gives way to another there.
    if isinstance(sampler, CmaEsSampler) and getattr(sampler, "_with_margin", False):
        _require_unconditional(name, walk, asked)


def always_and_ever_asked(
    walk: Callable[[Chooser], object],
) -> tuple[dict[str, BaseDistribution], dict[str, BaseDistribution]]:
    """Return the dimensions that every suggestion needs, and those that some suggestion needs.

    Args:
        walk: asks a chooser for what one suggestion needs.
    """
    least, most = _Walker(much=False), _Walker(much=True)
    walk(least)
    walk(most)
    return least.asked, most.asked


def _require_finite(name: str, walk: Callable[[Chooser], object], asked: Collection[str]) -> None:
    endless = [
        public
        for public, distribution in always_and_ever_asked(walk)[1].items()
        if public not in asked
        and isinstance(distribution, FloatDistribution)
        and distribution.step is None
    ]
    if endless:
        raise SpaceError(
            f"BruteForceSampler on space {name!r} with the continuous {_some(endless)}",
            expected="dimensions of finitely many values",
            remedy="give choices or a value in the space file, or take another sampler",
        )


def _require_unconditional(
    name: str, walk: Callable[[Chooser], object], asked: Collection[str]
) -> None:
    always, ever = always_and_ever_asked(walk)
    sometimes = [
        public
        for public, distribution in ever.items()
        if public not in {*always, *asked}
        and not isinstance(distribution, CategoricalDistribution)  # which the sampler leaves out
        and not distribution.single()
    ]
    if sometimes:
        raise SpaceError(
            f"CmaEsSampler(with_margin=True) on space {name!r}, where not every trial has "
            f"{_some(sometimes)}",
            expected="the same numbers in every trial",
            remedy="leave with_margin out, or decode trials of study.ask(space.distributions(...))",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


class _Walker:
    """Chooses what leaves least, or most, to be asked for, and notes what is asked."""

    def __init__(self, *, much: bool) -> None:
        self._much = much
        self.asked: dict[str, BaseDistribution] = {}

    def choose(self, name: str, distribution: BaseDistribution) -> Scalar:
        """Return the choice that needs least or most beside it."""
        self.asked[name] = distribution
        if isinstance(distribution, CategoricalDistribution):
            best = _ASKS_MORE if self._much else _ASKS_NOTHING
            wanted = [c for c in distribution.choices if c in best]
            plain = [c for c in distribution.choices if c not in _ASKS_MORE + _ASKS_NOTHING]
            return next(iter(wanted or plain or distribution.choices))
        assert isinstance(distribution, (IntDistribution, FloatDistribution))
        return distribution.high if self._much else distribution.low
