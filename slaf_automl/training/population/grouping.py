"""Which lanes share a stack."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from slaf_automl.training.population.lane import Lane

_CALLS = 10_000
"""What the calls of one more stack cost in a step, in weights of one lane: 40 calls of 2 μs, at the
rate at which a processor core multiplies small matrices."""


_AT_ONCE = 2**27
"""Numbers that may flow through a stack at once: a gigabyte for what enters and leaves slots."""


def fits_two(lane: Lane, rows: int) -> bool:
    """Say whether two such lanes may share a stack."""
    return 2 * sum(_sizes(lane)[1:]) * rows <= _AT_ONCE


def stackable(lane: Lane) -> bool:
    """Say whether a lane's network can share a stack; the others train beside one another."""
    architecture = lane.candidate.architecture
    return architecture.family == "mlp" and not architecture.residual


def alike(lanes: Iterable[Lane], together: int, rows: int) -> list[list[Lane]]:
    """Return lanes in sets of up to `together` that share a stack, alike in width.

    A set is small enough for `rows` rows to be evaluated by it at once, unless it is one lane.

    They share a depth, whether statistics are estimated before validation, and whether the inputs
    have a slot. Sorted by their
    widths, they are cut where padding them to one another would cost more than one more stack. The
    same lanes in the same order always make the same sets: a resumed population sums as one that
    was never interrupted.
    """

    def kind(lane: Lane) -> tuple[int, bool, bool]:
        return lane.depth, lane.estimated, lane.candidate.architecture.input_activation is not None

    def order(lane: Lane) -> tuple[tuple[int, bool, bool], tuple[int, ...]]:
        return kind(lane), lane.candidate.architecture.widths

    lanes = list(lanes)
    sets = [[lane] for lane in lanes if not stackable(lane)]
    stacked = sorted((lane for lane in lanes if stackable(lane)), key=order)
    for _, members in itertools.groupby(stacked, key=kind):
        some = list(members)
        cuts = _cuts([_sizes(lane) for lane in some], together, rows)
        sets += [some[a:b] for a, b in itertools.pairwise(cuts)]
    return sets


def _sizes(lane: Lane) -> tuple[int, ...]:
    architecture = lane.candidate.architecture
    return (architecture.inputs, *architecture.widths, architecture.outputs)


def _cuts(sizes: Sequence[tuple[int, ...]], together: int, rows: int) -> list[int]:
    """Return where to cut a row of networks so that padding and calls cost least together.

    Example:
        >>> _cuts([(64, 10, 9), (64, 12, 9), (64, 900, 9), (64, 905, 9)], 16, rows=100)
        [0, 2, 4]
        >>> _cuts([(64, 10, 9)] * 4, 16, rows=2**20)  # 19 numbers a row, 2²⁷ in all: six networks
        [0, 4]
        >>> _cuts([(64, 900, 9)] * 3, 16, rows=2**20)
        [0, 1, 2, 3]
    """
    best: list[tuple[int, int]] = [(0, 0)]  # least cost of the first networks, and the last cut
    for end in range(1, len(sizes) + 1):
        widest, found = sizes[end - 1], []
        for start in range(end - 1, max(end - together, 0) - 1, -1):
            widest = tuple(map(max, widest, sizes[start]))
            if end - start > 1 and (end - start) * sum(widest[1:]) * rows > _AT_ONCE:
                break
            weights = sum(a * b for a, b in itertools.pairwise(widest))
            found.append((best[start][0] + _CALLS + (end - start) * weights, start))
        best.append(min(found))
    cuts = [len(sizes)]
    while cuts[-1]:
        cuts.append(best[cuts[-1]][1])
    return cuts[::-1]
