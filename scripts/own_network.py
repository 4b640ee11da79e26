"""Learned activations in a network that someone else wrote: found, searched, trained and deployed.

Usage: python scripts/own_network.py --network vit [OPTIONS]; --help lists them

A network of another package is trained on real data as anyone would: an own LightningModule, an
own Trainer. Then an own Optuna study asks a `SearchSpace` which of its activations to replace and
trains each suggestion on; the best that replaces any is deployed. The control is the network
itself, trained on for as many epochs, as many times, and chosen likewise by its validation loss.
The test rows are read after all choices are made.
"""

from __future__ import annotations

import argparse
import copy
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import optuna
import torch
from networks_of_others import NETWORKS, Network, table
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from slaf_automl import (
    Budget,
    Placement,
    PruningCallback,
    SearchSpace,
    SlafError,
    deploy_slots,
    replace,
)


class Classifier(lightning.LightningModule):
    """Anyone's module around anyone's network."""

    def __init__(self, network: nn.Module, takes: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.network, self.takes = network, takes

    def forward(self, x: Tensor) -> Tensor:
        given = self.takes(x)
        if isinstance(given, dict):
            return self.network(**given).logits
        out = self.network(*given) if isinstance(given, tuple) else self.network(given)
        return out if isinstance(out, Tensor) else out.logits

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        x, y = batch
        return F.cross_entropy(self(x), y)

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y), batch_size=len(y))
        self.log("val_accuracy", accuracy(logits, y), batch_size=len(y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def accuracy(logits: Tensor, y: Tensor) -> float:
    return (logits.argmax(1) == y).float().mean().item()


class Experiment:
    """A network, its rows in three parts, and how it is trained."""

    def __init__(self, network: Network) -> None:
        self.takes = network.takes
        x, y = network.data()
        rest, test = train_test_split(range(len(y)), test_size=0.2, stratify=y, random_state=0)
        train, validation = train_test_split(rest, test_size=0.25, stratify=y[rest], random_state=0)
        if network.data is table:
            x = (x - x[train].mean(0)) / x[train].std(0)
        self.parts = [TensorDataset(x[part], y[part]) for part in (train, validation, test)]
        self.example = self.takes(x[train[:4]])

    def train(
        self, network: nn.Module, epochs: int, seed: int, *callbacks: lightning.Callback
    ) -> tuple[nn.Module, float]:
        """Train a network in place; return it and its validation loss."""
        torch.manual_seed(seed)  # of batches and dropout
        batches = DataLoader(self.parts[0], batch_size=32, shuffle=True)
        whole = DataLoader(self.parts[1], batch_size=len(self.parts[1]))
        trainer = lightning.Trainer(
            max_epochs=epochs, callbacks=list(callbacks), gradient_clip_val=1.0, accelerator="cpu",
            logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=0,
        )  # fmt: skip
        trainer.fit(Classifier(network, self.takes), batches, whole)
        return network, trainer.callback_metrics["val_loss"].item()

    @torch.no_grad()
    def logits(self, network: nn.Module, part: int) -> Tensor:
        """Return what a network says of the validation rows (1) or the test rows (2)."""
        return Classifier(network, self.takes).eval()(self.parts[part].tensors[0])

    def line(self, name: str, network: nn.Module, stored: int) -> str:
        """Return a line of the table."""
        shares = [accuracy(self.logits(network, i), self.parts[i].tensors[1]) for i in (1, 2)]
        return f"{name:44}{stored:>10,}{shares[0]:>14.1%}{shares[1]:>10.1%}"


def run(name: str, *, epochs: int, more: int, trials: int, extra: int, seed: int) -> None:
    """Train a network, search its activations, and print what came of it."""
    network = NETWORKS[name]
    torch.manual_seed(seed)
    try:
        original = network.build()
    except ImportError as error:
        raise SlafError(
            f"network {name!r}: {error}", remedy=f"pip install {network.package}"
        ) from None
    experiment = Experiment(network)
    experiment.train(original, epochs, seed)

    space = SearchSpace.for_model(original, experiment.example)
    limit = Budget(parameters=extra)  # this many values more than the network has
    trained: dict[int, tuple[nn.Module, Placement]] = {}

    def objective(trial: optuna.Trial) -> float:
        placement = space.suggest(trial, extra=limit)
        candidate = replace(original, placement)
        pruning = PruningCallback(trial, "val_loss")
        candidate, loss = experiment.train(candidate, more, seed + trial.number, pruning)
        trained[trial.number] = candidate, placement
        return loss

    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(4, trials)),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=more // 2),
    )
    study.optimize(objective, n_trials=trials)
    learned = [t for t in study.trials if t.number in trained and len(trained[t.number][1])]
    if not learned:
        raise SlafError("no trial finished that replaces anything", remedy="more --trials")
    trial = min(learned, key=lambda t: t.value)
    best, placement = trained[trial.number]
    tries = [experiment.train(copy.deepcopy(original), more, seed + i) for i in range(trials)]
    control, loss = min(tries, key=lambda found: found[1])
    deployed = deploy_slots(best, placement)

    print(f"{name}: {type(original).__name__}, {len(space.slots)} slots; rows to train on,", end="")
    print(" validate, test:", ", ".join(str(len(part)) for part in experiment.parts))
    pruned = sum(t.state == optuna.trial.TrialState.PRUNED for t in study.trials)
    print(f"{trials} trials, {pruned} of them pruned; best validation loss ", end="")
    print(f"{trial.value:.3f} with learned activations, {loss:.3f} without")
    print(f"{'accuracy':44}{'stored':>10}{'validation':>14}{'test':>10}")
    alone, stored = space.costs().parameters, space.costs(placement).parameters
    print(experiment.line(f"the network, {epochs} epochs", original, alone))
    print(experiment.line(f"trained on for {more}, best of {trials}", control, alone))
    print(experiment.line(f"learned activations, {more}, best of {trials}", best, stored))
    print(experiment.line("that one, deployed", deployed, numbers(deployed)))
    apart = (experiment.logits(best, 1) - experiment.logits(deployed, 1)).abs().max()
    print(f"deployed and trained logits differ by at most {apart:.0e}")
    filled = dict(placement)
    for slot in space.slots:
        print(f"  {slot.id}: {slot.activation} → {in_words(filled.get(slot))}")


