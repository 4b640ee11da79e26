"""Whether two networks trained with the same seeds differ: interval, test, and words for both."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats

LEVEL = 0.05
"""A difference is claimed if its p is smaller."""

_LISTED = 14
"""Differences up to which every sign pattern is listed."""

_STEPS = 2**19
"""Steps into which the sum of more differences is divided."""


def compared(differences: Sequence[float]) -> dict[str, Any]:
    """Return mean, spread, 95% interval and p of paired differences.

    The interval is Student's; p is that of the two-sided permutation test of the mean over all sign
    patterns (Fisher 1935, The Design of Experiments, §21), which assumes no distribution and takes
    ties as they are; sums that only rounding of the metrics tells apart are ties. Of n pairs its
    smallest value is 2/2ⁿ, `least_p`: five cannot show a difference at the 5% level.

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
    """Return the share of sign patterns whose sum is at least as far from zero as it is."""
    sizes = np.abs(values[values != 0])
    if not sizes.size:
        return 1.0
    # Metrics are float32: shares of n rows differ by multiples of 1/n, give or take its rounding,
    # which would break ties. No pattern differs from another by less than its smallest difference.
    seen = abs(values.sum()) - 0.01 * sizes.min()
    if len(sizes) <= _LISTED:
        bits = np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes)) & 1
        return float((np.abs((2 * bits - 1) @ sizes) >= seen).mean())
    return _on_a_grid(sizes, seen)


def _on_a_grid(sizes: np.ndarray, seen: float) -> float:
    """Return the same share with each size rounded to a grid, from above: p is never too small.

    The distribution of the sum over all patterns is built one difference at a time.
    """
    step = sizes.sum() / _STEPS
    counts = np.maximum(1, np.rint(sizes / step).astype(np.int64))
    total = int(counts.sum())
    shares = np.zeros(total + 1)  # of patterns, by the steps whose sign is positive
    shares[0] = 1.0
    for count in counts:
        shares[count:] = (shares[count:] + shares[:-count]) / 2
        shares[:count] /= 2
    sums = np.abs(2 * np.arange(total + 1) - total)
    most = np.abs(counts - sizes / step).sum()  # that rounding can have moved a sum by
    return float(min(1.0, shares[sums >= seen / step - most].sum()))


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
