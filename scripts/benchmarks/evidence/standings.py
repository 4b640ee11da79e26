"""What the results say of the arms: losses, ranks, and the tests over sets."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from slaf_automl.report.comparison import compared

Losses = dict[str, dict[str, dict[int, list[float]]]]
"""Set ↦ arm ↦ split ↦ test loss of each seed: RMSE, or the share of wrong classes."""


def losses(rows: Sequence[Mapping[str, Any]], budget: int) -> Losses:
    """Return the losses of one budget; what is the better, the smaller."""
    found: dict[str, dict[str, dict[int, list[float]]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row["budget"] == budget:
            errors = row["direction"] == "maximize"
            values = [1 - v if errors else v for v in row["test"]]
            found[row["set"]][row["arm"]][row["split"]] = values
    return {name: dict(arms) for name, arms in found.items()}


def joint(one: Mapping[str, Mapping[int, list[float]]], arms: Sequence[str]) -> list[list[float]]:
    """Return the losses of some arms on a set over the splits that all of them have.

    None of them where they share no split.

    Example:
        >>> joint({"a": {0: [1.0], 1: [2.0]}, "b": {1: [3.0]}}, ["a", "b"])
        [[2.0], [3.0]]
        >>> joint({"a": {0: [1.0]}}, ["a", "b"])
        []
    """
    given = [one.get(arm, {}) for arm in arms]
    shared = sorted(set.intersection(*(set(splits) for splits in given)))
    if not shared:
        return []
    return [[value for split in shared for value in splits[split]] for splits in given]


def with_winners(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Add the arm `search`: of mix and ReLU, which a search exports, the better on validation.

    As in a search, mean validation over the seeds decides, and a tie goes to ReLU.

    Example:
        >>> both = {"set": "s", "budget": 1, "split": 0, "direction": "minimize"}
        >>> mix = {**both, "arm": "mix", "validation": [1.0], "test": [3.0]}
        >>> relu = {**both, "arm": "relu", "validation": [2.0], "test": [4.0]}
        >>> [(row["arm"], row["test"]) for row in with_winners([mix, relu])][2]
        ('search', [3.0])
    """
    pairs: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        pairs[row["set"], row["budget"], row["split"]][row["arm"]] = row
    found = list(rows)
    for arms in pairs.values():
        if "mix" in arms and "relu" in arms:
            mix, relu = (statistics.fmean(arms[arm]["validation"]) for arm in ("mix", "relu"))
            higher = arms["mix"]["direction"] == "maximize"
            better = mix > relu if higher else mix < relu
            found.append({**arms["mix" if better else "relu"], "arm": "search"})
    return found


def relative(loss: float, other: float) -> float:
    """Return (loss − other)/max(loss, other), 0 where both are 0: from −1 to 1, and symmetric.

    What the float32 of a metric leaves between equal shares is no difference.

    Example:
        >>> relative(0.9, 1.0), relative(0.0, 0.0), relative(0.2, 0.2 + 1e-8)
        (-0.09999999999999998, 0.0, 0.0)
    """
    larger = max(loss, other)
    if abs(loss - other) <= 1e-6 * larger:
        return 0.0
    return (loss - other) / larger


@dataclass(frozen=True)
class Duel:
    """Two arms over sets, by the mean loss of each set.

    Args:
        sets: how many.
        median: of the relative differences; negative where the first arm is better.
        p: of Wilcoxon's signed-rank test over the sets (two-sided; Pratt's treatment of zeros).
        better: sets on which the first has the smaller mean loss.
        worse: sets on which it has the larger.
        shown: sets on which it is better, and the seeds show it (p < 0.05).
        shown_worse: sets on which it is worse, and the seeds show it.
        by_set: relative difference and p of each set, of all its seeds: it speaks of the networks
            that were found.
        over_splits: p of the mean differences of each set's splits, one search each: it speaks of
            the arms. Of n splits the smallest is 2/2ⁿ.
    """

    sets: int
    median: float
    p: float
    better: int
    worse: int
    shown: int
    shown_worse: int
    by_set: Mapping[str, tuple[float, float]]
    over_splits: Mapping[str, float]


def duel(found: Losses, first: str, second: str) -> Duel:
    """Compare two arms on the sets and splits that have both.

    Example:
        >>> twice = {str(i): {"a": {0: [1.0, 1.1]}, "b": {0: [2.0, 2.1]}} for i in range(6)}
        >>> duel(twice, "a", "b").better
        6
    """
    by_set, over_splits = {}, {}
    for name, arms in found.items():
        if both := joint(arms, (first, second)):
            p = float(compared([a - b for a, b in zip(*both, strict=True)])["p"])
            by_set[name] = (relative(*map(statistics.fmean, both)), p)
            one, other = arms[first], arms[second]
            means = [
                statistics.fmean(one[s]) - statistics.fmean(other[s]) for s in one if s in other
            ]
            over_splits[name] = float(compared(means)["p"])
    values = np.array([value for value, _ in by_set.values()])
    p = 1.0
    if len(values) > 1 and values.any():
        p = float(stats.wilcoxon(values, zero_method="pratt").pvalue)
    return Duel(
        sets=len(values),
        median=float(np.median(values)) if len(values) else 0.0,
        p=p,
        better=int((values < 0).sum()),
        worse=int((values > 0).sum()),
        shown=sum(v < 0 and q < 0.05 for v, q in by_set.values()),
        shown_worse=sum(v > 0 and q < 0.05 for v, q in by_set.values()),
        by_set=by_set,
        over_splits=over_splits,
    )


@dataclass(frozen=True)
class Ranks:
    """Average ranks of arms over sets (1 is best, ties share their mean).

    Args:
        average: by arm.
        sets: how many.
        friedman: p of Friedman's test that all arms are alike; 1 of fewer than three.
        critical: Nemenyi's critical difference at 5% (Demšar 2006, JMLR 7, §3.2.2).
    """

    average: Mapping[str, float]
    sets: int
    friedman: float
    critical: float


def ranks(found: Losses, arms: Sequence[str]) -> Ranks:
    """Rank the arms on the sets and splits that have them all.

    Example:
        >>> one = {"a": {0: [1.0]}, "b": {0: [2.0]}, "c": {0: [3.0]}}
        >>> three = {str(i): one for i in range(5)}
        >>> round(ranks(three, ["a", "b", "c"]).critical, 3)  # 2.343·√(12/30)
        1.482
    """
    whole = [values for one in found.values() if (values := joint(one, arms))]
    means = np.array([[*map(statistics.fmean, values)] for values in whole])
    k, n = len(arms), len(whole)
    if not n:
        return Ranks(dict.fromkeys(arms, float("nan")), 0, 1.0, float("nan"))
    ordered = np.apply_along_axis(stats.rankdata, 1, means)
    friedman = 1.0
    if k > 2 and n > 1:
        friedman = float(stats.friedmanchisquare(*means.T).pvalue)
    q = float(stats.studentized_range.ppf(0.95, k, np.inf)) / 2**0.5
    average = dict(zip(arms, ordered.mean(0).tolist(), strict=True))
    return Ranks(average, n, friedman, q * (k * (k + 1) / (6 * n)) ** 0.5)
