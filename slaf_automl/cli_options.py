"""The options that every search takes, and the data and limits that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser

from slaf_automl.errors import SlafError

if TYPE_CHECKING:
    from slaf_automl.training import TableData


def add_study(parser: ArgumentParser) -> None:
    """Add what every search takes: data, limits, trials and where they are kept."""
    add = parser.add_argument
    _add_data(parser)
    add("--config", action="config", help="YAML file with these options")
    add("--budget", type=int | None, help="most values the network may store")
    add("--macs", type=int | None, help="most multiply-accumulates for one example")
    add("--relus", type=int | None, help="most ReLU and comparison evaluations for one example")
    add("--trials", type=int, default=64, help="finished trials of each arm")
    add("--population", type=int | None, help="candidates trained at once (default: the space's)")
    add("--space", type=str, default="mlp", help="name of a shipped space, or a YAML file")
    add("--out", type=str, required=True, help="run folder; the same one again resumes or extends")
    add("--seed", type=int, default=0, help="of sampling, initial weights and batches")
    add("--metric", type=str | None, help="what is optimised (default: accuracy, rmse or r2)")
    add("--timeout", type=float | None, help="seconds after which to end with what there is")


def _add_data(parser: ArgumentParser) -> None:
    """Add the data and what says how to read and split them."""
    add = parser.add_argument
    add("data", type=str, help="CSV, Parquet, .npz or IDX file, folder of images, or sklearn:NAME")
    add("--target", type=str | None, help="column to predict, or several (default: the last)")
    add("--task", type=str | None, help="classification or regression (default: by the target)")
    add("--split", type=int, default=0, help="number of the random split")
    add("--validation", type=str | None, help="file of the validation rows")
    add("--test", type=str | None, help="file of the test rows")
    add("--group", type=str | None, help="column whose equal rows stay in one part; no feature")
    add("--time", type=str | None, help="column that orders the rows: the last are for the test")
    add("--categorical", type=str | None, help="columns of numbers that are categories: a,b,…")
    add("--shape", type=str | None, help="of a row of arrays: 3x32x32, or 1x40 for a series")
    add("--class-weights", type=str | None, help="balanced: every class weighs the same")


def read_data(arguments: dict[str, Any]) -> TableData:
    """Read the data that the options name, and take these out of the options."""
    from slaf_automl.training import TableData

    words = ("target", "task", "split", "validation", "test", "group", "time", "class_weights")
    named = {word: arguments.pop(word) for word in words}
    columns, shape = arguments.pop("categorical"), arguments.pop("shape")
    return TableData.load(
        arguments.pop("data"),
        **named,
        seed=arguments["seed"],
        categorical=[] if columns is None else [name.strip() for name in columns.split(",")],
        shape=None if shape is None else _shape(shape),
    )


def _shape(text: str) -> tuple[int, ...]:
    sizes = text.lower().split("x")
    if not all(size.strip().isdigit() for size in sizes):
        raise SlafError(f"shape {text!r}", expected="numbers such as 3x32x32 or 1x40")
    return tuple(int(size) for size in sizes)


def take_limits(arguments: dict[str, Any], names: tuple[str, ...]) -> dict[str, int]:
    """Take the limits out of the options, by the names of their costs."""
    given = {name: arguments.pop(name) for name in names}
    if all(limit is None for limit in given.values()):
        raise SlafError("no budget", expected="at least one of --" + ", --".join(names))
    return {name.replace("budget", "parameters"): limit for name, limit in given.items()}
