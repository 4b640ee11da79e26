"""Which lanes share a stack."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from slaf_automl.training.population.lane import Lane


def alike(lanes: Iterable[Lane], together: int) -> list[list[Lane]]:
    """Return lanes in sets of up to `together` that can share a stack, alike in width.

    They share a depth, and whether statistics are estimated before validation, and are sorted by
    their widths, so that little of a stack is padding. The same lanes in the same order always make
    the same sets: a resumed population sums as one that was never interrupted.
    """

    def kind(lane: Lane) -> tuple[int, bool]:
        return lane.depth, lane.estimated

    def order(lane: Lane) -> tuple[tuple[int, bool], tuple[int, ...]]:
        return kind(lane), lane.candidate.architecture.widths

    sets = []
    for _, members in itertools.groupby(sorted(lanes, key=order), key=kind):
        some = list(members)
        count = -(-len(some) // together)
        cuts = [len(some) * i // count for i in range(count + 1)]
        sets += [some[a:b] for a, b in itertools.pairwise(cuts)]
    return sets
