"""Slots of someone's own network, and what fills them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slaf_automl.errors import SpecError
from slaf_automl.spec.activation import ActivationSpec
from slaf_automl.spec.codec import (
    Value,
    require_choice,
    require_integer,
    require_type,
    require_types,
)

FORMS = ("module", "attribute", "call")
"""How an activation sits in a model: a module, a function kept in an attribute, or a bare call."""


@dataclass(frozen=True)
class Slot(Value):
    """A place in a network where an activation sits.

    Args:
        path: the activation's module path (`form` `"module"`), the path of the attribute that holds
            the function (`"attribute"`), or the path of the module that calls it (`"call"`), empty
            for the network itself.
        call: which of the calls in one pass of the calling module, from 0.
        calls: how many calls there are.
        activation: what sits there now, such as `"relu"`.
        channels: number of channels of its input.
        channel_dim: where the channels are: 1 for `(N, C, *)`, −1 for `(*, C)`.
        values: how many numbers it is applied to for one example, all its uses together.
        form: one of `FORMS`.
        uses: how many times the slot is evaluated in one pass of the network: more than once where
            the module that calls it is used more than once.
        in_place: whether the network reads the input again after the activation has overwritten
            it, so that what fills the slot must overwrite it too.

    Raises:
        SpecError: a number out of range or an unknown form.

    Example:
        >>> Slot("layer1.0.relu", 1, 2, "relu", 64, 1, 64 * 56 * 56).id
        'layer1.0.relu#1'
    """

    path: str
    call: int
    calls: int
    activation: str
    channels: int
    channel_dim: int
    values: int
    form: str = "module"
    uses: int = 1
    in_place: bool = False

    def __post_init__(self) -> None:
        require_type("Slot.path", self.path, str)
        require_integer("Slot.call", self.call, 0)
        require_integer("Slot.calls", self.calls, self.call + 1)
        require_type("Slot.activation", self.activation, str)
        require_integer("Slot.channels", self.channels, 1)
        require_integer("Slot.channel_dim", self.channel_dim, -16)
        require_integer("Slot.values", self.values, 0)
        require_choice("Slot.form", self.form, FORMS)
        require_integer("Slot.uses", self.uses, 1)
        require_type("Slot.in_place", self.in_place, bool)
        if not self.path and self.form != "call":
            raise SpecError(
                f"Slot.path '' of form {self.form!r}",
                expected="a path; only a bare call can be made by the network itself",
            )

    @property
    def id(self) -> str:
        """`module.path#call`; for a bare call `module.path:function#call`."""
        middle = f":{self.activation}" if self.form == "call" else ""
        return f"{self.path}{middle}#{self.call}"


@dataclass(frozen=True)
class Placement(Value):
    """Which slots of a network get an activation of ours; the others keep what they have.

    Args:
        slots: the slots to fill, in order of use.
        specs: what fills each.

    Raises:
        SpecError: not one spec a slot, or a slot twice.

    Example:
        >>> slot = Slot("act", 0, 1, "relu", 16, 1, 16)
        >>> [slot.id for slot, spec in Placement((slot,), (ActivationSpec("slaf", {}),))]
        ['act#0']
    """

    slots: tuple[Slot, ...]
    specs: tuple[ActivationSpec, ...]

    def __post_init__(self) -> None:
        require_types("Placement.slots", self.slots, Slot)
        require_types("Placement.specs", self.specs, ActivationSpec)
        if len(self.slots) != len(self.specs):
            raise SpecError(
                f"{len(self.specs)} specs for {len(self.slots)} slots", expected="one spec a slot"
            )
        seen: set[str] = set()
        for slot in self.slots:
            if slot.id in seen:
                raise SpecError(
                    f"slot {slot.id!r} twice in a placement", expected="every slot once"
                )
            seen.add(slot.id)

    def __iter__(self) -> Iterator[tuple[Slot, ActivationSpec]]:
        return zip(self.slots, self.specs, strict=True)

    def __len__(self) -> int:
        return len(self.slots)
