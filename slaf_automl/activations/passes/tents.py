"""The compiled passes of a line and tents (tents.cpp), under the interface of the others."""

from __future__ import annotations

import ctypes
import dataclasses

import torch

from slaf_automl.activations.bases.local import TENT
from slaf_automl.activations.passes.compiler import kernel, tent_passes
from slaf_automl.activations.passes.form import Form, Source
from slaf_automl.activations.passes.plan import Plan

_KEPT = 5
"""Numbers that a forward pass keeps of a channel, beside one for each element."""


class _Setting(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_double) for name in ("unit", "epsilon", "momentum")),
        *((name, ctypes.c_int64) for name in ("degree", "settle", "input")),
    ]


def serves_tents(form: Form, sources: tuple[Source, Source], dtype: torch.dtype) -> bool:
    """Say whether the passes serve a form: no statistics of the batch may enter the gradient."""
    plain = form.basis == TENT and form.clip is not None and sources[1] is Source.NONE
    if not plain or sources[0] is Source.BATCH or kernel(1, dtype) is None:
        return False
    return tent_passes(dtype) is not None


def tent_plan(
    form: Form, sources: tuple[Source, Source], momentum: float, settle: int, dtype: torch.dtype
) -> Plan:
    """Return the plan of a form that `serves_tents` says yes to."""
    runner, passes = kernel(1, dtype), tent_passes(dtype)
    assert runner is not None
    assert passes is not None
    setting = _Setting(
        1.0 / form.reach, form.epsilon, momentum, form.degree, settle, int(sources[0])
    )
    bound = dataclasses.replace(runner, forward=passes[0], backward=passes[1])
    address, width = ctypes.addressof(setting), _KEPT + form.degree
    return Plan(bound, form, sources, setting, address, width)
