"""SlafModule: one candidate as a LightningModule that trains in anyone's Trainer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import functional as F

from slaf_automl.activations import SLAF, estimate_statistics, find_kind
from slaf_automl.activations.folding import Affine
from slaf_automl.activations.pruning import effective_degree, shrink_elements
from slaf_automl.errors import SlafError
from slaf_automl.networks import DeployedNetwork, Network, deploy, require_fit
from slaf_automl.spec import Budget, Candidate, DataInfo
from slaf_automl.training.data import TableStatistics
from slaf_automl.training.data.batches import some_images
from slaf_automl.training.data.statistics import filled
from slaf_automl.training.metrics import find_metric, predictions
from slaf_automl.training.routines import parameter_groups, rate_at, resting
from slaf_automl.training.stages import Stages

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

    from slaf_automl.spaces import SearchSpace


SOME_BATCHES = 32
"""Batches that statistics and projections are taken from where a loader has no `ordered()` rows."""


class Described(Protocol):
    """Data that knows its `DataInfo` and the statistics of its training rows."""

    info: DataInfo
    statistics: TableStatistics


class SlafModule(LightningModule):
    """Trains one candidate: raw features `(N, inputs)` in, logits or target values out.

    Inputs are standardised and targets restored by the data's statistics, which are buffers and so
    part of every checkpoint. The loss is cross-entropy (nats), or the squared error of the
    standardised target. Logs `train_loss`, `val_loss`, `val_<metric>` and, under `Trainer.test`,
    `test_loss` and `test_<metric>`.

    Under a loader that offers `ordered()` batches of features (as `TableData`'s do), the statistics
    of normalised activations are estimated once more over the training rows (of images, the first
    2,048) before each validation; under other loaders their running averages serve.

    Checkpoints load with `SlafModule.load_from_checkpoint(path, weights_only=True)`.

    Args:
        candidate: what to train, or its JSON document.
        data: a `TableData` (or anything with `info` and `statistics`), or a DataInfo document, then
            the statistics must come from a checkpoint.
        seed: of the initial weights; the global random state is not touched.
        metric: name of the metric to log; None takes the task's default.

    Raises:
        SlafError: a candidate that does not fit the data, or an unknown metric.
    """

    mean: Tensor
    scale: Tensor
    target_mean: Tensor
    target_spread: Tensor
    class_weights: Tensor | None

    def __init__(
        self,
        candidate: Candidate | Mapping[str, Any],
        data: Described | Mapping[str, Any],
        *,
        seed: int = 0,
        metric: str | None = None,
    ) -> None:
        super().__init__()
        self.candidate: Candidate = (
            Candidate.from_json(candidate) if isinstance(candidate, Mapping) else candidate
        )
        self.info: DataInfo = DataInfo.from_json(data) if isinstance(data, Mapping) else data.info
        require_fit(self.candidate, self.info)
        self.metric = find_metric(metric, self.info)
        self.save_hyperparameters(
            {
                "candidate": self.candidate.to_json(),
                "data": self.info.to_json(),
                "seed": seed,
                "metric": self.metric.name,
            }
        )
        generator = torch.Generator().manual_seed(seed)
        self.network = Network(self.candidate.architecture, generator)
        self._stages = Stages(self.candidate.recipe, self.network, self._inputs)
        self.validation_metric = self.metric.build(self.info)
        inputs = len(self.info.features)
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        several = () if self.info.targets is None else (len(self.info.targets),)
        self.register_buffer("target_mean", torch.zeros(several))
        self.register_buffer("target_spread", torch.ones(several))
        self.register_buffer("class_weights", None, persistent=False)
        if not isinstance(data, Mapping):
            self._set_statistics(data.statistics)

    @classmethod
    def distributions(
        cls, data: Described, budget: Budget, space: SearchSpace
    ) -> dict[str, BaseDistribution]:
        """Return the search dimensions by Optuna name (see `SearchSpace.distributions`)."""
        return space.distributions(data, budget)

    @classmethod
    def from_trial(
        cls,
        trial: BaseTrial,
        data: Described,
        budget: Budget,
        space: SearchSpace,
        *,
        seed: int = 0,
        metric: str | None = None,
    ) -> SlafModule:
        """Let a trial of any Optuna study suggest a candidate within the budget, and build it."""
        from slaf_automl.spaces import SearchSpace  # here: it loads optuna

        if not isinstance(space, SearchSpace):
            raise SlafError(f"space {space!r}", expected="a SearchSpace, as SearchSpace.load gives")
        return cls(space.suggest(trial, data, budget), data, seed=seed, metric=metric)

    def _set_statistics(self, statistics: TableStatistics) -> None:
        image = self.candidate.architecture.image
        if image is not None:  # One mean and scale a channel, which a convolution can carry.
            statistics = statistics.by_channel(image)
        for name in ("mean", "scale", "target_mean", "target_spread"):
            getattr(self, name).copy_(getattr(statistics, name))
        if statistics.class_weights is not None:
            self.class_weights = statistics.class_weights.to(self.mean)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, or target values in their own unit: `(N, inputs)` to `(N, outputs)`."""
        return self.target_mean + self.target_spread * self._standardised(x)

    def _standardised(self, x: Tensor) -> Tensor:
        output: Tensor = self.network(self._inputs_of(x))
        return output

    def _inputs_of(self, x: Tensor) -> Tensor:
        standardised = (x - self.mean) * self.scale
        return standardised if self.info.filled is None else filled(standardised)

    def _loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        weights = None if self.class_weights is None else self.class_weights[y]
        if self.info.task == "multiclass":
            if weights is None:
                return F.cross_entropy(outputs, y)
            return (F.cross_entropy(outputs, y, reduction="none") * weights).mean()
        flat = outputs if self.info.targets else outputs.squeeze(1)
        if self.info.task == "binary":
            return F.binary_cross_entropy_with_logits(flat, y.to(flat.dtype), weights)
        return F.mse_loss(flat, (y - self.target_mean) / self.target_spread)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Return the loss of a batch."""
        x, y = batch
        loss = self._loss(self._standardised(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(y))
        return loss

    def _has_ordered_rows(self) -> bool:
        return hasattr(self.trainer.train_dataloader, "ordered")

    def on_validation_epoch_start(self) -> None:
        """Estimate the normalisers' statistics over the training rows."""
        # A resumed training goes on with the statistics it had, which may be held.
        resumed = self.trainer.sanity_checking and self.global_step > 0
        if resumed or not self._has_ordered_rows():
            return
        estimate_statistics(self.network, self._inputs())

    def _inputs(self) -> Iterator[Tensor]:
        """Yield the network's inputs over training rows, in order, or over some batches of them."""
        if self._has_ordered_rows():
            rows = self.trainer.train_dataloader.ordered()  # type: ignore[union-attr]
        else:
            some = itertools.islice(iter(self.trainer.train_dataloader or ()), SOME_BATCHES)
            rows = (batch[0] for batch in some)
        for x in some_images(rows) if self.candidate.architecture.image else rows:
            yield self._inputs_of(x.to(self.device))

    def on_train_start(self) -> None:
        """Begin with the stage of the first step, or of the one that a resumed training is at."""
        self._stages.begin(self.global_step, float(self.trainer.estimated_stepping_batches))

    @property
    def rectified(self) -> bool:
        """Whether its SLAFs still train as ReLU, under the routine `warm_start`."""
        return self._stages.rectified

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Enter the stage of this step."""
        self._stages.advance(self.global_step, float(self.trainer.estimated_stepping_batches))

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Take the proximal step of the coefficients' L1 penalty."""
        weight = self.candidate.recipe.coefficient_l1
        if not weight or self.rectified:
            return
        for group in self.trainer.optimizers[0].param_groups:
            if group.get("name") == "coefficients":
                shrink_elements(self.network, group["lr"] * weight)

    @torch.no_grad()
    def pruned(self) -> SlafModule:
        """Return the same function without the elements whose coefficients are all zero.

        Where nothing is to be left out it is this module itself. Its candidate has the lower
        degrees, so that its deployed network stores fewer values.
        """
        architecture = self.candidate.architecture
        specs = tuple(
            find_kind(spec.kind).spec(**{**spec.parameters, "degree": effective_degree(slot)})
            if isinstance(slot, SLAF)
            else spec
            for spec, slot in zip(architecture.specs, self.network.slots, strict=True)
        )
        if specs == architecture.specs:
            return self
        candidate = replace(self.candidate, architecture=architecture.with_specs(specs))
        lower = SlafModule(candidate, self.info.to_json(), metric=self.metric.name)
        state = self.state_dict()
        for name, tensor in lower.state_dict().items():
            if tensor.shape != state[name].shape:  # coefficients and statistics of elements
                state[name] = state[name][:, : tensor.shape[1]]
        lower.load_state_dict(state)
        return lower.train(self.training)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        """Log loss and metric of a batch."""
        if self.trainer.sanity_checking and not self._has_ordered_rows():
            return  # Before the first step a normaliser has no statistics to evaluate with.
        self._log_evaluation("val", batch)

    def test_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        """Log loss and metric of a batch of test rows."""
        self._log_evaluation("test", batch)

    def _log_evaluation(self, stage: str, batch: tuple[Tensor, Tensor]) -> None:
        x, y = batch
        outputs = self._standardised(x)
        self.log(f"{stage}_loss", self._loss(outputs, y), batch_size=len(y))
        restored = self.target_mean + self.target_spread * outputs
        self.validation_metric.update(predictions(restored, self.info, self.metric), y)
        self.log(f"{stage}_{self.metric.name}", self.validation_metric, batch_size=len(y))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW over the routine's groups with a warm-up and a cosine decay."""
        groups = parameter_groups(self.network, self.candidate.recipe)
        optimizer = torch.optim.AdamW(groups)
        steps = float(self.trainer.estimated_stepping_batches)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the groups that rest this step keep still."""
        count = len(optimizer.param_groups)
        for group in optimizer.param_groups:
            if resting(self.candidate.recipe, group["name"], self.global_step, count):
                for parameter in group["params"]:
                    parameter.grad = None

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the global gradient norm by the recipe, or by the Trainer's own limit."""
        limit = (
            self.candidate.recipe.gradient_clip if gradient_clip_val is None else gradient_clip_val
        )
        if limit is not None:
            self.clip_gradients(optimizer, limit, gradient_clip_algorithm or "norm")

    @torch.no_grad()
    def deployed(self) -> DeployedNetwork:
        """Fold the trained network into what is shipped: raw features in, on the CPU."""
        mean, scale = self.mean.double().cpu(), self.scale.double().cpu()
        if (image := self.candidate.architecture.image) is not None:
            mean, scale = (t.reshape(image[0], -1)[:, 0] for t in (mean, scale))
        standardise = Affine(scale, -scale * mean)
        outputs = torch.ones(self.info.outputs, dtype=torch.float64)
        restore = Affine(
            outputs * self.target_spread.double().cpu(), outputs * self.target_mean.double().cpu()
        )
        return deploy(self.network, self.candidate.architecture, standardise, restore)
