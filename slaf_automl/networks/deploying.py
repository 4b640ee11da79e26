"""Folds a trained network into its deployed form, step by step of its layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from slaf_automl.activations.folding import Affine, Folded, fold_layer
from slaf_automl.activations.kinds import Foldable
from slaf_automl.activations.standalone import ALL_ABSORBED, deploy_alone
from slaf_automl.activations.statistics import InputNormaliser
from slaf_automl.networks.deployed import DeployedNetwork
from slaf_automl.networks.layout import Flatten, Layer, Residual, SlotStep, Step
from slaf_automl.networks.network import Network
from slaf_automl.spec import Architecture


def deploy(
    network: Network, architecture: Architecture, standardise: Affine, restore: Affine
) -> DeployedNetwork:
    """Fold a trained network into its deployed form, in float64 until the last cast to float32.

    Args:
        network: the trained network, its statistics set.
        architecture: what it was built from.
        standardise: raw features, or an image's channels, to the network's inputs.
        restore: the network's outputs to target values (identity for logits).

    Raises:
        ActivationError: a normalised slot that was never trained.
    """
    deployed = DeployedNetwork(architecture)
    before = standardise
    if deployed.centre is not None:
        # x̂ = s·x + t = s·(x − c) + (s·c + t); float32(c) is what is subtracted, so it is what
        # enters the shift.
        constant = standardise.scale == 0  # Carries nothing, so it needs no centre.
        scale = torch.where(constant, torch.ones_like(standardise.scale), standardise.scale)
        deployed.centre.copy_(-standardise.shift / scale)
        shift = standardise.scale * deployed.centre.double() + standardise.shift
        before = Affine(standardise.scale, shift)
    if deployed.fills is not None:
        means = torch.where(
            standardise.scale == 0, 0.0, -standardise.shift / standardise.scale
        )  # x̂ of a mean is 0, which stands for a gap in training
        deployed.fills.copy_(means[list(deployed.layout.filled)])
    folded = tuple(cast(Foldable, slot).fold() for slot in network.slots)
    _Folding(network, deployed, architecture, folded, restore).walk(network.layout.steps, before)
    return deployed


def _of_sum(body: Affine | None, shortcut: Affine | None) -> Affine | None:
    """Return the map that has not been applied to a sum: the constants of its two branches.

    Layouts leave no scale to a sum, which would have to be the same in both.
    """
    if body is None or shortcut is None:
        return body or shortcut
    return Affine(body.scale, body.shift + shortcut.shift)


@dataclass(frozen=True)
class _Folding:
    """Walks the steps with the affine map that the next layer has to take."""

    network: Network
    deployed: DeployedNetwork
    architecture: Architecture
    folded: tuple[Folded, ...]
    restore: Affine

    def walk(self, steps: tuple[Step, ...], before: Affine | None) -> Affine | None:
        """Fold the steps; `before` is what has not been applied to what comes in, None if all is.

        Returns the map that has not been applied to what goes out.
        """
        for step in steps:
            if isinstance(step, Layer):
                self._layer(step, before)
                before = None
            elif isinstance(step, SlotStep):
                before = self._slot(step, before)
            elif isinstance(step, Flatten) and before is not None:
                # Every place is a feature of its own, with its channel's map.
                maps = (t.repeat_interleave(step.positions) for t in (before.scale, before.shift))
                before = Affine(*maps)
            elif isinstance(step, Residual):
                # Only what both branches can take is left to them: see the families' layouts.
                before = _of_sum(self.walk(step.body, before), self.walk(step.shortcut, before))
        return before

    def _layer(self, step: Layer, before: Affine | None) -> None:
        trained, stored = (
            cast("nn.Linear | nn.Conv2d", n.layers[step.index])
            for n in (self.network, self.deployed)
        )
        after = Affine.identity(step.outputs)
        if step.feeds is not None:
            after = self.folded[step.feeds].input
        elif step.norm is not None:
            norm = cast(InputNormaliser, self.network.norms[step.norm])
            norm.moments.require_set()
            after = Affine(*(t.cpu() for t in norm.affine()))
        elif step.kernel is None:
            after = self.restore
        weight, bias = fold_layer(
            trained.weight.cpu(),
            cast(Tensor, trained.bias).cpu(),
            before or Affine.identity(step.inputs),
            after,
        )
        stored.weight.data.copy_(weight)
        cast(Tensor, stored.bias).data.copy_(bias)

    def _slot(self, step: SlotStep, before: Affine | None) -> Affine:
        """Set a slot's own values; return the part of its output's map that is left to others."""
        folded, stored = self.folded[step.index], self.deployed.slots[step.index]
        if step.absorbed == ALL_ABSORBED:
            stored.load_state_dict(folded.function.state_dict())
        else:
            alone = deploy_alone(
                self.network.slots[step.index],
                self.architecture.specs[step.index],
                step.channels,
                absorbed=step.absorbed,
                before=before,
            )
            stored.load_state_dict(alone.state_dict())
        left = Affine.identity(step.channels)
        return Affine(
            folded.output.scale if step.absorbed.scale else left.scale,
            folded.output.shift if step.absorbed.shift else left.shift,
        )
