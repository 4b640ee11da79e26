"""The training curve: what each epoch came to."""

from __future__ import annotations

from typing import NamedTuple


class EpochFigures(NamedTuple):
    """One epoch of a training.

    Args:
        value: the validation metric after it; not finite where a prediction was not.
        loss: the mean training loss of its steps, in nats or squared spreads of the target.
    """

    value: float
    loss: float


Curve = list[EpochFigures]
"""The epochs of a training in order, those of a resumed one from its start on."""
