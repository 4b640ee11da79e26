"""The compiled passes of one form with their constant arguments."""

from __future__ import annotations

import ctypes
import functools
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from slaf_automl.activations.passes.compiler import Kernel
from slaf_automl.activations.passes.form import Form, Source, row_terms

_MANY = 65_536
"""From so many values on, threads earn what they cost."""

_Layout = ctypes.c_int64 * 6


@dataclass(frozen=True)
class Plan:
    """Compiled passes and their constant arguments, for one form and one pair of sources."""

    kernel: Kernel
    form: Form
    sources: tuple[Source, Source]
    setting: Any
    address: int
    width: int
    layouts: dict[tuple[Any, ...], tuple[int, int, Any]] = field(default_factory=dict)

    @staticmethod
    def of(
        kernel: Kernel, form: Form, sources: tuple[Source, Source], momentum: float, settle: int
    ) -> Plan:
        """Return the plan; FOLLOW ends after `settle` values, 0 for never."""
        return Plan._with(_setting(form), kernel, form, sources, momentum, settle)

    @staticmethod
    def rectified(
        kernel: Kernel, form: Form, sources: tuple[Source, Source], momentum: float, settle: int
    ) -> Plan:
        """Return the plan of max(x̂, 0), for a form of degree 1: v is clipped from below."""
        setting = _structure(1)()
        setting.matrix[:] = setting.monomials[:] = [0.0, 1.0]
        setting.series[:] = row_terms(1).ravel().tolist()
        # At 0 the slope of ReLU is 0, while a clipped SLAF has one at the ends of its range.
        setting.low, setting.high, setting.edge = 0.0, math.inf, 0.0
        setting.unit, setting.epsilon = 1.0, form.epsilon
        return Plan._with(setting, kernel, form, sources, momentum, settle)

    @staticmethod
    def _with(
        setting: Any,
        kernel: Kernel,
        form: Form,
        sources: tuple[Source, Source],
        momentum: float,
        settle: int,
    ) -> Plan:
        setting.momentum, setting.settle = momentum, settle
        setting.input, setting.element = sources
        address, width = ctypes.addressof(setting), 6 + 3 * form.degree
        return Plan(kernel, form, sources, setting, address, width)

    def layout(self, x: Tensor, channel_dim: int, rows: int, channels: int) -> tuple[int, int]:
        """Return the address of the C layout of some channels of `x`; one is kept per shape.

        Args:
            x: a dense tensor.
            channel_dim: where the channels are.
            rows: of coefficients.
            channels: how many of them the passes run over.

        Returns:
            The address, and the numbers from one channel of `x` to the next.
        """
        key = (x.shape, x.stride(), channel_dim, rows, channels, torch.get_num_threads())
        found = self.layouts.get(key)
        if found is None:
            shape = x.shape
            outer, inner = math.prod(shape[:channel_dim]), math.prod(shape[channel_dim + 1 :])
            if not x.is_contiguous():  # channels last: the channels are innermost
                outer, inner = outer * inner, 1
            threads = key[-1] if outer * channels * inner >= _MANY else 1
            layout = _Layout(outer, channels, inner, rows, threads, shape[channel_dim] * inner)
            found = (ctypes.addressof(layout), inner, layout)
            if len(self.layouts) >= 64:  # Ragged batches must not pile up.
                self.layouts.clear()
            self.layouts[key] = found
        return found[0], found[1]


@functools.cache
def _structure(degree: int) -> type[Any]:
    real = ctypes.c_double

    class Setting(ctypes.Structure):
        _fields_ = [
            ("matrix", real * (degree * (degree + 1))),
            ("monomials", real * (degree * (degree + 1))),
            ("series", real * (degree + 1) ** 2),
            *((name, real) for name in ("low", "high", "edge", "unit", "epsilon", "momentum")),
            *((name, ctypes.c_int64) for name in ("settle", "input", "element")),
        ]

    return Setting


def _setting(form: Form) -> Any:
    setting = _structure(form.degree)()
    setting.matrix[:] = form.rows()[1:].ravel().tolist()
    setting.monomials[:] = form.monomials()[1:].ravel().tolist()
    setting.series[:] = row_terms(form.degree).ravel().tolist()
    setting.low, setting.high, setting.edge = -form.limit, form.limit, math.nan
    setting.unit, setting.epsilon = 1.0 / form.reach, form.epsilon
    return setting
