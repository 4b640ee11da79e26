"""What a SLAF is once deployed: one row of coefficients, and maps that its neighbours take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from slaf_automl.activations.channels import by_channel
from slaf_automl.activations.expansion import Expansion
from slaf_automl.activations.folding import Affine, Folded
from slaf_automl.activations.passes import Form
from slaf_automl.activations.polynomial import Polynomial
from slaf_automl.activations.sharing import deployed_rows
from slaf_automl.activations.statistics import EPSILON

if TYPE_CHECKING:
    from slaf_automl.activations.slaf import SLAF


def fold_slaf(slaf: SLAF) -> Folded:
    """Take the evaluation-mode function of a SLAF apart for deployment, in float64.

    Raises:
        ActivationError: its statistics were never set.
    """
    inner = _input_map(slaf)
    weight, constant = _rows(slaf)
    learned = slaf.learned
    rows = deployed_rows(slaf.sharing, slaf.normaliser, learned)
    function = deployed_slaf(slaf.form, rows, learned, channel_dim=slaf.channel_dim)
    first = [-(-row * learned // rows) for row in range(rows)]  # first channel of each row
    function.coefficients.data = weight[first].to(slaf.coefficients.dtype)
    function.to(slaf.coefficients.device)
    after = Affine(torch.ones_like(constant), constant)
    if slaf.rectifier is not None:
        rest = slaf.rectifier.fold()
        inner = _concatenate(inner, rest.input)
        after = _concatenate(after, rest.output)
    return Folded(inner, function, after)


def deployed_slaf(
    form: Form, rows: int, learned: int, *, channel_dim: int = 1
) -> Polynomial | Expansion:
    """Return the deployed module of a SLAF with unset coefficients."""
    clipped = form.clip is not None
    if form.basis.polynomial:
        return Polynomial(rows, form.degree, learned, clipped=clipped, channel_dim=channel_dim)
    return Expansion(
        form.basis, rows, form.degree, learned, clipped=clipped, channel_dim=channel_dim
    )


def _input_map(slaf: SLAF) -> Affine:
    """Return what standardises the input and brings it to [−1, 1]."""
    inner = Affine.identity(slaf.learned)
    if slaf.reach is not None:
        slaf.reach.require_set(slaf.slot)
        scale = 1 / torch.sqrt(slaf.reach.variance.double().cpu() + EPSILON)
        inner = Affine(scale, -scale * slaf.reach.mean.double().cpu())
    if slaf.before is not None:
        slaf.before.moments.require_set(slaf.slot)
        inner = Affine(*(t.cpu() for t in slaf.before.affine()))
    reach = slaf.form.reach
    return Affine(inner.scale / reach, inner.shift / reach)


def _rows(slaf: SLAF) -> tuple[Tensor, Tensor]:
    """Return the deployed coefficients, `(learned, degree)`, and the constants."""
    weight = by_channel(slaf.coefficients.detach().double().cpu(), slaf.learned)
    constant = by_channel(slaf.bias.detach().double().cpu(), slaf.learned)
    if slaf.moments is not None:
        slaf.moments.require_set(slaf.slot)
        weight = weight / torch.sqrt(slaf.moments.variance.double().cpu() + EPSILON)
        constant = constant - (weight * slaf.moments.mean.double().cpu()).sum(1)
    if not slaf.basis.polynomial:
        return weight, constant
    full = torch.cat([constant[:, None], weight], 1) @ torch.from_numpy(slaf.form.rows())
    return full[:, 1:], full[:, 0]


def _concatenate(first: Affine, second: Affine) -> Affine:
    second = Affine(second.scale.cpu(), second.shift.cpu())
    return Affine(torch.cat([first.scale, second.scale]), torch.cat([first.shift, second.shift]))
