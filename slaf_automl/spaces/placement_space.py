"""PlacementSpace: the slots of anyone's network as search dimensions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.samplers import BaseSampler
from optuna.trial import BaseTrial, FixedTrial, Trial
from torch import nn

from slaf_automl.errors import SlafError, SpaceError
from slaf_automl.networks.model_cost import ModelCost, measure_model
from slaf_automl.networks.slots.find import find_slots
from slaf_automl.networks.slots.sensitivity import own_start
from slaf_automl.networks.slots.trace import Example
from slaf_automl.spaces.dimensions import (
    Constant,
    StoredChooser,
    TrialChooser,
    contains,
    described,
)
from slaf_automl.spaces.encodings import Encoding
from slaf_automl.spaces.files import find_space_file, read_document
from slaf_automl.spaces.placement_file import PlacementFile, parse_placement
from slaf_automl.spaces.placement_limits import Ledger, Limits, limited_file
from slaf_automl.spaces.placement_within import Noting, Within
from slaf_automl.spaces.samplers import doubtful_sampler
from slaf_automl.spec import Budget, Cost, Placement, Scalar, Slot

_CLAIM = "slaf_automl.placement"


@dataclass(frozen=True)
class PlacementSpace:
    """Which slots of a network are learned, and how, as dimensions of any Optuna study.

    Dimension names are public: `slot<i>.activation`, `slot<i>.basis`, `slot<i>.degree`,
    `slot<i>.hybrid` (slots in order of use), or `pattern`, `count`, `basis`, `degree`, `hybrid`
    under the other encodings; and `sharing`, `normaliser`, `start`, `clip`. Constants of the space
    file are no dimensions.

    Args:
        file: the validated space file.
        slots: of the network, in order of use.
        cost: what the network costs, with and without placements.
        order: slot numbers in the order in which the encoding `share` takes them.
        prefix: before every dimension's name, for a second network in the same study.
    """

    file: PlacementFile
    slots: tuple[Slot, ...]
    cost: ModelCost
    order: tuple[int, ...]
    prefix: str = ""

    @classmethod
    def of(
        cls,
        model: nn.Module,
        example_input: Example,
        *,
        space: str | Path = "placement",
        order: tuple[int, ...] | None = None,
        prefix: str = "",
        rewrite_calls: bool = False,
        channel_dims: Mapping[str, int] | None = None,
    ) -> PlacementSpace:
        """Turn the activation slots of any network into dimensions of an Optuna study.

        Args:
            model: the network, left as it is.
            example_input: what it takes: a tensor, a tuple of arguments, or keyword arguments.
            space: a shipped space's name or a YAML file of the family `placement`.
            order: slot numbers in the order in which the encoding `share` takes them, such as
                `sensitivity_order` returns; None for their order of use.
            prefix: before every dimension's name, for a second network in the same study.
            rewrite_calls: offer bare calls such as `F.relu(x)` too, which `replace` then rewrites.
            channel_dims: as for `find_slots`.

        Raises:
            SlafError: a network without slots, an input that it refuses, or a bad space file.

        Example:
            >>> import torch
            >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
            >>> space = PlacementSpace.of(model, torch.zeros(1, 4))
            >>> sorted(space.distributions())[:3]
            ['normaliser', 'sharing', 'slot0.activation']
        """
        path = find_space_file(space)
        file = parse_placement(read_document(path), str(path))
        found = find_slots(model, example_input, channel_dims=channel_dims)
        slots = tuple(slot for slot in found if rewrite_calls or slot.form != "call")
        if not slots:
            raise SlafError(
                f"{type(model).__name__} has activations in bare calls only: "
                + ", ".join(slot.id for slot in found),
                remedy="give it nn modules, or give rewrite_calls=True here and to replace",
            )
        order = tuple(range(len(slots))) if order is None else tuple(order)
        if sorted(order) != list(range(len(slots))):
            raise SpaceError(
                f"order {order}", expected=f"each number from 0 to {len(slots) - 1} once"
            )
        cost = measure_model(model, example_input, found, rewrite_calls=rewrite_calls)
        return cls(file, slots, cost, order, prefix)

    def distributions(
        self, budget: Budget | None = None, *, extra: Budget | None = None
    ) -> dict[str, BaseDistribution]:
        """Return every dimension's distribution by its public name.

        Args:
            budget: limits of the whole deployed network.
            extra: limits of what a placement adds, in parameters and macs.

        Raises:
            BudgetError: no placement is within the limits.
        """
        return self._within(budget, extra).encoding.distributions()

    def suggest(
        self, trial: BaseTrial, budget: Budget | None = None, *, extra: Budget | None = None
    ) -> Placement:
        """Let a trial of any Optuna study suggest a placement within the limits.

        Raises:
            BudgetError: no placement is within the limits.
            SpaceError: another space has used these dimension names in this study, or the study's
                sampler cannot serve the space; see `require_sampler`.
        """
        chooser, within = TrialChooser(trial), self._within(budget, extra)
        if (sampler := doubtful_sampler(trial)) is not None:
            within.require_sampler(sampler, trial.params)
        self._claim(trial)
        return within.placement(chooser)

    def require_sampler(
        self, sampler: BaseSampler, budget: Budget | None = None, *, extra: Budget | None = None
    ) -> None:
        """Refuse a sampler of Optuna that cannot serve this space; see `SearchSpace`.

        Raises:
            SpaceError: it cannot; the message names the dimensions that are why.
            BudgetError: no placement is within the limits.
        """
        self._within(budget, extra).require_sampler(sampler)

    def decode(
        self,
        parameters: Mapping[str, Scalar],
        budget: Budget | None = None,
        *,
        extra: Budget | None = None,
    ) -> Placement:
        """Return the placement of stored parameters; the inverse of `encode`.

        Parameters without this space's prefix are someone else's and not looked at; with an empty
        prefix all must be known.

        Raises:
            SpaceError: a parameter is unknown, missing or out of range.
            BudgetError: no placement is within the limits.
        """
        within = self._within(budget, extra)
        known = within.encoding.distributions()
        own = {n: v for n, v in parameters.items() if n.startswith(self.prefix)}
        for name, value in own.items():
            if name not in known:
                raise SpaceError(
                    f"unknown parameter {name!r} for space {self.file.name!r}",
                    expected="one of " + ", ".join(sorted(known)),
                )
            if not contains(known[name], value):
                raise SpaceError(f"{name} = {value!r}", expected=described(known[name]))
        return within.placement(StoredChooser(own))

    def encode(
        self, placement: Placement, budget: Budget | None = None, *, extra: Budget | None = None
    ) -> dict[str, Scalar]:
        """Return parameters that decode to this placement, for `study.enqueue_trial`.

        Raises:
            SpaceError: the placement is not in the space under these limits.
            BudgetError: no placement is within the limits.
        """
        within = self._within(budget, extra)
        chosen = dict(placement)
        choices = tuple(chosen.pop(slot, None) for slot in self.slots)
        if not chosen:
            less = within.ledger.keeping_is_cheapest
            for answers in within.encoding.answers(choices, only_less=less):
                noting = Noting(answers)
                try:
                    found = within.placement(noting)
                except SpaceError:
                    continue
                if found == placement:
                    return noting.asked
        raise SpaceError(
            f"a placement in {', '.join(slot.id for slot in placement.slots) or 'no slot'}",
            expected=f"one of space {self.file.name!r} within the limits",
        )

    def costs(self, placement: Placement | None = None) -> Cost:
        """Return what the deployed network costs with a placement; None for the network alone."""
        return self.cost.of(placement)

    def identity(self) -> str:
        """Return a hash of the space and the slots; equal spaces have equal identities."""
        dimensions = {
            name: {"value": d.value}
            if isinstance(d, Constant)
            else json.loads(distribution_to_json(d.distribution))
            for name, d in self.file.dimensions.items()
        }
        slots = [slot.to_json() for slot in self.slots]
        own = (self.file.name, self.file.version, self.file.encoding, self.order, self.prefix)
        document = json.dumps([*own, dimensions, slots], sort_keys=True)
        return hashlib.sha256(document.encode()).hexdigest()[:16]

    def _within(self, budget: Budget | None, extra: Budget | None) -> Within:
        limits = Limits(budget, extra)
        file, lacking = limited_file(self.file, self.cost, limits)
        starts = tuple(own_start(slot) for slot in self.slots)
        encoding = Encoding(file, starts, self.order, self.prefix)
        within = Within(encoding, Ledger(self.cost, self.slots, limits), limits)
        within.require_some(lacking)
        return within

    def _claim(self, trial: BaseTrial) -> None:
        """Note in the study which space its dimension names belong to."""
        if isinstance(trial, FixedTrial):
            return
        holder = trial.study if isinstance(trial, Trial) else trial
        key, mine = f"{_CLAIM}:{self.prefix}", self.identity()
        theirs = holder.user_attrs.get(key)
        if theirs is None:
            holder.set_user_attr(key, mine)
        elif theirs != mine:
            raise SpaceError(
                f"two placement spaces with the prefix {self.prefix!r} in one study",
                remedy="give each a study of its own, or one of them a prefix of its own: "
                "for_model(..., prefix='teacher.')",
            )
