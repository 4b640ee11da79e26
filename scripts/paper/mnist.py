"""MNIST, a small convolutional network: SLAF of degrees 4, 4 and 5 against ReLU.

One row of coefficients a layer, inputs normalised: chosen on the last 10,000 training images, among
sharing by layer and channel and the normalisers input and element. The test images are read at
every evaluation, as in the published curves, and choose nothing.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from paper.archives import read_arrays, require_indices, require_shape
from paper.table import percent, print_table, print_verdict
from slaf_automl import SLAF, SlafError
from slaf_automl.activations.fixed import FixedActivation

FILE = "images/mnist.npz"
STEPS, BATCH, EVALUATIONS, COUNTED = 25_000, 50, 100, 20
RATES = ((3_000, 1e-2), (5_000, 1e-3), (STEPS, 5e-5))  # each until that step
DEGREES = (4, 4, 5)
CLIPPING = 1.0
PUBLISHED = {"relu": 0.9915, "slaf": 0.9950, "relu_normalised": None}
PUBLISHED_CLIPPING_ONLY = 0.9940
BAR = 0.9945


@dataclass(frozen=True)
class Digits:
    """Images `(N, 1, 28, 28)` as bytes and labels `(N,)`, to train on and to test on."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    @classmethod
    def read(cls, folder: Path) -> Digits:
        """Read the file of a data folder."""
        path = folder / FILE
        names = ("X_train", "y_train", "X_test", "y_test")
        arrays = dict(zip(names, read_arrays(path, names), strict=True))
        tensors = []
        for part in ("train", "test"):
            images, labels = arrays[f"X_{part}"], arrays[f"y_{part}"]
            require_shape(path, f"X_{part}", images, (None, 28, 28))
            require_indices(path, f"X_{part}", images, 256)
            require_shape(path, f"y_{part}", labels, (len(images),))
            require_indices(path, f"y_{part}", labels, 10)
            tensors += [torch.from_numpy(images)[:, None], torch.from_numpy(labels).long()]
        return cls(*tensors)


def build_network(activation: str) -> nn.Sequential:
    """Return the network, its slots filled as a key of `PUBLISHED` says."""

    def slot(number: int, channels: int) -> nn.Module:
        if activation == "relu":
            return nn.ReLU()
        if activation == "relu_normalised":  # SLAF's normalisation without its polynomials
            return FixedActivation(channels, normaliser="input")
        return SLAF(channels, degree=DEGREES[number], sharing="layer", normaliser="input")

    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2),
        slot(0, 16),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2),
        slot(1, 32),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 1024),
        slot(2, 1024),
        nn.Dropout(0.5),
        nn.Linear(1024, 10),
    )


def rate_at(step: int, steps: int) -> float:
    """Return the learning rate of a step counted from 0, the schedule stretched to `steps`.

    Example:
        >>> [rate_at(step, 25_000) for step in (2_999, 3_000, 4_999, 5_000)]
        [0.01, 0.001, 0.001, 5e-05]
    """
    return next(rate for until, rate in RATES if step * STEPS < until * steps)


