"""The arms' winners after their confirmation: the best network of each, and how fast it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from slaf_automl.export.latency import latencies
from slaf_automl.export.onnx import to_onnx
from slaf_automl.report import ArmFigures
from slaf_automl.spec import Candidate
from slaf_automl.training import TableData
from slaf_automl.training.confirmation import ConfirmedNetwork

Better = Callable[[float, float], bool]
"""Whether the first of two values is the better one."""


@dataclass(frozen=True)
class ArmWinner:
    """An arm's best candidate and its confirmation."""

    candidate: Candidate
    number: int
    networks: list[ConfirmedNetwork]
    figures: ArmFigures

    def best(self, better: Better) -> ConfirmedNetwork | None:
        """Return the seed with the best validation, None if all diverged."""
        best: ConfirmedNetwork | None = None
        for network in self.networks:
            if network.finite and (
                best is None or better(known(network.validation), known(best.validation))
            ):
                best = network
        return best


def timed(winners: Sequence[ArmWinner], data: TableData, better: Better) -> list[ArmWinner]:
    """Measure how long each arm's best network takes in onnxruntime, side by side.

    Args:
        winners: of the arms; one whose every seed diverged has no network, and stays without.
        data: its first validation rows are evaluated.
        better: of the metric.
    """
    sample, spread = data.validation[0][:16], data.statistics.target_spread
    best = {winner.figures.name: winner.best(better) for winner in winners}
    models = {
        name: to_onnx(one.network, data.info, sample, spread)
        for name, one in best.items()
        if one is not None
    }
    found = latencies(models, sample[:1].numpy())
    return [
        replace(w, figures=replace(w.figures, latency=found.get(w.figures.name))) for w in winners
    ]


def known(validation: float | None) -> float:
    """Return the validation of a network that was not trained on the validation rows."""
    assert validation is not None
    return validation
