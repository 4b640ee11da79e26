"""One slot of a whole stack: every lane's own activation, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from slaf_automl.activations.stacked.compiled import CompiledParts, compiles
from slaf_automl.activations.stacked.memory import Flow, Memory
from slaf_automl.activations.stacked.part import Mode, Part
from slaf_automl.activations.stacked.written import WrittenParts


class StackedActivation:
    """Evaluates one slot of all lanes of a stack: y[k, :, c] = f_kc(x[k, :, c]).

    Every lane has its own bases, degrees, normalisers and shares of ReLU. Polynomial and ReLU
    parts, and those of a line and tents, run in the compiled passes where there are any, the others
    written out; both write the same places. Channels beyond a lane's own are not touched: they
    stay 0.

    Args:
        parts: the parts of all lanes.
        memory: where their parameters, gradients and statistics lie.
        mode: what forward passes do with statistics.
        flow: input, output and their gradients, `(lanes, rows, width)`.
        compiled: False keeps to PyTorch's own operations.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        memory: Memory,
        mode: Mode,
        flow: Flow,
        *,
        compiled: bool = True,
    ) -> None:
        fast, slow = list[Part](), list[Part]()
        for part in parts:
            (fast if compiled and compiles(part, flow.x) else slow).append(part)
        self._fast = CompiledParts(fast, memory, mode, flow)
        self._slow = WrittenParts(slow, memory, mode, flow)

    def forward(self) -> None:
        """Write the outputs, and move the statistics as the mode says."""
        self._fast.forward()
        self._slow.forward()

    def backward(self) -> None:
        """Write the gradients of inputs and parameters after a forward pass in `Mode.TRAIN`."""
        self._fast.backward()
        self._slow.backward()

    def diverged(self) -> set[int]:
        """Return the lanes a SLAF of which met a value that is not finite, and forget them."""
        found = set()
        for passes in (self._fast, self._slow):
            if passes.parts:
                for part, status in zip(passes.parts, passes.status.tolist(), strict=True):
                    if status and part.learned:
                        found.add(part.lane)
                passes.status.zero_()
        return found
