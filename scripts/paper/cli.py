"""The command line: one subcommand an experiment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

from paper import boston, mnist, polynomials, spirals
from slaf_automl import SlafError


def count(word: str) -> int:
    """Return a whole number of at least 1."""
    number = int(word)
    if number < 1:
        raise ValueError(word)
    return number


def parser() -> argparse.ArgumentParser:
    """Return the parser of all experiments."""
    top = argparse.ArgumentParser(prog="paper.py", description="The published SLAF experiments.")
    commands = top.add_subparsers(metavar="EXPERIMENT", required=True)

    def command(name: str, experiment: ModuleType) -> argparse.ArgumentParser:
        text = experiment.__doc__
        made = commands.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        made.set_defaults(run=experiment.run)
        made.add_argument("--seed", type=int, default=0, help="the first seed")
        made.add_argument("--threads", type=count, default=1, help="threads of PyTorch")
        return made

    for experiment, name, rows in (
        (spirals, "spirals", "points a class"),
        (polynomials, "polynomials", "rows, seven tenths of them to train on"),
    ):
        made = command(name, experiment)
        made.add_argument("--rows", type=count, default=experiment.ROWS, help=rows)
        made.add_argument("--epochs", type=count, default=experiment.EPOCHS, help="of a training")
        made.add_argument("--seeds", type=count, default=experiment.SEEDS, help="how many")

    houses = command("boston", boston)
    houses.add_argument("--data-dir", type=Path, required=True, help=f"holds {boston.FILE}")
    houses.add_argument("--epochs", type=count, default=boston.EPOCHS, help="of a training")
    houses.add_argument("--splits", type=count, help="only the first so many")

    images = command("mnist", mnist)
    images.add_argument("--data-dir", type=Path, required=True, help=f"holds {mnist.FILE}")
    images.add_argument("--activation", choices=[*mnist.PUBLISHED, "both"], default="both")
    images.add_argument("--steps", type=count, default=mnist.STEPS, help="scales the schedule")
    images.add_argument("--out", type=Path, help="JSON lines, one an evaluation, added to")
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Run one experiment; return 0, or 2 after one line on stderr."""
    given = vars(parser().parse_args(words))
    torch.set_num_threads(given.pop("threads"))
    run = given.pop("run")
    try:
        run(**given)
    except (SlafError, OSError) as error:
        print(f"paper.py: {error}", file=sys.stderr)
        return 2
    return 0
