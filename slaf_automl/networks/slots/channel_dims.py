"""Where the channels of a tensor are, followed through a network from what made them.

A convolution, a pooling or a batch normalisation puts channels at dimension 1; a linear layer, a
layer normalisation, a recurrent layer or an embedding puts them last. What only moves or keeps
numbers is followed. Sizes alone are never a reason: what cannot be followed stays unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

# All by name: torch.permute, Tensor.permute and F.relu, F.relu_ are the same step.
_CONVOLUTIONS = {
    f"conv{middle}{dims}d": dims for dims in (1, 2, 3) for middle in ("", "_transpose")
}  # number of spatial dimensions: with a batch the channels are at 1, without at 0
_SECOND = {"batch_norm", "instance_norm", "group_norm"}
_LAST = {
    "linear", "bilinear", "embedding", "embedding_bag", "multi_head_attention_forward",
    "lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell",
    "rnn_relu_cell", "pad_packed_sequence",
}  # fmt: skip
_NORMS = {"layer_norm", "rms_norm"}
_PRODUCTS = {"matmul": 0, "mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}
_SAME_RANK = {
    "chunk", "split", "tensor_split", "cat", "concat", "concatenate", "narrow", "repeat", "tile",
    "repeat_interleave", "index_select", "topk", "interpolate", "upsample", "pad", "grid_sample",
}  # fmt: skip
_EXPAND = {"expand", "expand_as", "broadcast_to"}
_RESHAPE = {
    "reshape", "reshape_as", "view", "view_as", "flatten", "unflatten", "ravel", "squeeze",
    "unsqueeze",
}  # fmt: skip
_TRANSPOSE = {"transpose", "swapaxes", "swapdims"}
_MATRIX = {"t", "T", "H", "mT", "mH", "adjoint"}
_REDUCE = {
    "mean", "nanmean", "sum", "nansum", "prod", "amax", "amin", "max", "min", "median", "var",
    "std", "var_mean", "std_mean", "logsumexp",
}  # fmt: skip
_LOSE = {"movedim", "moveaxis", "einsum", "tensordot", "rot90", "as_strided", "set", "unfold"}


class ChannelDims:
    """Remembers where the channels of every tensor of a pass are, as an index from the front."""

    def __init__(self) -> None:
        self._found: Any = WeakIdKeyDictionary()

    def of(self, tensor: Tensor) -> int | None:
        """Return where the channels are, or None.

        A matrix without a history is taken as `(N, C)`, the only meaning it has to torch's layers.
        """
        found = self._known(tensor)
        return 1 if found is None and tensor.ndim == 2 else found

    def follow(
        self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Note where the channels of `result = function(*args, **kwargs)` are."""
        name = _name(function)
        for tensor in tensors_in(result):
            dim = self._dim(name, args, kwargs, tensor)
            if dim is None:
                self._found.pop(tensor, None)
            else:
                self._found[tensor] = dim

    def _known(self, tensor: Any) -> int | None:
        found: int | None = self._found.get(tensor) if isinstance(tensor, Tensor) else None
        return found

    def _dim(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor
    ) -> int | None:
        if name in _CONVOLUTIONS:
            return 1 if result.ndim == _CONVOLUTIONS[name] + 2 else 0
        if name in _SECOND:
            return 1
        if name in _LAST or (name in _NORMS and len(_shape_of_norm(args, kwargs)) == 1):
            return result.ndim - 1
        if name in _LOSE:
            return None
        if name in ("pixel_shuffle", "pixel_unshuffle"):
            return result.ndim - 3
        tensors = tensors_in((args, kwargs))
        if name in _PRODUCTS:
            return self._product(tensors[_PRODUCTS[name] :], result)
        source = tensors[0] if tensors else None
        dim = self._known(source)
        if source is not None and dim is not None:
            rest = (*args[1:], *(v for v in kwargs.values() if not isinstance(v, Tensor)))
            moved = _moved(name, source, dim, result, rest, kwargs)
            if moved != _UNMOVED:
                return moved
        known = [(t, d) for t in tensors if (d := self._known(t)) is not None]
        same = {d for t, d in known if t.ndim == result.ndim}
        if name == "stack":
            beside = {d for t, d in known if t.ndim == result.ndim - 1}
            at = int(kwargs.get("dim", args[1] if len(args) > 1 else 0)) % result.ndim
            return next(d + (at <= d) for d in beside) if len(beside) == 1 else None
        if "pool" in name or name in _SAME_RANK:
            return same.pop() if len(same) == 1 else None
        # Anything else that keeps the shape is taken to work on each number where it is.
        equal = {d for t, d in known if t.shape == result.shape}
        return equal.pop() if len(equal) == 1 else None

    def _product(self, factors: list[Tensor], result: Tensor) -> int | None:
        """Follow a matrix product: new channels take the place of those summed over."""
        if len(factors) < 2 or min(factors[0].ndim, factors[1].ndim) < 2:
            return None
        one, other = (
            None if (d := self._known(t)) is None else d - t.ndim for t in factors[:2]
        )  # from the end: −1 is last
        if one is None and other is None:
            return result.ndim - 1 if factors[1].ndim == 2 else None  # an input times weights
        if one is not None and other is not None and one != other:
            return None
        dim = other if one is None else one
        return None if dim is None else result.ndim + dim


