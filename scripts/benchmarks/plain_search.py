"""What one would write with Optuna, Lightning and a DataLoader: the yardstick of throughput.py.

python scripts/benchmarks/plain_search.py '{"budget": …, "space": …, "candidates": […], …}'

Networks of torch's own layers, batch normalisations and ReLU, and this package's SLAF layer (a
slower one would flatter the comparison). Candidates come with their parameters and epochs. The
Trainer has its defaults, or is stripped of logger, checkpoints, progress bar and summary.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings

import optuna
import torch
import torchmetrics
from bench_data import load
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from slaf_automl import SLAF, Budget, SearchSpace, TableData

STRIPPED = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class Classifier(LightningModule):
    """A user's own module."""

    def __init__(self, candidate, classes: int, steps: int) -> None:
        super().__init__()
        self.recipe, self.steps = candidate.recipe, steps
        layers: list[nn.Module] = []
        architecture = candidate.architecture
        image, last = architecture.image, len(architecture.widths) - 1
        inputs = image[0] if image else architecture.inputs
        norm = nn.BatchNorm2d if image else nn.BatchNorm1d
        if image:
            layers.append(nn.Unflatten(1, image))
        for i, (width, spec) in enumerate(
            zip(architecture.widths, architecture.placement, strict=True)
        ):
            layers.append(nn.Conv2d(inputs, width, 3) if image else nn.Linear(inputs, width))
            if spec.kind == "slaf":
                layers.append(SLAF(width, **spec.parameters))
            else:
                before, after = spec["normaliser"] == "input", spec["normaliser"] == "element"
                layers += [norm(width)] if before else []
                layers.append(nn.ReLU())
                layers += [norm(width, affine=False)] if after else []
            if image and i % 2 == 0 and i < last:
                layers.append(nn.MaxPool2d(2) if architecture.pooling == "max" else nn.AvgPool2d(2))
            inputs = width
        if image:
            layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.network = nn.Sequential(*layers, nn.Linear(inputs, classes))
        self.accuracy = torchmetrics.classification.MulticlassAccuracy(classes, average="micro")

    def training_step(self, batch, batch_index):
        x, y = batch
        loss = F.cross_entropy(self.network(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_index):
        x, y = batch
        outputs = self.network(x)
        self.accuracy(outputs, y)
        self.log("val_loss", F.cross_entropy(outputs, y))
        self.log("val_accuracy", self.accuracy)

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(
            self.parameters(), self.recipe.learning_rate, weight_decay=self.recipe.weight_decay
        )
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def loaders(data: TableData, batch_size: int) -> tuple[DataLoader, DataLoader]:
    mean, scale = data.statistics.mean, data.statistics.scale
    (x, y), (x_validation, y_validation) = data.training, data.validation
    train = TensorDataset((x - mean) * scale, y)
    validation = TensorDataset((x_validation - mean) * scale, y_validation)
    return DataLoader(train, batch_size, shuffle=True), DataLoader(validation, batch_size)


def main(settings: dict) -> None:
    data, budget = load(settings), Budget(parameters=settings["budget"])
    space = SearchSpace.load(settings["space"])
    spaces = {"mix": space, "relu": space.control()}
    study = optuna.create_study(direction="maximize", storage=settings["storage"])
    for given in settings["candidates"]:
        study.enqueue_trial(given["params"], user_attrs={"arm": given["arm"]})
    for given in settings["candidates"]:
        trial = study.ask()
        candidate = spaces[given["arm"]].suggest(trial, data, budget)
        train, validation = loaders(data, candidate.recipe.batch_size)
        module = Classifier(candidate, 10, len(train) * candidate.recipe.epochs)
        trainer = Trainer(
            max_epochs=given["epochs"],
            accelerator="cpu",
            gradient_clip_val=candidate.recipe.gradient_clip,
            num_sanity_val_steps=0,  # Batch statistics are not there yet.
            default_root_dir=settings["folder"],
            **(STRIPPED if settings["stripped"] else {}),
        )
        trainer.fit(module, train, validation)
        study.tell(trial, float(trainer.callback_metrics["val_accuracy"]))
    trials = study.trials
    seconds = (trials[-1].datetime_complete - trials[0].datetime_start).total_seconds()
    print(json.dumps({"seconds": seconds, "candidates": settings["candidates"]}))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    main(json.loads(sys.argv[1]))
