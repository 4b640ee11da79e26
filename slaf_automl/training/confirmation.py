"""Confirmation: a winner trained again with fresh seeds, each network kept as it would be ship."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from slaf_automl.errors import SlafError
from slaf_automl.files import read_json, write_bytes, write_json
from slaf_automl.networks import DeployedNetwork
from slaf_automl.spec import Candidate, dumps
from slaf_automl.training.baselines import constant_value
from slaf_automl.training.curve import Curve, EpochFigures
from slaf_automl.training.data import TableData, TensorBatches
from slaf_automl.training.fit import Fit, Supervision, fit
from slaf_automl.training.metrics import MetricKind, evaluate
from slaf_automl.training.population.fitting import fit_seeds


class ConfirmationInterruptedError(SlafError):
    """The confirmation was asked to stop; what it had trained is kept."""


@dataclass(frozen=True)
class ConfirmedNetwork:
    """One training of a winner, folded.

    Args:
        seed: of its initial weights and batch order.
        validation: metric of the deployed network on the validation rows; None for a refit, which
            was trained on them.
        epochs: epochs until its best validation.
        network: the deployed network.
        curve: what each epoch came to; empty of one that an older version trained.
    """

    seed: int
    validation: float | None
    epochs: int
    network: DeployedNetwork
    curve: Curve = field(default_factory=list)

    @property
    def finite(self) -> bool:
        """Whether every stored value is finite, so that the network can be shipped."""
        return all(bool(torch.isfinite(t).all()) for t in self.network.state_dict().values())


@dataclass(frozen=True)
class Confirmer:
    """Trains candidates with fresh seeds and remembers the networks in a folder.

    Args:
        data: the table; its test rows are not touched.
        metric: the validation metric.
        folder: where the trained networks are kept; those found there are not trained again.
        accelerator: Lightning's word for the device.
        stopping: whether to stop; then `ConfirmationInterruptedError` is raised.
        progress: told in words what is being trained.
    """

    data: TableData
    metric: MetricKind
    folder: Path
    accelerator: str
    stopping: Callable[[], bool]
    progress: Callable[[str], None]

    def confirm(self, name: str, candidate: Candidate, seeds: list[int]) -> list[ConfirmedNetwork]:
        """Train the candidate once per seed.

        Raises:
            ConfirmationInterruptedError: `stopping` said so.
        """
        self._train_together(name, candidate, seeds)
        networks = []
        for i, seed in enumerate(seeds, start=1):
            self.progress(f"confirming {name}: seed {i} of {len(seeds)}")
            networks.append(self._remembered(candidate, seed, refit_epochs=None))
        return networks

    def _train_together(self, name: str, candidate: Candidate, seeds: list[int]) -> None:
        """Train at once what is not remembered, and remember it."""
        paths = {seed: self._path(candidate, seed, None) for seed in seeds}
        missing = [seed for seed in seeds if self._read(paths[seed], candidate) is None]
        if not missing:
            return
        self.progress(f"confirming {name}: {len(missing)} seeds at once")
        fits = fit_seeds(
            candidate,
            self.data,
            missing,
            metric=self.metric.name,
            accelerator=self.accelerator,
            stopping=self.stopping,
        )
        for seed, trained in zip(missing, fits, strict=True):
            self._keep(paths[seed], self._confirmed(trained, seed, None))

    def refit(self, candidate: Candidate, seed: int, epochs: int) -> ConfirmedNetwork:
        """Train the candidate once more, on training and validation rows, for so many epochs."""
        self.progress("training the winner on training and validation rows")
        return self._remembered(candidate, seed, refit_epochs=epochs)

    def _remembered(
        self, candidate: Candidate, seed: int, refit_epochs: int | None
    ) -> ConfirmedNetwork:
        path = self._path(candidate, seed, refit_epochs)
        found = self._read(path, candidate)
        if found is None:
            found = self._train(candidate, seed, refit_epochs)
            self._keep(path, found)
        return found

    def _path(self, candidate: Candidate, seed: int, refit_epochs: int | None) -> Path:
        """Return where a training is remembered, without the suffixes of its two files."""
        data, metric = self.data.fingerprint(), self.metric.name
        key = dumps([candidate.to_json(), seed, refit_epochs, data, metric])
        return self.folder / hashlib.sha256(key.encode()).hexdigest()[:20]

    def _keep(self, path: Path, found: ConfirmedNetwork) -> None:
        write_bytes(path.with_suffix(".safetensors"), save(found.network.state_dict()))
        notes = {
            "seed": found.seed,
            "validation": found.validation,
            "epochs": found.epochs,
            "curve": [[v if math.isfinite(v) else None for v in epoch] for epoch in found.curve],
        }
        write_json(path.with_suffix(".json"), notes)

    def _read(self, path: Path, candidate: Candidate) -> ConfirmedNetwork | None:
        """Return what was trained before, None where its files are missing or damaged."""
        network = DeployedNetwork(candidate.architecture)
        try:
            notes = read_json(path.with_suffix(".json"))
            network.load_state_dict(load_file(path.with_suffix(".safetensors")))
            curve = [
                EpochFigures(*(math.nan if v is None else v for v in epoch))
                for epoch in notes.get("curve", [])
            ]
            return ConfirmedNetwork(
                notes["seed"], notes["validation"], notes["epochs"], network, curve
            )
        except (SlafError, OSError, SafetensorError, RuntimeError, KeyError, TypeError):
            return None

    def _train(self, candidate: Candidate, seed: int, refit_epochs: int | None) -> ConfirmedNetwork:
        supervision = Supervision(stopping=self.stopping)
        train = None if refit_epochs is None else self._all_rows(candidate, seed)
        trained = fit(
            candidate,
            self.data,
            seed=seed,
            metric=self.metric.name,
            accelerator=self.accelerator,
            supervision=supervision,
            train=train,
            epochs=refit_epochs,
        )
        return self._confirmed(trained, seed, train)

    def _confirmed(self, trained: Fit, seed: int, train: TensorBatches | None) -> ConfirmedNetwork:
        """Fold a trained network, unless its training was interrupted."""
        if trained.result.state == "interrupted":
            raise ConfirmationInterruptedError(
                "stopped while confirming the winners",
                remedy="run the same command again: what was trained is kept",
            )
        network = trained.module.deployed()
        validation = None if train else self.value(network, self.data.validation)
        return ConfirmedNetwork(seed, validation, trained.best_epoch, network, list(trained.curve))

    def _all_rows(self, candidate: Candidate, seed: int) -> TensorBatches:
        pairs = zip(self.data.training, self.data.validation, strict=True)
        x, y = (torch.cat(parts) for parts in pairs)
        return TensorBatches(x, y, candidate.recipe.batch_size, seed)

    def value(self, network: DeployedNetwork, part: tuple[Tensor, Tensor]) -> float:
        """Return the metric of a deployed network on rows, as anyone would measure it.

        Of a network whose outputs are not finite it is the constant predictor's.
        """
        with torch.no_grad():
            outputs = network(part[0])
        if not bool(torch.isfinite(outputs).all()):
            return constant_value(self.data, self.metric, part)
        return evaluate(self.metric, self.data.info, outputs, part[1])
