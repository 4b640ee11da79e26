"""`figures.json`: what the figures of a report need once the data are no longer at hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from slaf_automl.errors import SlafError
from slaf_automl.files import read_json, write_bytes
from slaf_automl.networks import DeployedNetwork
from slaf_automl.report.slot_samples import sample_slots
from slaf_automl.spec import Candidate
from slaf_automl.training.curve import Curve

NAME = "figures.json"
SCHEMA = 1

_MOST_EPOCHS = 120

_SLOT = {
    *("name", "kind", "slot", "channels", "learned", "clipped", "range", "inputs", "shown"),
    "functions",
}
_CURVE = {"seed", "best_epoch", "epochs", "validation", "training_loss"}


def arm_data(
    candidate: Candidate,
    network: DeployedNetwork | None,
    rows: Tensor,
    curves: Sequence[tuple[int, int, Curve]],
) -> dict[str, Any]:
    """Return what the figures of one arm's winner need.

    Args:
        candidate: the winner.
        network: a training of it to look into; None where all diverged.
        rows: raw validation rows `(N, inputs)`.
        curves: of each confirmation its seed, best epoch and curve.

    Returns:
        `candidate`, `slots` (see `sample_slots`; None without a network) and `curves`: of each
        seed at most 120 epochs, evenly spread, the last among them.
    """
    slots = None if network is None else sample_slots(network, candidate.architecture, rows)
    return {
        "candidate": candidate.to_json(),
        "slots": slots,
        "curves": [
            {"seed": seed, "best_epoch": best, **_thinned(curve)} for seed, best, curve in curves
        ],
    }


def write_figure_data(
    folder: Path, decision: Mapping[str, Any], arms: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write `figures.json` into a run folder.

    Args:
        folder: the run folder.
        decision: what the conclusion was about, so that figures of another one are known.
        arms: arm ↦ its data; see `arm_data`.

    Raises:
        SlafError: the folder cannot be written.
    """
    document = {"schema": SCHEMA, "decision": decision, "arms": arms}
    text = json.dumps(document, sort_keys=True, allow_nan=False)  # rows of numbers, not for eyes
    write_bytes(folder / NAME, text.encode())


def read_figure_data(folder: Path, decision: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the arms of `figures.json`, None if there is none of this decision and version."""
    try:
        document = read_json(folder / NAME)
        if document["schema"] != SCHEMA or document["decision"] != decision:
            return None
        arms: dict[str, Any] = document["arms"]
        return arms if all(map(_whole, arms.values())) else None
    except (SlafError, KeyError, TypeError, AttributeError):
        return None


def _whole(arm: Mapping[str, Any]) -> bool:
    if not {"candidate", "slots", "curves"} <= set(arm):
        return False
    slots, curves = arm["slots"] or [], arm["curves"]
    return all(set(slot) >= _SLOT for slot in slots) and all(set(c) >= _CURVE for c in curves)


def _thinned(curve: Curve) -> dict[str, list[Any]]:
    step = -(-len(curve) // _MOST_EPOCHS)
    kept = [i for i in range(len(curve)) if (len(curve) - 1 - i) % step == 0]
    return {
        "epochs": [i + 1 for i in kept],
        "validation": [_short(curve[i].value) for i in kept],
        "training_loss": [_short(curve[i].loss) for i in kept],
    }


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
