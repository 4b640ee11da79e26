"""Whether two networks trained with the same seeds differ: interval, test, and words for both."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.05
"""A difference is claimed if its p is smaller."""

_RESAMPLES = 2**14
"""Sign patterns up to which the test is exact; of more seeds so many are drawn."""


def compared(differences: Sequence[float]) -> dict[str, Any]:
    """Return mean, spread, 95% interval and p of paired differences.

    The interval is Student's; p is that of the two-sided permutation test of the mean over all sign
    patterns (Fisher 1935, The Design of Experiments, §21), which assumes no distribution and takes
    ties as they are. Of n pairs its smallest value is 2/2ⁿ, `least_p`: five cannot show a
    difference at the 5% level.

    Args:
        differences: one number a seed.

    Returns:
        `mean`, `spread` (sample standard deviation), `values`, `interval` (low, high), `p` and
        `least_p`; of a single seed spread and interval are None.

    Example:
        >>> found = compared([0.1, 0.2, 0.3, 0.2, 0.1, 0.3])
        >>> [round(x, 3) for x in found["interval"]], found["p"]
        ([0.106, 0.294], 0.03125)
    """
    values = [float(value) for value in differences]
    count, mean = len(values), statistics.fmean(values)
    found = {"mean": mean, "spread": None, "values": values, "interval": None, "p": 1.0}
    found["least_p"] = min(1.0, 2.0 / 2**count)
    if count > 1:
        spread = statistics.stdev(values)
        half = float(stats.t.ppf(0.975, count - 1)) * spread / count**0.5
        found |= {"spread": spread, "interval": [mean - half, mean + half]}
        found["p"] = _sign_flips(np.array(values))
    return found


def _sign_flips(values: np.ndarray) -> float:
    """Return the share of sign patterns whose mean is at least as far from zero as it is."""
    count = len(values)
    if 2**count <= _RESAMPLES:
        bits = np.arange(2**count)[:, None] >> np.arange(count) & 1
    else:
        bits = np.random.default_rng(0).integers(0, 2, (_RESAMPLES, count))
        bits[0] = 1  # The pattern that was seen counts, so p is never 0.
    means = ((2 * bits - 1) * values).mean(1)
    seen = abs(values.mean())
    return float((np.abs(means) >= seen * (1 - 1e-9)).mean())


def in_words(
    found: dict[str, Any], what: str, than: str, better: Callable[[float, float], bool]
) -> str:
    """Say what a comparison shows, no more.

    Args:
        found: of `compared`.
        what: the one whose figures come first, as in "the mix".
        than: the other.
        better: whether the first of two values is the better one.

    Example:
        >>> print(in_words(compared([0.2, 0.4] * 4), "the mix", "ReLU", float.__gt__))
        The mix is better than ReLU by 0.3 (95% interval 0.2106 to 0.3894, p = 0.0078, 8 seeds).
        >>> print(in_words(compared([0.2, 0.4]), "the mix", "ReLU", float.__gt__))
        No difference that we can show between the mix and ReLU: 0.3 (95% interval -0.9706 to \
1.571, p = 0.5, 2 seeds); so few seeds can show none, 6 could.
    """
    count, mean = len(found["values"]), found["mean"]
    if count < 2:
        return f"One seed shows no spread, so no difference between {what} and {than} is claimed."
    shows = found["p"] < LEVEL
    sign = -1.0 if shows and mean < 0 else 1.0  # What is claimed is said as a positive size.
    low, high = sorted(sign * end for end in found["interval"])
    size = f"{sign * mean:.4g}"
    figures = f"(95% interval {low:.4g} to {high:.4g}, p = {found['p']:.2g}, {count} seeds)"
    if shows:
        word = "better" if better(mean, 0.0) else "worse"
        return f"{what[0].upper()}{what[1:]} is {word} than {than} by {size} {figures}."
    few = "; so few seeds can show none, 6 could" if found["least_p"] >= LEVEL else ""
    return f"No difference that we can show between {what} and {than}: {size} {figures}{few}."