_UNMOVED = -1
"""Stands for a function that does not move dimensions."""


def _moved(
    name: str, source: Tensor, dim: int, result: Tensor, rest: tuple[Any, ...], kwargs: Any
) -> int | None:
    """Follow a dimension of `source` through a function that moves dimensions."""
    if name == "permute":
        order = [int(d) % source.ndim for d in _flat(rest)]
        return order.index(dim)
    if name in _TRANSPOSE:
        one, other = (int(d) % source.ndim for d in rest[:2])
        return {one: other, other: one}.get(dim, dim)
    if name in _MATRIX:
        ndim = source.ndim
        swapped = {ndim - 1: ndim - 2, ndim - 2: ndim - 1} if ndim > 1 else {}
        return swapped.get(dim, dim) if ndim == 2 or name in ("mT", "mH", "adjoint") else None
    if name in _RESHAPE:
        return None if result is source else _reshaped(source, dim, result)
    if name in _EXPAND:
        return dim + result.ndim - source.ndim
    if name in _REDUCE and not (rest and isinstance(rest[0], Tensor)):
        return _reduced(source, dim, result, rest, kwargs)
    if name in ("select", "unbind"):
        at = int(kwargs.get("dim", rest[0] if rest else 0)) % source.ndim
        return None if at == dim else dim - (at < dim)
    if name == "getitem":
        return _indexed(source.ndim, dim, rest[0])
    return _UNMOVED


def _name(function: Any) -> str:
    name = str(getattr(function, "__name__", ""))
    if name == "__get__":  # a property, such as Tensor.T
        name = str(getattr(function.__self__, "__name__", ""))
    return name.strip("_")


def _shape_of_norm(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
    """Return the shape over which a layer normalisation runs; longer than 1 it moves nothing."""
    given = kwargs.get("normalized_shape", args[1] if len(args) > 1 else ())
    return tuple(_flat([given]))


def _reshaped(source: Tensor, dim: int, result: Tensor) -> int | None:
    """Follow a dimension through a row-major reshape; into a matrix, channels become features."""
    before = math.prod(source.shape[:dim])
    places = [
        i
        for i, size in enumerate(result.shape)
        if size == source.shape[dim] and math.prod(result.shape[:i]) == before
    ]
    if len(places) == 1:
        return places[0]
    flattened = result.ndim == 2 and dim > 0 and result.shape[0] == source.shape[0]
    return 1 if flattened and not places else None


def _reduced(
    source: Tensor, dim: int, result: Tensor, rest: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> int | None:
    if result.ndim == source.ndim:
        return dim
    given = kwargs.get("dim", kwargs.get("axis", rest[0] if rest else None))
    if given is None or isinstance(given, bool):
        return None
    gone = {int(d) % source.ndim for d in _flat([given])}
    return None if dim in gone else dim - sum(d < dim for d in gone)


def _indexed(ndim: int, dim: int, index: Any) -> int | None:
    """Follow a dimension through basic indexing."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if not all(p is None or p is Ellipsis or type(p) in (int, slice) for p in parts):
        return None
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    at = parts.index(Ellipsis)
    parts[at : at + 1] = [slice(None)] * (ndim - used)
    source = place = 0
    for part in parts:
        if part is None:
            place += 1
            continue
        if source == dim:
            return None if isinstance(part, int) else place
        source += 1
        place += not isinstance(part, int)
    return None


def _flat(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, (tuple, list)):
            found.extend(value)
        else:
            found.append(value)
    return found


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in nested tuples, lists and mappings, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, (tuple, list)):
        return []
    return [tensor for item in value for tensor in tensors_in(item)]
