"""From a table's columns to a network's inputs, chosen on the training rows alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slaf_automl.errors import DataError
from slaf_automl.spec import Column
from slaf_automl.training.data.cells import Category
from slaf_automl.training.data.table import Table

MOST_LEVELS = 20
"""Levels of a category that have inputs of their own; the most frequent ones."""

LEAST_ROWS = 5
"""Training rows that a level must have for an input of its own."""


@dataclass(frozen=True)
class Encoding:
    """The columns that are used.

    Args:
        columns: in order.
        places: of each in the table.
        notes: what was left out, and why, in words.
    """

    columns: tuple[Column, ...]
    places: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether every column is a number without gaps."""
        return not any(c.is_category or c.gaps for c in self.columns)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the network's inputs."""
        return tuple(name for c in self.columns for name in c.inputs)

    def encode(self, table: Table) -> np.ndarray:
        """Return the inputs of every row `(rows, inputs)`; what is plain is not copied."""
        everything = self.places == tuple(range(table.x.shape[1]))
        if self.plain:
            return table.x if everything else table.x[:, list(self.places)]
        x = np.zeros((len(table.x), len(self.features)), dtype=table.x.dtype)
        start = 0
        for column, place in zip(self.columns, self.places, strict=True):
            values = table.x[:, place]
            block = x[:, start : start + len(column.inputs)]
            if column.is_category:
                assert table.levels is not None
                labels = table.levels[place]
                assert labels is not None
                write_category(column, Category(values.astype(np.int64), labels), block)
            else:
                write_number(column, values, block)
            start += len(column.inputs)
        return x


def choose_encoding(table: Table, train: NDArray[np.int64]) -> Encoding:
    """Choose the inputs of a table: which columns carry something, and which levels have inputs.

    Empty, constant and duplicate columns carry nothing and are left out, but for an image's pixels.
    A level has an input if it is among the `MOST_LEVELS` most frequent and `LEAST_ROWS` training
    rows have it; all others share one.

    Args:
        table: the columns.
        train: numbers of the training rows.

    Raises:
        DataError: no column is left.
    """
    if table.image is not None and not np.isnan(table.x.sum(dtype=np.float64)):
        pixels = tuple(Column(name) for name in table.features)
        return Encoding(pixels, tuple(range(len(pixels))))
    columns: list[Column] = []
    places: list[int] = []
    notes: list[str] = []
    seen: dict[bytes, str] = {}
    for place, name in enumerate(table.features):
        values = table.x[:, place]
        found = values[train]
        known = found[~np.isnan(found)] if found.dtype.kind == "f" else found
        if len(known) == 0:
            notes.append(f"column {name!r} is empty in the training rows: left out")
            continue
        if len(known) == len(found) and known.min() == known.max():
            notes.append(f"column {name!r} has one value in the training rows: left out")
            continue
        key = hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()
        if key in seen and table.is_category(place) == table.is_category(
            table.features.index(seen[key])
        ):
            notes.append(f"column {name!r} is the same as {seen[key]!r}: left out")
            continue
        seen[key] = name
        if table.levels is not None and (labels := table.levels[place]) is not None:
            counts = np.bincount(known.astype(np.int64), minlength=len(labels))
            category = _category(name, labels, counts, notes)
            if category is None:
                continue
            columns.append(category)
        else:
            gaps = values.dtype.kind == "f" and bool(np.isnan(values).any())
            columns.append(Column(name, gaps=gaps))
        places.append(place)
    if not columns:
        raise DataError(f"{table.source}: every feature is constant", remedy="add columns")
    return Encoding(tuple(columns), tuple(places), tuple(notes))


def _category(
    name: str, labels: Sequence[str], counts: NDArray[np.int64], notes: list[str]
) -> Column | None:
    by_count = sorted(range(len(counts)), key=lambda i: (-counts[i], labels[i]))
    chosen = [i for i in by_count[:MOST_LEVELS] if counts[i] >= LEAST_ROWS]
    if not chosen:
        notes.append(
            f"column {name!r}: none of its {np.count_nonzero(counts):,} levels has {LEAST_ROWS} "
            "training rows: left out"
        )
        return None
    others = len(labels) - len(chosen)
    if others:
        notes.append(
            f"column {name!r}: {others:,} of {len(labels):,} levels are rare and share an input"
        )
    return Column(name, tuple(labels[i] for i in sorted(chosen)), other=others > 0)


def write_number(column: Column, values: np.ndarray, block: np.ndarray) -> None:
    """Write a number's inputs: the values, NaN for gaps, and where they are."""
    block[:, 0] = values
    if column.gaps:
        block[:, 1] = np.isnan(values)


def write_category(column: Column, found: Category, block: np.ndarray) -> NDArray[np.bool_]:
    """Write a category's inputs; returns the rows whose level has no input of its own."""
    places = {level: i for i, level in enumerate(column.levels)}
    rest = len(column.levels) if column.other else -1
    of_label = np.array([places.get(label, rest) for label in found.labels], dtype=np.int64)
    place = of_label[found.codes]
    rows = np.flatnonzero(place >= 0)
    block[rows, place[rows]] = 1
    strange: NDArray[np.bool_] = (place < 0) | (place == len(column.levels))
    return strange
