"""From a trained ReLU network to the SLAF network that goes on where it stands."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from slaf_automl.activations.channels import batch_moments
from slaf_automl.activations.slaf import SLAF
from slaf_automl.activations.statistics import EPSILON, estimate_statistics
from slaf_automl.errors import ActivationError

SAMPLES = 4096
"""Values of each channel, at most, that a projection is weighed by."""


def rectify(network: nn.Module) -> None:
    """Let every SLAF of a network be ReLU, under its own input normaliser if it has one."""
    for module in network.modules():
        if isinstance(module, SLAF):
            module.rectified = True


@torch.no_grad()
def project_rectified(network: nn.Module, batches: Iterable[Tensor]) -> dict[str, float]:
    """Turn rectified SLAFs into SLAFs that are as close to ReLU as their bases allow.

    Each row of coefficients solves min Σ (relu(x̂) − b − Σᵢ aᵢ·N(φᵢ(u)))² in float64 over what its
    channels receive from `batches`, x̂ being x under the slot's input normaliser, so that the loss
    is continuous within the projection's error. Clip ranges and element statistics are those of the
    same values.

    Args:
        network: a network whose SLAFs are rectified (`rectify`), its normalisers trained.
        batches: inputs of the network; up to `SAMPLES` values a channel are kept.

    Returns:
        The root mean square error of each slot by its module path.

    Raises:
        ActivationError: no batch, or a slot whose input is not finite.
    """
    slots = {n: m for n, m in network.named_modules() if isinstance(m, SLAF) and m.rectified}
    received = _received(network, slots, batches)
    errors = {}
    for name, slot in slots.items():
        errors[name] = _project(slot, received[name])
        slot.rectified = False
    return errors


def _received(
    network: nn.Module, slots: dict[str, SLAF], batches: Iterable[Tensor]
) -> dict[str, Tensor]:
    """Return what each slot's learned channels receive, `(values, channels)` float64."""
    kept: dict[str, list[Tensor]] = {name: [] for name in slots}

    def keep(name: str, slot: SLAF, x: Tensor) -> None:
        flat = x.detach().movedim(slot.channel_dim, -1).reshape(-1, slot.channels)
        room = SAMPLES - sum(map(len, kept[name]))
        kept[name].append(flat[: max(room, 0), : slot.learned].double())

    hooks = [
        slot.register_forward_pre_hook(lambda m, inputs, n=name: keep(n, m, inputs[0]))
        for name, slot in slots.items()
    ]
    given = list(batches)
    was = network.training
    try:
        estimate_statistics(network.eval(), given)
        for values in kept.values():
            values.clear()
        for batch in given:
            network(batch)
    finally:
        network.train(was)
        for hook in hooks:
            hook.remove()
    for name, values in kept.items():
        if not values or not all(bool(torch.isfinite(v).all()) for v in values):
            raise ActivationError(
                f"{name or 'a SLAF'}: no finite inputs to project ReLU on",
                remedy="give batches that reach it, or lower the learning rate",
            )
    return {name: torch.cat(values) for name, values in kept.items()}


def _project(slot: SLAF, x: Tensor) -> float:
    if slot.before is not None:
        scale, shift = (t.to(x) for t in slot.before.affine())
        x = x * scale + shift
    u, form = x, slot.form
    if slot.reach is not None:
        mean, variance = batch_moments(x, 1)
        slot.reach.mean.copy_(mean)
        slot.reach.variance.copy_(variance)
        slot.reach.rows.fill_(len(x))
        u = (x - mean) * torch.rsqrt(variance + EPSILON)
    if form.clip is not None:
        u = (u / form.reach).clamp(-1.0, 1.0) * form.stretch
    elements = torch.stack(form.basis.elements(u, form.degree), 2)  # (values, channels, degree)
    if slot.moments is not None:
        mean = elements.mean(0)
        variance = (elements - mean).square().mean(0)
        slot.moments.mean.copy_(mean)
        slot.moments.variance.copy_(variance)
        slot.moments.rows.fill_(len(x))
        elements = (elements - mean) * torch.rsqrt(variance + EPSILON)
    wanted = torch.relu(x)
    rows = slot.bias.shape[0]
    row_of = torch.arange(slot.learned, device=x.device) * rows // slot.learned
    squares = 0.0
    for row in range(rows):
        own = row_of == row
        design = elements[:, own].reshape(-1, form.degree)
        design = torch.cat([torch.ones_like(design[:, :1]), design], 1).cpu()
        target = wanted[:, own].reshape(-1, 1).cpu()
        # Columns of a dead channel are all zero: gelsd leaves them out.
        solution = torch.linalg.lstsq(design, target, driver="gelsd").solution
        squares += float((design @ solution - target).square().sum())
        slot.bias[row] = solution[0, 0]
        slot.coefficients[row] = solution[1:, 0].to(slot.coefficients)
    return float((squares / wanted.numel()) ** 0.5)
