"""One activation for each call of a module that is called several times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn


class CallSequence(nn.Module):
    """Holds one activation for each of the calls that its caller makes in a pass.

    The k-th call is answered by the k-th activation; each pass of the caller begins with the first
    again, also after a pass that an exception ended.

    Args:
        activations: one a call, in order.

    Example:
        >>> import torch
        >>> act = CallSequence([nn.ReLU(), nn.Tanh()])
        >>> [act(torch.tensor(-20.0)).item() for _ in range(3)]
        [0.0, -1.0, 0.0]
    """

    def __init__(self, activations: Iterable[nn.Module]) -> None:
        super().__init__()
        self.activations = nn.ModuleList(activations)
        self.place = 0

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation whose turn it is."""
        place = self.place
        self.place = (place + 1) % len(self.activations)
        found: Tensor = self.activations[place](x)
        return found


class Restart:
    """A forward pre-hook of the caller: its `CallSequence`s begin with the first activation.

    Args:
        path: of the sequence, seen from the caller.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, module: nn.Module, inputs: Any) -> None:
        """Begin anew."""
        try:
            sequence = module.get_submodule(self.path)
        except AttributeError:  # Someone has taken that part out.
            return
        if isinstance(sequence, CallSequence):
            sequence.place = 0


def caller_of(model: nn.Module, path: str) -> tuple[str, str]:
    """Return the path of the module whose code calls an activation, and the path from there.

    Containers (`ModuleList`, `ModuleDict`) have no code: the module around them calls.

    Example:
        >>> model = nn.Sequential(nn.ModuleDict({"act": nn.ReLU()}))
        >>> caller_of(model, "0.act")
        ('', '0.act')
    """
    parts = path.split(".")
    at = len(parts) - 1
    while at > 0 and isinstance(
        model.get_submodule(".".join(parts[:at])), (nn.ModuleList, nn.ModuleDict)
    ):
        at -= 1
    return ".".join(parts[:at]), ".".join(parts[at:])
