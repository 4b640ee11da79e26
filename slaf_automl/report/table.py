"""The table a search prints."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from slaf_automl.report.costs import used_in_words
from slaf_automl.report.verdict import behind_in_words


def result_table(metrics: Mapping[str, Any]) -> str:
    """Return the comparison of `metrics.json` as text: mix, ReLU, linear and constant predictor."""
    name, direction = metrics["metric"], metrics["direction"]
    best = "higher is better" if direction == "maximize" else "lower is better"
    header = ("", "parameters", f"validation {name}", f"test {name}", "trials", "slots")
    rows: list[tuple[str, ...]] = [header]
    rows += [_arm_row(arm, metrics) for arm in ("mix", "relu") if metrics[arm] is not None]
    if metrics.get("comparison") == "linear":
        rows.append(("relu", *["–"] * 4, "none can meet the budget"))
    for predictor in ("linear", "constant"):
        figures = metrics[predictor]
        rows.append(
            (
                predictor,
                f"{figures['parameters']:,}",
                _figure(figures["validation"]),
                _figure(figures["test"]),
                "",
                "",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(w) if i in (0, 5) else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    seeds = len(metrics["test"]["values"])
    note = f"{name}: mean ± spread over {seeds} seeds of the confirmation; {best}."
    return "\n".join([rule, lines[0], rule, *lines[1:], rule, note, *_closing(metrics)])


def _arm_row(arm: str, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    figures = metrics[arm]
    mark = " *" if metrics["winner"] == arm else ""
    return (
        arm + mark,
        f"{figures['parameters']:,}",
        _plus_minus(figures["validation"]),
        _plus_minus(figures),
        str(figures["trials"]),
        _inputs_in_words(figures) + _slots_in_words(figures["widths"], figures["slots"]),
    )


def _inputs_in_words(figures: Mapping[str, Any]) -> str:
    """Return the activation of the inputs, which older runs and most networks do not have."""
    return f"inputs: {figures['inputs']} | " if figures.get("inputs") else ""


def _slots_in_words(widths: Sequence[int], slots: Sequence[str]) -> str:
    """Return what fills the slots: beside each width its own, or, of stages, all of them in order.

    Example:
        >>> _slots_in_words([8, 4], ["relu", "relu"])
        '8: relu | 4: relu'
        >>> _slots_in_words([8, 16], ["slaf", "relu", "relu", "relu", "relu"])
        '8-16: slaf | 4 × relu'
    """
    if len(widths) == len(slots):
        return " | ".join(f"{width}: {slot}" for width, slot in zip(widths, slots, strict=True))
    runs = [(slot, len(list(some))) for slot, some in itertools.groupby(slots)]
    words = [slot if count == 1 else f"{count} × {slot}" for slot, count in runs]
    return f"{'-'.join(map(str, widths))}: {' | '.join(words)}"


def _plus_minus(figures: Mapping[str, Any]) -> str:
    if figures["spread"] is None:
        return _figure(figures["mean"])
    return f"{_figure(figures['mean'])} ± {figures['spread']:.2g}"


def _interval(paired: Mapping[str, Any]) -> str:
    """Return mean, 95% interval and p; what older runs wrote has no interval."""
    if paired.get("interval") is None:
        return _plus_minus(paired)
    low, high = paired["interval"]
    return (
        f"{_figure(paired['mean'])}, 95% interval {_figure(low)} to {_figure(high)}, "
        f"p = {paired['p']:.2g}"
    )


def _figure(value: float) -> str:
    return f"{value:.4g}"


def _compute(metrics: Mapping[str, Any]) -> list[str]:
    """Return what both arms compute, and how long it takes where it was measured."""
    parts = []
    for arm in ("mix", "relu"):
        figures = metrics[arm] or {}
        macs, latency = figures.get("costs", {}).get("macs"), figures.get("latency")
        if macs is not None:
            time = "" if latency is None else f" in {latency['one_row_us']:.3g} µs"
            parts.append(f"{arm} {macs:,}{time}")
    where = "; time in onnxruntime, one thread" if any(" in " in part for part in parts) else ""
    return [f"macs a row: {', '.join(parts)}{where}"] if parts else []


def _closing(metrics: Mapping[str, Any]) -> list[str]:
    lines = []
    if metrics["difference"] is not None:
        paired = metrics["difference"]
        lines.append(f"paired difference mix − relu on test: {_interval(paired)}")
    lines.append(metrics["gain"])
    lines += filter(None, [behind_in_words(metrics)])
    lines += _compute(metrics)
    exported = metrics["exported"]
    what = "trained on training and validation rows" if exported["refit"] else "best on validation"
    lines.append(
        f"* exported: {metrics['winner']}, seed {exported['seed']} ({what}), "
        f"{used_in_words(metrics)}, "
        f"test {metrics['metric']} {_figure(exported['test'])}"
    )
    if metrics["test_openings"] > 1:
        lines.append(
            f"The test rows of this run have been read {metrics['test_openings']} times; "
            "figures after the first reading are no longer untouched."
        )
    return lines