def numbers(network: nn.Module) -> int:
    """Count what a network stores, a tensor under several names once."""
    state = network.state_dict(keep_vars=True).values()
    return sum(t.numel() for t in {id(t): t for t in state}.values() if t.is_floating_point())


def in_words(spec: Any) -> str:
    if spec is None:
        return "kept"
    given = spec.parameters
    return f"{given['basis']} of degree {given['degree']}, hybrid {given['hybrid']}, " + (
        f"coefficients per {given['sharing']}, normaliser {given['normaliser']}"
    )


def count(word: str) -> int:
    """Return a whole number of at least 1."""
    if (number := int(word)) < 1:
        raise ValueError(word)
    return number


def main(words: Sequence[str] | None = None) -> int:
    """Return 0, or 2 after one line on stderr."""
    parser = argparse.ArgumentParser(
        prog="own_network.py", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--epochs", type=count, default=30, help="of the network itself")
    parser.add_argument("--more", type=count, default=10, help="epochs of every trial")
    parser.add_argument("--trials", type=count, default=12)
    parser.add_argument("--extra", type=count, default=400, help="values more, at most")
    parser.add_argument("--seed", type=int, default=0)
    given = vars(parser.parse_args(words))
    # Lightning 2.6 under torch 2.13 uses a pytree name that torch renames.
    warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        run(given.pop("network"), **given)
    except SlafError as error:
        print(f"own_network.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
