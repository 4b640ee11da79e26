"""Activations that work in place, and whether a network reads what they wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.weak import WeakIdKeyDictionary


class InPlace(nn.Module):
    """Also writes what an activation returns into its input, as `nn.ReLU(inplace=True)` does.

    For the few places where a network reads that tensor again, such as the shortcut of a
    pre-activation block.

    Args:
        activation: what is applied; it need not work in place.

    Example:
        >>> import torch
        >>> x = torch.tensor([-1.0, 2.0])
        >>> InPlace(nn.ReLU())(x) is x, x
        (False, tensor([0., 2.]))
    """

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation."""
        y: Tensor = self.activation(x.clone())
        x.copy_(y)
        return y


@dataclass(eq=False)
class Overwriting:
    """One call of an activation in place; `read`: someone used the input, and not the result."""

    read: bool = False


class Overwritings:
    """Watches for the use of tensors that an activation has overwritten.

    Result and input are the same object after `x.relu_()`. So that uses of the one and of the other
    can be told apart, the watched network gets another view of the same numbers as the result.
    """

    def __init__(self) -> None:
        # Storage ↦ who wrote there last, and the tensors that come from the result.
        self._open: dict[StorageWeakRef, tuple[Overwriting, WeakIdKeyDictionary]] = {}

    def written(self, tensor: Tensor) -> tuple[Tensor, Overwriting]:
        """Note that an activation has overwritten a tensor; return the view to go on with."""
        view, found, derived = tensor.view_as(tensor), Overwriting(), WeakIdKeyDictionary()
        derived[view] = True
        self._open[_storage(tensor)] = (found, derived)
        return view, found

    def use(self, given: Iterable[Tensor], made: Iterable[Tensor] = ()) -> None:
        """Note that tensors are used, and which tensors were made of them."""
        if not self._open:
            return
        from_results: dict[StorageWeakRef, WeakIdKeyDictionary] = {}
        for tensor in given:
            storage = _storage(tensor)
            if storage in self._open:
                overwriting, derived = self._open[storage]
                if tensor in derived:
                    from_results[storage] = derived
                else:
                    overwriting.read = True
        if from_results:
            for tensor in made:
                if (storage := _storage(tensor)) in from_results:
                    from_results[storage][tensor] = True


def _storage(tensor: Tensor) -> Any:
    try:
        return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
    except (NotImplementedError, RuntimeError):
        return None  # Sparse tensors have none; nor views, so `written` never notes one.
