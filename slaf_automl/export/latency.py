"""How long networks take in onnxruntime, measured side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from slaf_automl.export.onnx import INPUT, open_session

_ROUNDS, _CALLS = 21, 50


def latencies(models: Mapping[str, bytes], row: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return the microseconds of one call with one row, on one thread, by the models' names.

    Rounds of 50 calls go to the models in turn, so that a busy machine delays all alike; of 21 such
    rounds the median counts.

    Args:
        models: ONNX files of this package, by name.
        row: raw features `(1, inputs)`.
    """
    sessions = {name: open_session(content, threads=1) for name, content in models.items()}
    given = {INPUT: row.astype(np.float32)}
    found: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(_ROUNDS):
        for name, session in sessions.items():
            session.run(["output"], given)  # what another model left in the caches
            began = time.perf_counter()
            for _ in range(_CALLS):
                session.run(["output"], given)
            found[name].append((time.perf_counter() - began) / _CALLS * 1e6)
    return {name: statistics.median(times) for name, times in found.items()}
