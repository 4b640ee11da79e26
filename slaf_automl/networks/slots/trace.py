"""One pass of a network, watched: which activations are called, by whom, on what."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer
from torch.overrides import TorchFunctionMode

from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.channel_dims import ChannelDims, tensors_in
from slaf_automl.networks.slots.in_place import Overwriting, Overwritings
from slaf_automl.networks.slots.kinds import FUNCTIONS, GATES, OURS, activation_of, function_of
from slaf_automl.networks.slots.own import name_of_own
from slaf_automl.networks.slots.unshare import unshare

Example = Tensor | tuple[Any, ...] | Mapping[str, Any]
"""An example input: one tensor, positional arguments, or keyword arguments."""


@dataclass(frozen=True)
class Call:
    """One evaluation of an activation.

    Args:
        path: of the activation module, or of the attribute that holds the function; for a bare call
            the path of the module that makes it.
        form: as in `Slot`.
        activation: its name.
        caller: path of the module that calls it.
        invocation: which pass of the caller this belongs to.
        shape: of the input.
        channel_dim: index of the channels from the front; None if unknown.
        overwriting: of the input, where the activation worked in place.
    """

    path: str
    form: str
    activation: str
    caller: str
    invocation: int
    shape: tuple[int, ...]
    channel_dim: int | None
    overwriting: Overwriting | None


@dataclass
class _Frame:
    """A module that is running."""

    module: nn.Module
    path: str
    invocation: int
    first_call: int
    active: bool = False  # an activation was called
    overwriting: Overwriting | None = None  # the last in place


class _Watch(TorchFunctionMode):
    """Follows every module and every torch function of one pass."""

    def __init__(self, paths: dict[nn.Module, str]) -> None:
        super().__init__()
        self.paths = paths
        self.calls: list[Call] = []
        self.frames: list[_Frame] = []
        self.invocations = dict.fromkeys(paths.values(), 0)
        self.dims = ChannelDims()
        self.overwritings = Overwritings()
        self.alike: dict[nn.Module, str] = {}  # that compute what an activation may compute
        self.held = 0  # functions of attributes that are running
        self.asleep = False

    def enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if self.asleep:
            return
        path = self.paths[module]
        self.frames.append(_Frame(module, path, self.invocations[path], len(self.calls)))
        self.invocations[path] += 1

    def leave(self, module: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
        if self.asleep:
            return
        frame = self.frames.pop()
        self.overwritings.use(tensors_in(result))
        if isinstance(module, OURS):
            del self.calls[frame.first_call :]
            return
        inputs = (*args, *kwargs.values())
        if result is None or not self.frames or not inputs or not isinstance(inputs[0], Tensor):
            return  # None also after an exception
        given, above = inputs[0], self.frames[-1]
        name = activation_of(module)
        if name is None and len(inputs) == 1:
            name = self._own_name(frame, given, result)
        if name is None:
            return
        self.alike[module] = name
        above.active = True
        del self.calls[frame.first_call :]
        if "sigmoid" not in name:  # a gate
            self._record(frame.path, "module", name, above, given, frame.overwriting)

    def _own_name(self, frame: _Frame, given: Tensor, result: Any) -> str | None:
        """Return the name of an activation that is not torch's, such as a hard swish, or None.

        Such a module has no state, calls activation functions or modules and nothing else, and
        works on each number alone.
        """
        module = frame.module
        if module in self.alike:
            return self.alike[module]
        if not frame.active or type(module).__module__.startswith("torch.nn."):
            return None
        if any(True for _ in (*module.parameters(), *module.buffers())):
            return None
        if not all(child in self.alike or isinstance(child, GATES) for child in module.children()):
            return None
        if not isinstance(result, Tensor) or given.shape != result.shape:
            return None
        self.asleep = True
        try:
            return name_of_own(module, given)
        finally:
            self.asleep = False

    def hold(self, path: str, name: str, function: Any, args: Any, kwargs: Any) -> Any:
        """Call a function that an attribute holds."""
        self.held += 1
        try:
            result = function(*args, **kwargs)
        finally:
            self.held -= 1
        given = args[0] if args else kwargs.get("input")
        if self.frames and not self.asleep and isinstance(given, Tensor):
            frame = self.frames[-1]
            frame.active = True
            self._record(path, "attribute", name, frame, given, frame.overwriting)
        return result

    def _record(
        self,
        path: str,
        form: str,
        name: str,
        caller: _Frame,
        given: Tensor,
        overwriting: Overwriting | None,
    ) -> None:
        if given.ndim == 0 or isinstance(given, nn.Parameter):
            return  # a number or a weight kept positive, not features
        place = (path, form, name, caller.path, caller.invocation)
        self.calls.append(Call(*place, tuple(given.shape), self.dims.of(given), overwriting))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.asleep or not self.frames:
            return func(*args, **kwargs)
        given, frame = args[0] if args else kwargs.get("input"), self.frames[-1]
        result, name = func(*args, **kwargs), FUNCTIONS.get(func)
        made = tensors_in(result)
        if made or func is Tensor.__setitem__:
            self.overwritings.use(tensors_in((args, kwargs)), made)
        if name is not None and isinstance(given, Tensor):
            frame.overwriting = None
            if result is given:
                result, frame.overwriting = self.overwritings.written(given)
            if activation_of(frame.module) is None and not self.held:
                frame.active = True
                self._record(frame.path, "call", name, frame, given, frame.overwriting)
        self.dims.follow(func, args, kwargs, result)
        return result


@dataclass(frozen=True)
class _Held:
    """Stands for an activation function that an attribute of a module holds."""

    watcher: _Watch = field(repr=False)
    path: str
    name: str
    function: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.watcher.hold(self.path, self.name, self.function, args, kwargs)


def watch(model: nn.Module, example_input: Example, *, training: bool = False) -> list[Call]:
    """Run a copy of a network once and return the calls of activations in order of use.

    The global random state stays as it was.

    Args:
        model: left as it is.
        example_input: what it takes.
        training: run in training mode, for slots that evaluation leaves out.

    Raises:
        SlafError: the network cannot be copied or traced, or refuses the input.
    """
    twin = copied(model)
    unshare(twin)
    twin.train(training)
    watcher = _Watch({module: path for path, module in twin.named_modules()})
    for path, module in twin.named_modules():
        module.register_forward_pre_hook(watcher.enter, prepend=True, with_kwargs=True)
        module.register_forward_hook(watcher.leave, with_kwargs=True, always_call=True)
        for name, value in vars(module).items():
            if (function := function_of(value)) is not None:
                whole = f"{path}.{name}".lstrip(".")
                vars(module)[name] = _Held(watcher, whole, function, value)
    args, kwargs = arguments(example_input)
    cuda = {p.device for p in twin.parameters() if p.device.type == "cuda"}
    try:
        # A function mode also keeps torch's transformers off paths without activation modules.
        with torch.random.fork_rng(list(cuda)), torch.no_grad(), watcher:
            twin(*_fresh(args), **_fresh(kwargs))
    except Exception as error:
        raise SlafError(
            f"{type(model).__name__} refuses the example input: {_line(error)}",
            remedy="give what its forward takes: a tensor, a tuple of arguments, or a dict of "
            "keyword arguments",
        ) from error
    return watcher.calls


def arguments(example_input: Example) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return an example input as positional and keyword arguments."""
    if isinstance(example_input, Mapping):
        return (), dict(example_input)
    return (example_input if isinstance(example_input, tuple) else (example_input,)), {}


