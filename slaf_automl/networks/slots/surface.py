"""Traces one module's own code with torch.fx, and refuses code of which a trace tells less."""

from __future__ import annotations

import inspect
import random
from typing import Any

import torch
from torch import Tensor, fx, nn

from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.kinds import function_of

_REMEDY = "put nn modules in the place of the function calls"


def trace_surface(module: nn.Module, where: str) -> fx.Graph:
    """Return the graph of a module's `forward`; modules that it calls are single steps.

    A function that an attribute holds is a step of the kind `call_module` too. The module stays as
    it was.

    Args:
        module: whose code is traced.
        where: how messages call it.

    Raises:
        SlafError: code that cannot be traced, or in which something would be fixed that is not: by
            the training mode, by whether an optional argument is given, by whether an argument is
            a tensor, by random numbers; or that would be lost: attributes that it sets, no_grad,
            autocast.
    """
    if "forward" in vars(module):
        raise SlafError(f"{where} is patched: its forward is set on the object", remedy=_REMEDY)
    plain = _trace(module, where)
    texts = {"the training mode": _trace(module, where, training=not module.training)}
    texts["whether its arguments are tensors"] = _trace(module, where, pretend=True)
    for what, graph in texts.items():
        if str(graph) != str(plain):
            raise _refusal(where, f"depends on {what}, which rewriting would fix")
    if defaults := _defaults(module):
        graph = _trace(module, where, defaults=defaults)
        if _steps(graph) != _steps(plain):
            raise _refusal(where, "depends on its optional arguments, which rewriting would fix")
    return plain


class _Surface(fx.Tracer):
    """Traces one module's own code; every module that it calls is a leaf.

    Args:
        pretend: values pass for tensors when the code asks for their type.
    """

    proxy_buffer_attributes = True  # or what it does to buffers would happen here

    def __init__(self, *, pretend: bool = False) -> None:
        super().__init__()
        self.pretend = pretend
        self.modes = _modes()
        self.changed = False

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Pretender(node, self) if self.pretend else super().proxy(node)

    def create_arg(self, a: Any) -> Any:
        # Not by isinstance, to which a pretender is a tensor.
        return a.node if issubclass(type(a), fx.Proxy) else super().create_arg(a)

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        self.changed = self.changed or _modes() != self.modes
        return super().create_node(*args, **kwargs)


class _Pretender(fx.Proxy):
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return Tensor


def _modes() -> tuple[bool, ...]:
    autocast = (torch.is_autocast_enabled(kind) for kind in ("cpu", "cuda"))
    return (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), *autocast)


def _trace(
    module: nn.Module,
    where: str,
    *,
    training: bool | None = None,
    pretend: bool = False,
    defaults: dict[str, Any] | None = None,
) -> fx.Graph:
    tracer = _Surface(pretend=pretend)
    before = dict(vars(module))
    parts = dict(module._modules)
    for name, value in before.items():
        if function_of(value) is not None:
            setattr(module, name, _Stand())
    if training is not None:
        module.training = training
    given, states = dict(vars(module)), (torch.get_rng_state(), random.getstate())
    try:
        graph = tracer.trace(module, concrete_args=defaults)
    except Exception as error:
        raise SlafError(
            f"torch.fx cannot trace {where}: {' '.join(str(error).split())[:200]}", remedy=_REMEDY
        ) from error
    finally:
        after, drawn = dict(vars(module)), not torch.equal(torch.get_rng_state(), states[0])
        drawn = drawn or random.getstate() != states[1]
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        constants = {k: v for k, v in after.items() if k.startswith("_tensor_constant")}
        vars(module).clear()
        vars(module).update({**before, **constants})
        module._modules.clear()
        module._modules.update(parts)
    if any(value is not given.get(name) for name, value in after.items() if name not in constants):
        raise _refusal(where, "sets attributes, which rewriting would lose")
    if drawn:
        raise _refusal(where, "draws random numbers itself, which rewriting would fix")
    if tracer.changed:
        raise _refusal(where, "uses no_grad or autocast, which rewriting would lose")
    return graph


class _Stand(nn.Module):
    """Stands for a function that an attribute holds, so that its calls are told from bare ones."""


def _defaults(module: nn.Module) -> dict[str, Any]:
    parameters = inspect.signature(inspect.unwrap(type(module).forward)).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _steps(graph: fx.Graph) -> list[tuple[str, Any]]:
    """Return what a graph does, without the arguments and without checks of them."""
    checks = ("_assert", "_assert_is_none", "eq")
    return [
        (node.op, node.target)
        for node in graph.nodes
        if node.op != "placeholder" and getattr(node.target, "__name__", "") not in checks
    ]


def _refusal(where: str, why: str) -> SlafError:
    return SlafError(f"{where} {why}", remedy=_REMEDY)