def batches(rows: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield row numbers without end, each row once an epoch, incomplete batches left out."""
    while True:
        order = torch.randperm(rows, generator=generator)
        yield from order.split(BATCH)[: max(1, rows // BATCH)]


def scale(images: Tensor) -> Tensor:
    """Return bytes as floats from 0 to 1."""
    return images.float() / 255


@torch.no_grad()
def accuracy(network: nn.Module, digits: Digits) -> float:
    """Return the share of test images that are labelled right."""
    network.eval()
    found = [network(scale(part)).argmax(1) for part in digits.test_images.split(1_000)]
    network.train()
    return (torch.cat(found) == digits.test_labels).double().mean().item()


def train(activation: str, digits: Digits, steps: int, seed: int) -> Iterator[dict[str, object]]:
    """Train one network; yield a record at each of (up to) 100 evaluations."""
    torch.manual_seed(seed)
    network = build_network(activation)
    optimizer = torch.optim.Adam(network.parameters())
    rows = batches(len(digits.images), torch.Generator().manual_seed(seed))
    every = max(1, steps // EVALUATIONS)
    losses = []
    for step in range(steps):
        batch = next(rows)
        optimizer.param_groups[0]["lr"] = rate_at(step, steps)
        loss = F.cross_entropy(network(scale(digits.images[batch])), digits.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIPPING)
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % every == 0:
            yield {
                "activation": activation,
                "seed": seed,
                "steps": steps,
                "step": step + 1,
                "loss": statistics.fmean(losses),
                "accuracy": accuracy(network, digits),
            }
            losses.clear()


def read_records(path: Path) -> list[dict[str, object]]:
    """Return the records of an earlier run; none where there is no file."""
    if not path.exists():
        return []
    try:
        records = [json.loads(line) for line in path.read_text().splitlines()]
        return [{**r, "accuracy": float(r["accuracy"]), "step": int(r["step"])} for r in records]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SlafError(
            f"{path} is not a record of this experiment: {error!r}", remedy="choose another --out"
        ) from None


def finished(
    records: list[dict[str, object]], activation: str, steps: int, seed: int
) -> list[dict[str, object]]:
    """Return the evaluations of one training in order, or none if it did not come to its end."""
    key = (activation, steps, seed)
    by_step = {  # A training begun again repeats its steps.
        r["step"]: r for r in records if (r.get("activation"), r.get("steps"), r.get("seed")) == key
    }
    every = max(1, steps // EVALUATIONS)
    return [by_step[step] for step in sorted(by_step)] if steps // every * every in by_step else []


def figure_of(records: list[dict[str, object]]) -> float:
    """Return the mean of the last 20 evaluations."""
    return statistics.fmean(float(r["accuracy"]) for r in records[-COUNTED:])


def run(
    data_dir: Path, *, activation: str, steps: int, seed: int, out: Path | None
) -> dict[str, float]:
    """Train what is asked for, print the table, and return the figures by activation.

    With `out` every evaluation is added to that file, and an activation that is not asked for is
    taken from there if it was trained in full with the same steps and seed.
    """
    digits = Digits.read(data_dir)
    earlier = [] if out is None else read_records(out)
    wanted = ("relu", "slaf") if activation == "both" else (activation,)
    figures = {}
    for name in PUBLISHED:
        if name in wanted:
            records = []
            with tqdm(total=steps, desc=f"mnist {name}", unit="step") as bar:
                for record in train(name, digits, steps, seed):
                    records.append(record)
                    bar.update(int(record["step"]) - bar.n)
                    bar.set_postfix(accuracy=percent(record["accuracy"]))
                    if out is not None:
                        with out.open("a") as file:
                            file.write(json.dumps(record) + "\n")
        else:
            records = finished(earlier, name, steps, seed)
            if not records:
                continue
        figures[name] = figure_of(records)
    report(figures, steps)
    return figures


def report(figures: dict[str, float], steps: int) -> None:
    """Print the table and the verdict."""
    rows = [
        (
            name,
            percent(figures[name]) if name in figures else "not run",
            "not run" if published is None else percent(published),
        )
        for name, published in PUBLISHED.items()
    ]
    rows.append(("slaf, clipping only", "not run", percent(PUBLISHED_CLIPPING_ONLY)))
    print_table(
        f"MNIST, test accuracy, mean of the last {COUNTED} evaluations, {steps} steps",
        "published",
        rows,
    )
    reached = None
    if "slaf" in figures and figures["slaf"] < BAR:
        reached = False
    elif {"slaf", "relu"} <= set(figures):
        reached = figures["slaf"] > figures["relu"]
    print_verdict(f"SLAF at least {percent(BAR)} and above our ReLU", reached)