def copied(model: nn.Module) -> nn.Module:
    """Return a copy of a network whose code can be followed and changed.

    Raises:
        SlafError: it is no plain module, or cannot be copied.
    """
    require_plain(model)
    make: Any = UninitializedBuffer
    lazy: dict[int, Any] = {  # torch copies lazy parameters, but no lazy buffers
        id(b): make(device=b.device, dtype=b.dtype, persistent=b.persistent)
        for b in model.buffers()
        if isinstance(b, UninitializedBuffer)
    }
    try:
        return copy.deepcopy(model, lazy)
    except Exception as error:
        raise SlafError(
            f"{type(model).__name__} cannot be copied: {_line(error)}",
            remedy="detach it from its trainer and from tensors of a graph first",
        ) from error


def require_plain(model: object) -> None:
    """Raise a `SlafError` unless it is a module whose code can be followed and changed."""
    if not isinstance(model, nn.Module):
        raise SlafError(f"a model of type {type(model).__name__}", expected="a torch.nn.Module")
    for path, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise SlafError(
                f"{path or 'the model'} is a ScriptModule, whose code is fixed",
                remedy="give the model from before torch.jit",
            )
        if hasattr(module, "_orig_mod"):
            raise SlafError(
                f"{path or 'the model'} is compiled",
                remedy="give the model from before torch.compile, and compile the result",
            )


def _fresh(value: Any) -> Any:
    """Return a copy of inputs whose tensors belong to no graph."""
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if type(value) in (tuple, list):
        return type(value)(_fresh(item) for item in value)
    if type(value) is dict:
        return {key: _fresh(item) for key, item in value.items()}
    return copy.deepcopy(value)


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
