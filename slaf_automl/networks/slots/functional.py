"""Rewrites the code of one module so that bare calls of activations become modules."""

from __future__ import annotations

from typing import Any

from torch import fx, nn

from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.kinds import FUNCTIONS
from slaf_automl.networks.slots.surface import trace_surface

_METHODS = {"relu": "relu", "relu_": "relu", "tanh": "tanh", "tanh_": "tanh", "prelu": "prelu"}


def rewrite_calls(
    module: nn.Module, path: str, activations: dict[tuple[str, int], nn.Module]
) -> None:
    """Replace bare calls in the code of a module, in place.

    The module gets a subclass of its own class with a new `forward`; it keeps its hooks, its
    attributes and its place.

    Args:
        module: whose code calls.
        path: its path, for messages.
        activations: (name of the function, number of the call) ↦ what takes its place.

    Raises:
        SlafError: the code cannot be traced (see `trace_surface`), or makes other calls than were
            found.
    """
    where = f"the code of {path or 'the model'} ({type(module).__name__})"
    graph = trace_surface(module, where)
    found: list[tuple[fx.Node, str, nn.Module]] = []
    counts: dict[str, int] = {}
    left = dict(activations)
    for node in graph.nodes:
        name = _activation(node)
        if name is None:
            continue
        number = counts.get(name, 0)
        counts[name] = number + 1
        if (activation := left.pop((name, number), None)) is not None:
            found.append((node, attribute_of(name, number), activation))
    if left:
        name, number = next(iter(left))
        raise SlafError(f"{where} has no call {number} of {name}", remedy="find the slots again")
    for node, attribute, activation in found:
        if hasattr(module, attribute):
            raise SlafError(
                f"{where} has an attribute {attribute!r} already",
                remedy="fill all slots of its code at once, from the network as it was",
            )
        module.add_module(attribute, activation)
        with graph.inserting_after(node):
            given = node.args[0] if node.args else node.kwargs["input"]
            call = graph.call_module(attribute, (given,))
        node.replace_all_uses_with(call)
        graph.erase_node(node)
    graph.lint()
    _recode(module, graph)


def attribute_of(name: str, number: int) -> str:
    """Return the attribute that holds what replaced a call.

    Example:
        >>> attribute_of("relu", 1)
        'slaf_relu_1'
    """
    return f"slaf_{name}_{number}"


def _recode(module: nn.Module, graph: fx.Graph) -> None:
    """Give a module the code of a graph."""
    if isinstance(module, fx.GraphModule):
        module.graph = graph
        return
    code = graph.python_code("self")
    space: dict[str, Any] = dict(code.globals)
    exec(code.src, space)
    kind = type(module)
    names = ("__doc__", "__module__", "__qualname__")
    own = {name: getattr(kind, name) for name in names}
    module.__class__ = type(kind.__name__, (kind,), {"forward": space["forward"], **own})


def _activation(node: fx.Node) -> str | None:
    if node.op == "call_function":
        return FUNCTIONS.get(node.target) if callable(node.target) else None
    if node.op == "call_method":
        return _METHODS.get(str(node.target))
    return None
