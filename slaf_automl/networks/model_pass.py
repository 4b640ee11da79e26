"""One pass of anyone's network, to be watched: nothing fused, nothing of the caller's moved."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.random import fork_rng

from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.trace import Example, arguments


def plain_pass(model: nn.Module, example_input: Example, *modes: Any) -> Any:
    """Run a network without torch's fused attention, which would hide modules and products.

    The caller's random state is left as it is.

    Args:
        model: run once, which may change it and the example.
        example_input: as for `find_slots`.
        modes: context managers around the pass, the first one outermost.

    Raises:
        SlafError: the network refuses the input.
    """
    args, kwargs = arguments(example_input)
    cuda = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    try:
        with ExitStack() as stack:
            for mode in (fork_rng(sorted(cuda)), torch.no_grad(), _unfused(), *modes):
                stack.enter_context(mode)
            return model(*args, **kwargs)
    except SlafError:
        raise
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise SlafError(f"{type(model).__name__} refuses the example input: {words}") from error


def own_copy(example_input: Example) -> Example:
    """Return a copy of an example whose tensors belong to no graph."""
    return copy.deepcopy(
        example_input, {id(t): t.detach().clone() for t in tensors_in(example_input)}
    )


@contextmanager
def _unfused() -> Iterator[None]:
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors of nested sequences, mappings and dataclasses."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = list(vars(value).values())
    return (
        [t for item in value for t in tensors_in(item)] if isinstance(value, (tuple, list)) else []
    )
