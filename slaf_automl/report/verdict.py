"""What the confirmation says: winner, figures of both arms, and the words that follow from them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slaf_automl.report.comparison import compared, in_words

SCHEMA = 1
"""Version of `metrics.json`."""


@dataclass(frozen=True)
class ArmFigures:
    """One arm's winner over the confirmation seeds.

    Args:
        name: `mix` or `relu`.
        parameters: values its deployed network stores.
        trials: finished trials of the arm that the choice was made from.
        slots: in words, what fills each slot.
        widths: units of each hidden layer.
        validation: metric by seed.
        test: metric by seed; empty until the test rows are read.
        learned: whether some slot is learned.
        costs: what the deployed network costs, by name; None of a depth that is infinite.
        inputs: in words, the activation of the inputs; None without.
        latency: microseconds of one row in onnxruntime, None where it was not measured.
    """

    name: str
    parameters: int
    trials: int
    slots: tuple[str, ...]
    widths: tuple[int, ...]
    validation: tuple[float, ...]
    test: tuple[float, ...] = ()
    learned: bool = True
    costs: Mapping[str, int | None] = field(default_factory=dict)
    inputs: str | None = None
    latency: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the figures for `metrics.json`: mean and spread are of the test rows."""
        found = {} if self.inputs is None else {"inputs": self.inputs}
        latency = None if self.latency is None else {"one_row_us": self.latency}
        return {
            **summary(self.test),
            **found,
            "costs": dict(self.costs),
            "latency": latency,
            "parameters": self.parameters,
            "trials": self.trials,
            "slots": list(self.slots),
            "widths": list(self.widths),
            "validation": summary(self.validation),
        }


def summary(values: tuple[float, ...]) -> dict[str, Any]:
    """Return mean, spread (sample standard deviation, None of a single value) and values.

    Example:
        >>> summary((1.0, 3.0))["mean"], round(summary((1.0, 3.0))["spread"], 4)
        (2.0, 1.4142)
    """
    spread = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "spread": spread, "values": list(values)}


def choose_winner(
    mix: ArmFigures, relu: ArmFigures | None, better: Callable[[float, float], bool]
) -> str:
    """Return the arm with the better mean validation; a tie goes to ReLU, the simpler network."""
    if relu is None:
        return mix.name
    ours, theirs = statistics.fmean(mix.validation), statistics.fmean(relu.validation)
    return mix.name if better(ours, theirs) else relu.name


def paired_difference(mix: ArmFigures, relu: ArmFigures) -> dict[str, Any]:
    """Compare mix − relu on the test rows, seed by seed; see `compared`."""
    return compared([a - b for a, b in zip(mix.test, relu.test, strict=True)])


def gain_in_words(
    mix: ArmFigures, relu: ArmFigures | None, better: Callable[[float, float], bool]
) -> str:
    """Say what the confirmation shows, no more."""
    if relu is None:
        return "No ReLU control was run, so no gain is claimed."
    if not mix.learned:
        return (
            "The best network of the mix is all ReLU too: no gain from learned activations is "
            "claimed."
        )
    found = paired_difference(mix, relu)
    return in_words(found, "the mix", "the ReLU network of this size", better)


def behind_in_words(metrics: Mapping[str, Any]) -> str | None:
    """Say that the exported network is behind a trivial predictor on the test rows; None if not.

    Example:
        >>> trivial = {"linear": {"test": 0.5}, "constant": {"test": 1.5}}
        >>> ours = {"metric": "rmse", "direction": "minimize", "exported": {"test": 0.75}}
        >>> print(behind_in_words({**ours, **trivial}))
        On the test rows the exported network (rmse 0.75) is behind the linear predictor (0.5).
        >>> behind_in_words({**ours, **trivial, "exported": {"test": 0.25}})
    """
    ours, higher = metrics["exported"]["test"], metrics["direction"] == "maximize"
    trivial = {name: metrics[name]["test"] for name in ("linear", "constant")}
    ahead = [
        f"the {name} predictor ({value:.4g})"
        for name, value in trivial.items()
        if (value > ours if higher else value < ours)
    ]
    if not ahead:
        return None
    return (
        f"On the test rows the exported network ({metrics['metric']} {ours:.4g}) is behind "
        f"{' and '.join(ahead)}."
    )


def gain_without_twin(
    mix: ArmFigures, linear: float, budget: str, better: Callable[[float, float], bool]
) -> str:
    """Say how the mix compares with the linear predictor where no ReLU network is possible.

    Args:
        mix: the mix's figures, test rows read.
        linear: the linear predictor's metric on the test rows; it has no seeds and no spread.
        budget: the budget in words.
        better: whether the first of two values is the better one.

    Example:
        >>> mix = ArmFigures("mix", 50, 9, ("slaf",), (5,), (0.9,) * 6, test=(0.75, 0.8125) * 3)
        >>> for sentence in gain_without_twin(mix, 0.5, "6 levels", float.__gt__).split(". "):
        ...     print(sentence)
        No ReLU network can meet 6 levels
        The mix is better than the linear predictor by 0.2812 (95% interval 0.2453 to 0.3172, \
p = 0.031, 6 seeds).
    """
    found = compared([value - linear for value in mix.test])
    words = in_words(found, "the mix", "the linear predictor", better)
    return f"No ReLU network can meet {budget}. {words}"
