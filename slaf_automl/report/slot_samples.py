"""What the slots of a deployed network are given, and what they make of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from slaf_automl.activations.expansion import Expansion
from slaf_automl.activations.polynomial import Polynomial
from slaf_automl.activations.slaf import learned_channels, require_hybrid
from slaf_automl.networks import DeployedNetwork
from slaf_automl.report.words import slot_in_words
from slaf_automl.spec import ActivationSpec, Architecture

MOST_CHANNELS = 16
"""Channels of a slot whose functions are sampled, spread evenly over the learned ones."""

_BINS, _POINTS = 40, 65
_MOST_VALUES = 100_000
_MOST_ROWS, _MOST_IMAGES = 2_048, 128
_TAIL = 0.001


def sample_slots(
    network: DeployedNetwork, architecture: Architecture, rows: Tensor
) -> list[dict[str, Any]]:
    """Sample every slot: the histogram of its inputs, and its function on their range.

    The functions are those of the deployed slot without its affine maps: normalisers, clip ranges
    and constants, which the layers around carry, or the slot itself where they cannot. Of a slot
    with learned channels only these are looked at, the others are ReLU.

    Args:
        network: the deployed network.
        architecture: what it is made of.
        rows: raw features `(N, inputs)`; of many the first 2,048 serve, of images 128.

    Returns:
        A document for each slot, that of the inputs first: `name`, `kind`, `slot` in words,
        `channels`, `learned`, `clipped` (to ±1),
        `range` (of the inputs, but for a thousandth at each end), `inputs` (a share of all
        inputs for each of 40 equal parts of it), `shown` (channels) and `functions` (their
        values at 65 equal steps over the range).
    """
    images = architecture.image is not None
    given = _inputs(network, rows[: _MOST_IMAGES if images else _MOST_ROWS])
    cores = [_core(slot) for slot in network.slots]
    channels = [slot.channels for slot in network.layout.slots()]
    names = [f"slot {i}" for i in range(len(architecture.placement))]
    if architecture.input_activation is not None:
        names.append("inputs")
    slots = zip(names, architecture.specs, cores, given, channels, strict=True)
    found = [
        {"name": name, **_sample(spec, core, inputs, count)}
        for name, spec, core, inputs, count in slots
    ]
    return sorted(found, key=lambda sample: sample["name"] != "inputs")


def _core(slot: nn.Module) -> nn.Module:
    """Return the learned function in a deployed slot, the slot itself if nothing is learned."""
    found = (m for m in slot.modules() if isinstance(m, Polynomial | Expansion))
    return next(found, slot)


def _inputs(network: DeployedNetwork, rows: Tensor) -> list[Tensor]:
    """Return what each slot's function is given, `(N, C, *)`."""
    found: dict[int, Tensor] = {}

    def note(index: int) -> Any:
        def hook(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            found[index] = arguments[0].detach()

        return hook

    hooks = [_core(slot).register_forward_pre_hook(note(i)) for i, slot in enumerate(network.slots)]
    try:
        with torch.no_grad():
            network(rows)
    finally:
        for hook in hooks:
            hook.remove()
    return [found[index] for index in range(len(hooks))]


def _sample(spec: ActivationSpec, core: nn.Module, inputs: Tensor, channels: int) -> dict[str, Any]:
    learned = 0
    if spec.kind == "slaf":
        learned = learned_channels(channels, require_hybrid(spec["hybrid"]))
    values = _some(inputs[:, :learned] if learned else inputs)
    low, high = _range(values)
    counts, _ = np.histogram(values, _BINS, (low, high))
    shown = _spread(learned or 1, MOST_CHANNELS)
    x = torch.linspace(low, high, _POINTS)
    with torch.no_grad():
        functions = core(x[:, None].expand(-1, inputs.shape[1]).contiguous())[:, shown].T
    return {
        "kind": spec.kind,
        "slot": slot_in_words(spec),
        "channels": channels,
        "learned": learned,
        "clipped": isinstance(core, Polynomial | Expansion) and core.clipped,
        "range": [_short(low), _short(high)],
        "inputs": [_short(count / max(len(values), 1)) for count in counts],
        "shown": shown,
        "functions": [[_short(y) for y in function] for function in functions.tolist()],
    }


def _some(inputs: Tensor) -> NDArray[np.float64]:
    """Return the finite values of all channels, or evenly spread ones where there are many."""
    values = inputs.flatten().double().numpy()
    values = values[:: -(-len(values) // _MOST_VALUES)] if len(values) else values
    found: NDArray[np.float64] = values[np.isfinite(values)]
    return found


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return where nearly all values lie, zero included."""
    if not len(values):
        return -1.0, 1.0
    low, high = (float(v) for v in np.quantile(values, (_TAIL, 1 - _TAIL)))
    low, high = min(low, 0.0), max(high, 0.0)
    return (low, high) if high - low > 1e-6 else (low - 1.0, high + 1.0)


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` of the numbers below `count`, evenly spread.

    Example:
        >>> _spread(3, 16), _spread(9, 3)
        ([0, 1, 2], [0, 4, 8])
    """
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def _short(value: float) -> float | None:
    """Return five digits of a number, None of one that is not finite."""
    return float(f"{value:.5g}") if np.isfinite(value) else None
