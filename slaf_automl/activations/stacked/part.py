"""Parts of a stack's channels: those of one lane's slot that follow one formula."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from slaf_automl.activations.fixed import FixedActivation
from slaf_automl.activations.passes import Form, Source
from slaf_automl.activations.passes.fixed import RECTIFIED
from slaf_automl.activations.slaf import SLAF
from slaf_automl.activations.statistics import InputNormaliser, RunningMoments
from slaf_automl.errors import ActivationError


class Mode(enum.Enum):
    """What a forward pass does with the statistics of normalisers.

    TRAIN uses batches and moves the running statistics. POOL is one batch of
    `estimate_statistics`: batch statistics, which go to a memory of their own. EVALUATE uses the
    running ones.
    """

    TRAIN = "train"
    POOL = "pool"
    EVALUATE = "evaluate"


@dataclass(frozen=True)
class Statistic:
    """Where a running statistic lies, and how it moves (see `RunningMoments`).

    Args:
        start: place of its first mean among all means, and of its first variance likewise.
        counter: place of its number of rows among all counters.
        source: BATCH or FOLLOW, as it is used in training.
        tracked: it only follows the training, `POOL` leaves it.
        held: it stays as it is.
        momentum: share of a batch.
        settle: after so many values it stays as it is; 0 for never.
    """

    start: int
    counter: int
    source: Source
    tracked: bool
    held: bool
    momentum: float
    settle: int

    def source_in(self, mode: Mode) -> Source:
        """Return where the statistic comes from in a forward pass."""
        idle = self.held or (mode is Mode.POOL and self.tracked)
        return Source.CONSTANT if idle or mode is Mode.EVALUATE else self.source


@dataclass(frozen=True)
class Part:
    """Neighbouring channels of one lane's slot: its SLAF, or its fixed ones.

    Args:
        lane: place of the lane in the stack.
        first: the first channel.
        channels: how many.
        form: the formula; a fixed one has one element, whose coefficient is not learned.
        rows: rows of coefficients.
        coefficients: place of the first coefficient among all parameters, None of a fixed one.
        bias: place of the first constant.
        gain: place of the input normaliser's first scale, None without one.
        offset: place of its first shift.
        inputs: statistics of the input, `(channels,)`.
        elements: statistics of the elements, `(channels, degree)`.
    """

    lane: int
    first: int
    channels: int
    form: Form
    rows: int = 1
    coefficients: int | None = None
    bias: int | None = None
    gain: int | None = None
    offset: int | None = None
    inputs: Statistic | None = None
    elements: Statistic | None = None

    @property
    def learned(self) -> bool:
        """Whether it is a SLAF."""
        return self.coefficients is not None

    def sources(self, mode: Mode) -> tuple[Source, Source]:
        """Return where the statistics of input and elements come from."""
        found = [
            Source.NONE if s is None else s.source_in(mode) for s in (self.inputs, self.elements)
        ]
        return found[0], found[1]


@dataclass(frozen=True)
class Places:
    """Where the parameters and statistics of a lane's modules begin, by name in its state dict."""

    parameters: Mapping[str, int]
    statistics: Mapping[str, int]
    counters: Mapping[str, int]


def parts_of(slot: nn.Module, name: str, lane: int, places: Places) -> tuple[Part, ...]:
    """Return the parts of one slot, a `SLAF` or a `FixedActivation`.

    Args:
        slot: the lane's own module, which says what it computes; its values are not looked at.
        name: its path in the lane's network.
        lane: place of the lane in the stack.
        places: where the lane's values lie.

    Raises:
        ActivationError: a module of another kind.
    """
    if isinstance(slot, FixedActivation):
        return (_fixed(slot, name, 0, lane, places),)
    if not isinstance(slot, SLAF):
        raise ActivationError(
            f"slot {name} of type {type(slot).__name__} in a population",
            expected="SLAF or a fixed activation",
            remedy="train candidates of this kind one at a time",
        )
    if slot.rectified:
        inputs, gain, offset = _before(slot.before, f"{name}.before", places)
        first = Part(lane, 0, slot.learned, RECTIFIED, gain=gain, offset=offset, inputs=inputs)
    else:
        first = _learned(slot, name, lane, places)
    if slot.rectifier is None:
        return (first,)
    return first, _fixed(slot.rectifier, f"{name}.rectifier", slot.learned, lane, places)


def _learned(slot: SLAF, name: str, lane: int, places: Places) -> Part:
    inputs, gain, offset = _before(slot.before, f"{name}.before", places)
    if slot.reach is not None:
        inputs = _statistic(slot.reach, f"{name}.reach", Source.FOLLOW, places)
    elements = None
    if slot.moments is not None:
        elements = _statistic(slot.moments, f"{name}.moments", Source.BATCH, places)
    return Part(
        lane,
        0,
        slot.learned,
        slot.form,
        rows=slot.bias.shape[0],
        coefficients=places.parameters[f"{name}.coefficients"],
        bias=places.parameters[f"{name}.bias"],
        gain=gain,
        offset=offset,
        inputs=inputs,
        elements=elements,
    )


def _fixed(slot: FixedActivation, name: str, first: int, lane: int, places: Places) -> Part:
    inputs, gain, offset = _before(slot.before, f"{name}.before", places)
    elements = None
    if slot.after is not None:
        elements = _statistic(slot.after, f"{name}.after", Source.BATCH, places)
    return Part(
        lane,
        first,
        slot.channels,
        slot.form,
        gain=gain,
        offset=offset,
        inputs=inputs,
        elements=elements,
    )


def _before(
    before: InputNormaliser | None, name: str, places: Places
) -> tuple[Statistic | None, int | None, int | None]:
    if before is None:
        return None, None, None
    source = Source.FOLLOW if before.frozen else Source.BATCH
    return (
        _statistic(before.moments, f"{name}.moments", source, places),
        places.parameters[f"{name}.weight"],
        places.parameters[f"{name}.bias"],
    )


def _statistic(moments: RunningMoments, name: str, source: Source, places: Places) -> Statistic:
    return Statistic(
        places.statistics[name],
        places.counters[name],
        source,
        moments.tracked,
        moments.constant,
        moments.momentum,
        moments.settle,
    )
