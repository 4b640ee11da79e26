"""A placement space under limits: asks for a placement and holds it to them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler

from slaf_automl.errors import BudgetError
from slaf_automl.spaces.dimensions import Chooser, StoredChooser
from slaf_automl.spaces.encodings import Encoding
from slaf_automl.spaces.placement_limits import (
    Fillings,
    Ledger,
    Limits,
    fillings_of,
    fitted,
    nothing_fits,
    ways_of,
)
from slaf_automl.spaces.samplers import require_served
from slaf_automl.spec import Placement, Scalar


@dataclass(frozen=True)
class Within:
    """A space under limits."""

    encoding: Encoding
    ledger: Ledger
    limits: Limits

    def require_some(self, lacking: BudgetError | None) -> None:
        """Raise a `BudgetError`, that of what is lacking if any, if no placement is within."""
        if not self.ledger.limits:
            return
        tried = []
        for shared in self.encoding.every_shared():
            tried.append(ways_of(self.encoding, self.ledger, shared))
            if any(self.ledger.allows(way) for way in tried[-1]):
                return
        raise lacking or nothing_fits(self.limits, self.ledger, min(tried, key=self._stored))

    def _stored(self, ways: Sequence[Fillings]) -> float:
        return self.ledger.total("parameters", ways[-1])

    def require_sampler(self, sampler: BaseSampler, asked: Collection[str] = ()) -> None:
        """Raise a `SpaceError` if the sampler cannot serve the space; see `require_served`."""
        require_served(sampler, self.encoding.file.name, self.placement, asked)

    def placement(self, chooser: Chooser) -> Placement:
        """Ask for a placement and hold it to the limits.

        Where the limits cannot be held with the shared values that were chosen, the first of the
        space's take their place with which they can.
        """
        must = "keep" not in self.encoding.kinds or bool(self.limits.forcing(self.ledger.cost))
        chosen = self.encoding.choose(chooser, shared_always=must)
        start = {"start": chosen.shared["start"]} if "start" in chosen.shared else {}
        others = ({**shared, **start} for shared in self.encoding.every_shared())
        for shared in itertools.chain([chosen.shared], others):
            ways = ways_of(self.encoding, self.ledger, shared)
            specs = self.encoding.specs(chosen, shared)
            choices = fillings_of(self.ledger, specs, ways)
            may_keep = "keep" in self.encoding.kinds
            found = fitted(self.ledger, choices, ways, may_keep=may_keep)
            if found is not None:
                return self.ledger.placement(found)
        raise nothing_fits(self.limits, self.ledger, ways)


class Noting:
    """Answers from a table and notes what was asked."""

    def __init__(self, answers: Mapping[str, Scalar]) -> None:
        self._stored = StoredChooser(answers)
        self.asked: dict[str, Scalar] = {}

    def choose(self, name: str, distribution: BaseDistribution) -> Scalar:
        """Return the table's value, or raise a `SpaceError` if the space has it not."""
        self.asked[name] = self._stored.choose(name, distribution)
        return self.asked[name]
