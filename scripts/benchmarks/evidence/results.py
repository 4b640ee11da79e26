"""Results of cells: one JSON file each while the benchmark runs, one Parquet file of them all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.cells import ARMS, Cell, Effort, run_cell
from evidence.sets import BenchmarkSet
from slaf_automl import SlafError
from slaf_automl.errors import BudgetError

FIELDS = {
    "set": pa.string(),
    "group": pa.string(),
    "tuned": pa.bool_(),
    "budget": pa.int64(),
    "split": pa.int64(),
    "arm": pa.string(),
    "effort": pa.string(),
    "metric": pa.string(),
    "direction": pa.string(),
    "parameters": pa.int64(),
    "macs": pa.int64(),
    "validation": pa.list_(pa.float64()),
    "test": pa.list_(pa.float64()),
    "linear": pa.float64(),
    "constant": pa.float64(),
    "chosen": pa.string(),
    "widths": pa.list_(pa.int64()),
    "recipe": pa.string(),
    "seconds": pa.float64(),
}
"""Columns of the Parquet file."""


def run_cells(
    cells: Iterable[Cell], effort: Effort, data: Path, out: Path, workers: int
) -> Iterator[dict[str, Any]]:
    """Run the cells that no earlier run finished, several at once; yield each one's row.

    Raises:
        SlafError: the folder holds results of another effort, or a cell failed.
    """
    folder = out / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    _require_effort(read_cells(out), effort, out, "name another --out")
    left = [cell for cell in cells if not _path(folder, cell).exists()]
    # Spawned: a forked process would share the threads of PyTorch's pool with its parent.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(run_cell, cell, effort, data): cell for cell in left}
        try:
            for done in as_completed(running):
                row = _row(done, running[done])
                if row is None:
                    continue
                _keep(row, _path(folder, running[done]))
                yield row
        finally:
            pool.shutdown(cancel_futures=True)


def _row(done: Future[dict[str, Any]], cell: Cell) -> dict[str, Any] | None:
    """Return the row of a cell; None, and a line, where a peer has no network so small."""
    try:
        return done.result()
    except BudgetError as error:
        if cell.arm in ARMS:
            raise
        print(f"{cell.name}: {error}", flush=True)
        return None


def _path(folder: Path, cell: Cell) -> Path:
    return folder / f"{cell.name}.json"


def _require_effort(
    rows: Iterable[dict[str, Any]], effort: Effort, where: Path, remedy: str
) -> None:
    for row in rows:
        if row["arm"] in ARMS and row["effort"] != effort.identity:
            raise SlafError(
                f"{where} holds results of {row['effort']}",
                expected=effort.identity,
                remedy=remedy,
            )


def _keep(row: dict[str, Any], path: Path) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(row), encoding="utf-8")
    os.replace(partial, path)


def add_results(path: Path, effort: Effort, out: Path) -> None:
    """Take the cells of an earlier Parquet file as made, but for those that the folder has.

    Raises:
        SlafError: the file is none of this benchmark, or of another effort; nothing is written.
    """
    rows = read_results(path)
    _require_effort(rows, effort, path, "leave --add out")
    folder = out / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        one = BenchmarkSet(row["set"], row["group"], row["tuned"])
        cell = _path(folder, Cell(one, row["budget"], row["split"], row["arm"]))
        if not cell.exists():
            _keep(row, cell)


def read_cells(out: Path) -> list[dict[str, Any]]:
    """Return the rows of all cells that are finished, in the order of their names."""
    paths = sorted((out / "cells").glob("*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def write_results(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows as one Parquet file."""
    columns = {name: [row.get(name) for row in rows] for name in FIELDS}
    table = pa.table(columns, schema=pa.schema(list(FIELDS.items())))
    pq.write_table(table, path, compression="zstd")


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read the rows of a Parquet file.

    Raises:
        SlafError: it is none, or not one of this benchmark.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        text = str(error).splitlines()[0]
        raise SlafError(f"{path}: {text}", expected="a results.parquet of quality.py") from None
    if missing := [name for name in FIELDS if name not in table.column_names]:
        raise SlafError(f"{path} has no column {missing[0]!r}", expected="results of quality.py")
    rows: list[dict[str, Any]] = table.select(list(FIELDS)).to_pylist()
    return rows
