"""The command line: `slaf-automl search | front | report | dashboard | export | predict | spaces`.

Exit status 0 on success, 2 with one line on standard error for anything the user can mend, 130
after a third Ctrl-C.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ActionYesNo, ArgumentParser, Namespace

from slaf_automl import cli_report
from slaf_automl.cli_complaints import complaint_in_words, refuse_empty
from slaf_automl.cli_options import add_study, read_data, take_limits
from slaf_automl.errors import SlafError
from slaf_automl.files import cannot_write, make_room_for, write_bytes

_USAGE = 2
_INTERRUPTED = 130


class _Parser(ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print the complaint and leave with status 2."""
        _complain(f"{complaint_in_words(str(message))}; see slaf-automl --help")
        raise SystemExit(_USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        arguments: the words after the program's name; None takes the process's own.
    """
    try:
        namespace = _parser().parse_args(None if arguments is None else list(arguments))
        command: str = namespace.command
        refuse_empty(namespace[command].as_dict())
        _COMMANDS[command](namespace[command])
    except SlafError as error:
        _complain(str(error))
        return _USAGE
    except OSError as error:
        where = Path(str(error.filename or "the output"))
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES)
        _complain(str(cannot_write(where, error)) if full else f"{where}: {error.strerror}")
        return _USAGE
    except KeyboardInterrupt:
        _complain("interrupted; run the same command again to go on")
        return _INTERRUPTED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else _USAGE
    return 0


def _complain(text: str) -> None:
    print(f"slaf-automl: {' '.join(text.split())}", file=sys.stderr)


def _parser() -> ArgumentParser:
    from slaf_automl import __version__

    parser = _Parser(
        prog="slaf-automl",
        description="Find the best mix of learned activation functions and ReLU for a budget.",
        version=__version__,
    )
    commands = parser.add_subcommands(required=True, dest="command")
    commands.add_subcommand("search", _search_parser(), help="search, confirm and export")
    commands.add_subcommand("front", _front_parser(), help="trade the metric for size")
    for name, shown in cli_report.COMMANDS.items():
        commands.add_subcommand(name, shown.build(_Parser()), help=shown.help)
    commands.add_subcommand("export", _export_parser(), help="write a found model as one file")
    commands.add_subcommand("predict", _predict_parser(), help="predict the rows of a file")
    commands.add_subcommand("spaces", _spaces_parser(), help="list search spaces, or show one")
    return parser


def _search_parser() -> ArgumentParser:
    parser = _Parser(description="Search for the best SLAF/ReLU mix within a budget.")
    add_study(parser)
    add = parser.add_argument
    add("--depth", type=int | None, help="greatest multiplicative depth: polynomials only")
    yes_no = ActionYesNo(no_prefix="no-")
    add("--control", action=yes_no, default=True, help="search the all-ReLU arm too")
    add("--confirmations", type=int, default=8, help="fresh seeds each winner is trained with")
    add("--refit", action="store_true", help="train the winner on validation rows too, then export")
    add("--latency", action="store_true", help="time both winners in onnxruntime")
    add("--folds", type=int | None, help="train candidates on so many folds: for small tables")
    add("--storage", type=str | None, help="Optuna storage URL (default: a file in the run folder)")
    add("--accelerator", type=str, default="auto", help="Lightning's word: auto, cpu, gpu, …")
    return parser


def _front_parser() -> ArgumentParser:
    parser = _Parser(description="Search how much of the metric each size of network can give.")
    add_study(parser)
    add = parser.add_argument
    add("--costs", type=str, default="parameters", help="one or two of parameters, macs, relus")
    add("--plot", type=str | None, help="HTML file to draw to (needs slaf-automl[report])")
    return parser


def _export_parser() -> ArgumentParser:
    parser = _Parser(description="Write a found model as one ONNX or safetensors file.")
    parser.add_argument("run", type=str, help="run folder or bundle")
    parser.add_argument("--format", type=str, default="onnx", help="onnx or safetensors")
    parser.add_argument("--out", type=str, required=True, help="file to write")
    return parser


def _predict_parser() -> ArgumentParser:
    parser = _Parser(description="Predict every row of a file with an exported model.")
    parser.add_argument("bundle", type=str, help="bundle or run folder")
    parser.add_argument("data", type=str, help="file with the features, or sklearn:NAME")
    parser.add_argument("--out", type=str, required=True, help="CSV file to write")
    return parser


def _spaces_parser() -> ArgumentParser:
    parser = _Parser(description="List the shipped search spaces, or show one.")
    parser.add_argument("name", type=str | None, nargs="?", help="a space's name or YAML file")
    parser.add_argument("--data", type=str | None, help="file to say the smallest budget for")
    parser.add_argument("--target", type=str | None, help="its column to predict")
    return parser


def _search(options: Namespace) -> None:
    from slaf_automl.api import search
    from slaf_automl.spec import Budget

    arguments: dict[str, Any] = {k: v for k, v in options.as_dict().items() if k != "config"}
    limits = take_limits(arguments, ("budget", "macs", "relus", "depth"))
    data = read_data(arguments)
    result = search(data, budget=Budget(**limits), **arguments, log=_say)
    figures = result.metrics["data"]
    print(
        f"{figures['source']}, split {figures['split']}: {figures['validation_rows']} validation "
        f"rows, {figures['test_rows']} test rows"
    )
    print(result)
    print(f"bundle: {result.folder / 'best'}")


def _front(options: Namespace) -> None:
    from slaf_automl.front import search_front
    from slaf_automl.report.front import require_plot
    from slaf_automl.spec import Budget

    arguments: dict[str, Any] = {k: v for k, v in options.as_dict().items() if k != "config"}
    limits = take_limits(arguments, ("budget", "macs", "relus"))
    costs, plot = arguments.pop("costs"), arguments.pop("plot")
    if plot is not None:
        require_plot()
        make_room_for(Path(plot))
    data = read_data(arguments)
    front = search_front(
        data,
        costs=tuple(cost.strip() for cost in costs.split(",")),
        budget=Budget(**limits),
        **arguments,
    )
    for note in data.notes:
        _note(note)
    print(front)
    if front.stopped is not None:
        _say(f"stopped by {front.stopped}; the same command again goes on")
    if plot is not None:
        print(f"plot: {front.plot(plot)}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _note(text: str) -> None:
    _say(f"note: {text}")


def _export(options: Namespace) -> None:
    from slaf_automl.export import find_bundle, read_bundle

    formats = ("onnx", "safetensors")
    if options.format not in formats:
        raise SlafError(f"unknown format {options.format!r}", expected="one of onnx, safetensors")
    read_bundle(options.run)  # Refuses a damaged bundle before anything is written.
    target = Path(options.out)
    make_room_for(target)
    source = find_bundle(options.run) / f"model.{options.format}"
    if not source.is_file():
        raise SlafError(f"{source} is missing", remedy="run the search again to export it anew")
    content = source.read_bytes()
    write_bytes(target, content)
    print(f"{target}: {len(content):,} bytes")


def _predict(options: Namespace) -> None:
    from slaf_automl.export import predict_rows, read_bundle, write_predictions

    target = Path(options.out)
    if target.exists() and Path(options.data).exists() and target.samefile(options.data):
        raise SlafError(f"--out {target} is the file to predict", expected="another file")
    make_room_for(target)
    table = predict_rows(read_bundle(options.bundle), options.data, say=_note)
    write_predictions(table, target)
    print(f"{target}: {table.num_rows:,} predictions")


def _spaces(options: Namespace) -> None:
    from slaf_automl.spaces import SearchSpace, shipped_names, space_description

    if options.name is None:
        if options.data is not None:
            raise SlafError("--data without a space", expected="a name too: spaces mlp --data …")
        print("\n".join(shipped_names()))
        return
    lines = [space_description(options.name)]
    if options.data is not None:  # Printed with the rest, so that what is refused prints nothing.
        space = SearchSpace.load(options.name)
        from slaf_automl.training import TableData

        smallest = space.smallest_budget(TableData.load(options.data, options.target))
        lines.append(f"  {'smallest budget':20} {smallest.in_words()} for {options.data}")
    print("\n".join(lines))


_COMMANDS: dict[str, Callable[[Namespace], None]] = {
    "search": _search,
    "front": _front,
    **{name: shown.run for name, shown in cli_report.COMMANDS.items()},
    "export": _export,
    "predict": _predict,
    "spaces": _spaces,
}

if __name__ == "__main__":
    sys.exit(main())
