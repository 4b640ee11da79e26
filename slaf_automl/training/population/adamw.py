"""AdamW over flat vectors, every lane with its own rates, decays and gradient norm."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from slaf_automl.activations.passes.compiler import compiled_library

WEIGHTS, OFFSETS, COEFFICIENTS = range(3)
"""Groups of a lane's parameters; see `slaf_automl.training.routines.parameter_groups`."""

GROUPS = 3
BETAS = (0.9, 0.999)
EPSILON = 1e-8
_SOURCE = Path(__file__).with_name("adamw.cpp")
_REALS = {torch.float32: "float", torch.float64: "double"}


class Segment(NamedTuple):
    """Neighbouring parameters of one lane and group."""

    start: int
    length: int
    lane: int
    group: int


def step_rates(rate: ArrayLike, decay: float, done: ArrayLike) -> NDArray[np.float64]:
    """Return what a step does with one group of one lane: rate, keep, first and second.

    keep = 1 − rate·decay, first = 1 − β₁ᵗ, second = √(1 − β₂ᵗ), t = done + 1.

    Args:
        rate: learning rate, of any shape; NaN where the group rests: it keeps still and does not
            count in the gradient's norm.
        decay: decoupled weight decay.
        done: steps that the group has made, of the rate's shape.

    Returns:
        The four side by side, `(*, 4)`.

    Example:
        >>> step_rates(0.1, 0.5, 0).round(4).tolist()
        [0.1, 0.95, 0.1, 0.0316]
    """
    rate, t = np.asarray(rate, dtype=np.float64), np.asarray(done, dtype=np.float64) + 1
    second = np.sqrt(1 - np.power(BETAS[1], t))
    return np.stack([rate, 1 - rate * decay, 1 - np.power(BETAS[0], t), second], axis=-1)


class StackedAdamW:
    """One AdamW (Loshchilov, Hutter 2019) for each lane, in one update of flat vectors.

    With ĝ = g·min(1, limit/(‖g‖ + 1e-6)), the norm over all groups of the lane that do not rest:
    m ← m + (1 − β₁)·(ĝ − m), v ← β₂·v + (1 − β₂)·ĝ², θ ← keep·θ − rate/first·m/(√v/second + ε),
    β = (0.9, 0.999), ε = 1e-8: lane by lane what torch.nn.utils.clip_grad_norm_ and
    torch.optim.AdamW do.

    Args:
        segments: whose the values are; they do not overlap.
        limits: upper limit of each lane's gradient norm, `(lanes,)`; infinite for none.
        vectors: parameters, gradients, and first and second moments, `(P,)` each.
        compiled: False keeps to PyTorch's own operations.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        limits: Sequence[float],
        vectors: tuple[Tensor, Tensor, Tensor, Tensor],
        *,
        compiled: bool = True,
    ) -> None:
        self.vectors = vectors
        self._segments = np.array(_merged(segments), dtype=np.int64).reshape(-1, 4)
        self._limits = np.array(limits, dtype=np.float64)
        self._square = np.zeros(len(limits))
        like = vectors[0]
        on_cpu = compiled and like.device.type == "cpu"
        self._function = _update(like.dtype) if on_cpu else None
        self._group_of: Tensor | None = None
        if self._function is not None:
            self._arguments = (
                self._segments.ctypes.data,
                len(self._segments),
                len(limits),
                *(v.data_ptr() for v in vectors),
                self._limits.ctypes.data,
                self._square.ctypes.data,
            )

    def step(self, table: NDArray[np.float64]) -> None:
        """Update the parameters.

        Args:
            table: `step_rates` of each group of each lane, `(lanes, GROUPS, 4)`, contiguous.
        """
        if self._function is not None:
            self._function(*self._arguments, table.ctypes.data)
        else:
            self._written_out(torch.from_numpy(table))

    @torch.no_grad()
    def _written_out(self, table: Tensor) -> None:
        parameters, gradients, first, second = self.vectors
        group_of = self._groups()
        rows = table.reshape(-1, 4)
        resting = torch.isnan(rows[:, 0])
        # The last row is of what belongs to no lane: it rests.
        active = torch.cat([~resting, torch.zeros(1, dtype=torch.bool)]).to(parameters.device)
        rows = torch.cat([rows, rows.new_ones(1, 4)]).to(parameters)
        on = active[group_of]
        squares = torch.where(on, gradients, 0.0).double().square()
        lane_of = torch.div(group_of, GROUPS, rounding_mode="floor")
        norm = squares.new_zeros(len(self._limits) + 1).index_add_(0, lane_of, squares).sqrt()
        limits = torch.cat([torch.from_numpy(self._limits), torch.full((1,), torch.inf)]).to(norm)
        scale = torch.where(torch.isinf(limits), 1.0, (limits / (norm + 1e-6)).clamp(max=1.0))
        g = gradients * scale.to(gradients)[lane_of]
        rate, keep, bias_1, bias_2 = rows[group_of].unbind(1)
        m = first + (1 - BETAS[0]) * (g - first)
        v = BETAS[1] * second + (1 - BETAS[1]) * g * g
        moved = keep * parameters - rate / bias_1 * m / (v.sqrt() / bias_2 + EPSILON)
        for vector, new in ((parameters, moved), (first, m), (second, v)):
            vector.copy_(torch.where(on, new, vector))

    def _groups(self) -> Tensor:
        """Return each value's row of the table, the number of rows where it belongs to no lane."""
        if self._group_of is None:
            like = self.vectors[0]
            nobody = len(self._limits) * GROUPS
            found = torch.full(like.shape, nobody, dtype=torch.long)
            for start, length, lane, group in self._segments.tolist():
                found[start : start + length] = lane * GROUPS + group
            self._group_of = found.to(like.device)
        return self._group_of


def _merged(segments: Sequence[Segment]) -> list[Segment]:
    """Return the segments in order, neighbours of one lane and group as one."""
    merged: list[Segment] = []
    for segment in sorted(segments):
        last = merged[-1] if merged else None
        if last and last[2:] == segment[2:] and last.start + last.length == segment.start:
            merged[-1] = last._replace(length=last.length + segment.length)
        else:
            merged.append(segment)
    return merged


def compile_update() -> None:
    """Compile the float32 update, so that the first step need not wait for it."""
    _update(torch.float32)


@functools.cache
def _update(dtype: torch.dtype) -> Any:
    real = _REALS.get(dtype)
    if real is None:
        return None
    library = compiled_library(_SOURCE, f"adamw-{real}", (f"-DREAL={real}",))
    if library is None:
        return None
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.adamw.argtypes = [pointer, number, number, *([pointer] * 7)]
    library.adamw.restype = None
    return library.adamw
