"""Which modules and functions are activations that a slot may hold.

Sigmoid, hard sigmoid and softmax are not among them: in networks they are gates and outputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slaf_automl.activations.fixed import FixedActivation
from slaf_automl.activations.projection import TARGETS
from slaf_automl.activations.slaf import SLAF
from slaf_automl.activations.standalone import Standalone

MODULES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu6",
    nn.LeakyReLU: "leaky_relu",
    nn.RReLU: "rrelu",
    nn.PReLU: "prelu",
    nn.ELU: "elu",
    nn.CELU: "celu",
    nn.SELU: "selu",
    nn.GELU: "gelu",
    nn.SiLU: "silu",
    nn.Mish: "mish",
    nn.Tanh: "tanh",
    nn.Hardtanh: "hardtanh",
    nn.Hardswish: "hardswish",
    nn.Softplus: "softplus",
    nn.Softsign: "softsign",
    nn.Tanhshrink: "tanhshrink",
}
"""Activation modules by class; a subclass counts as its base."""

GATES = (nn.Sigmoid, nn.Hardsigmoid, nn.LogSigmoid)
"""Modules that an activation of one's own may use; by themselves they are no slots."""

OURS = (SLAF, FixedActivation, Standalone)
"""Modules that fill slots; they are no slots again."""

FUNCTIONS: dict[Callable[..., Any], str] = {
    F.relu: "relu",
    F.relu_: "relu",
    torch.relu: "relu",
    torch.relu_: "relu",
    Tensor.relu: "relu",
    Tensor.relu_: "relu",
    F.relu6: "relu6",
    F.leaky_relu: "leaky_relu",
    F.leaky_relu_: "leaky_relu",
    F.rrelu: "rrelu",
    F.rrelu_: "rrelu",
    torch.rrelu: "rrelu",
    torch.rrelu_: "rrelu",
    F.prelu: "prelu",
    Tensor.prelu: "prelu",
    F.elu: "elu",
    F.elu_: "elu",
    F.celu: "celu",
    F.celu_: "celu",
    torch.celu: "celu",
    torch.celu_: "celu",
    F.selu: "selu",
    F.selu_: "selu",
    torch.selu: "selu",
    torch.selu_: "selu",
    F.gelu: "gelu",
    F.silu: "silu",
    F.mish: "mish",
    F.tanh: "tanh",
    torch.tanh: "tanh",
    torch.tanh_: "tanh",
    Tensor.tanh: "tanh",
    Tensor.tanh_: "tanh",
    F.hardtanh: "hardtanh",
    F.hardtanh_: "hardtanh",
    F.hardswish: "hardswish",
    F.softplus: "softplus",
    F.softsign: "softsign",
    F.tanhshrink: "tanhshrink",
}
"""Activation functions as a network's code may call them."""


def activation_of(module: nn.Module) -> str | None:
    """Return the activation that a module of torch's own is, or None.

    Example:
        >>> activation_of(nn.ReLU()), activation_of(nn.Linear(1, 1))
        ('relu', None)
    """
    return next((name for kind, name in MODULES.items() if isinstance(module, kind)), None)


def may_be(module: nn.Module, activation: str) -> bool:
    """Say whether a module may be the activation of this name, by itself unseen at work.

    Example:
        >>> may_be(nn.ReLU(), "relu"), may_be(nn.ReLU(), "gelu"), may_be(nn.Dropout(), "relu")
        (True, False, False)
    """
    known = activation_of(module)
    if known is not None:
        return known == activation
    state = any(True for _ in (*module.parameters(), *module.buffers()))
    if state or isinstance(module, OURS) or type(module).__module__.startswith("torch.nn."):
        return False
    return activation in (type(module).__name__.lower(), *TARGETS)


def function_of(value: object) -> str | None:
    """Return the activation that a function is, also with some arguments set, or None.

    Example:
        >>> function_of(torch.relu), function_of(functools.partial(F.gelu, approximate="tanh"))
        ('relu', 'gelu')
    """
    if isinstance(value, functools.partial):
        value = value.func
    try:
        return FUNCTIONS.get(value)  # type: ignore[call-overload, no-any-return]
    except TypeError:  # not hashable
        return None


def is_stateless(module: nn.Module) -> bool:
    """Say whether a module has no parameters, no buffers and no children."""
    parts = (module.parameters(), module.buffers(), module.children())
    return not any(True for part in parts for _ in part)
