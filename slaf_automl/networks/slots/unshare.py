"""Gives every name of a stateless module an object of its own."""

from __future__ import annotations

import copy

from torch import nn

from slaf_automl.networks.slots.kinds import is_stateless

_BASE = frozenset(vars(nn.Module()))


def unshare(model: nn.Module) -> None:
    """Copy modules without parameters, buffers or children that occur under several names.

    `act = nn.ReLU()` used under two names is one object; as such it could hold one activation
    only, and nobody could tell under which name it was called. Copies of what has no state compute
    the same. What keeps lists, mappings or objects of its own stays one. Changes `model` in place.

    Example:
        >>> act = nn.ReLU()
        >>> model = nn.Sequential(nn.Linear(2, 2), act, nn.Linear(2, 2), act)
        >>> unshare(model)
        >>> model[1] is model[3]
        False
    """
    seen: set[nn.Module] = set()
    for parent in list(model.modules()):
        for name, child in parent._modules.items():
            if child is None or not (is_stateless(child) and _plain(child)):
                continue
            if child in seen:
                parent._modules[name] = child = copy.deepcopy(child)
            seen.add(child)


def _plain(module: nn.Module) -> bool:
    """Say whether a module's own attributes are numbers, words, functions or None."""
    own = (value for name, value in vars(module).items() if name not in _BASE)
    return all(
        value is None or isinstance(value, (int, float, str)) or callable(value) for value in own
    )
