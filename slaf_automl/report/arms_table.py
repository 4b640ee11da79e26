"""The table of both arms for a page; every number knows where in `metrics.json` it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = Sequence["Number | str"]
"""Numbers and the words between them."""


@dataclass(frozen=True)
class Number:
    """A number of `metrics.json`.

    Args:
        path: its keys, joined by dots.
        value: the number as it stands there.
        digits: how many of a fraction are shown.
    """

    path: str
    value: float
    digits: int = 4

    @property
    def text(self) -> str:
        """The number as it is shown."""
        if isinstance(self.value, int):
            return f"{self.value:,}" if abs(self.value) < 10**7 else str(self.value)
        return f"{self.value:.{self.digits}g}"


@dataclass(frozen=True)
class ArmsTable:
    """Both arms and the two trivial predictors.

    Args:
        head: names of the columns.
        rows: a cell for each.
        note: in words, what the numbers are.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str


def number(metrics: Mapping[str, Any], path: str, digits: int = 4) -> Number | None:
    """Return the number at a path of keys joined by dots, None where there is none.

    Example:
        >>> found = number({"mix": {"mean": 0.97654321}}, "mix.mean")
        >>> found.text, found.value
        ('0.9765', 0.97654321)
    """
    found: Any = metrics
    for key in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, Sequence) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return Number(path, found, digits)


def arms_table(metrics: Mapping[str, Any]) -> ArmsTable:
    """Return the comparison of `metrics.json`, with macs and latency where it has them."""
    name = metrics["metric"]
    arms = [arm for arm in ("mix", "relu") if metrics[arm] is not None]
    words = {"costs.macs": "macs", "latency.one_row_us": "one row in onnxruntime, µs"}
    more = [key for key in words if any(number(metrics, f"{arm}.{key}") for arm in arms)]
    head = ("", "stored values", *(words[key] for key in more))
    head += (f"validation {name}", f"test {name}", "trials", "slots")
    rows: list[tuple[Cell, ...]] = []
    for arm in arms:
        rows.append(
            (
                [f"{arm}, exported" if metrics["winner"] == arm else arm],
                _cell(metrics, f"{arm}.parameters"),
                *(_cell(metrics, f"{arm}.{key}") for key in more),
                _mean(metrics, f"{arm}.validation"),
                _mean(metrics, arm),
                _cell(metrics, f"{arm}.trials"),
                [_slots(metrics[arm])],
            )
        )
    if metrics.get("comparison") == "linear":
        empty = ["–"]
        rows.append((["relu"], *[empty] * (4 + len(more)), ["none can meet the budget"]))
    for predictor in ("linear", "constant"):
        cells = [_cell(metrics, f"{predictor}.{key}") for key in ("validation", "test")]
        stored = _cell(metrics, f"{predictor}.parameters")
        rows.append(([predictor], stored, *[[""]] * len(more), *cells, [""], [""]))
    better = "higher" if metrics["direction"] == "maximize" else "lower"
    seeds = len(metrics["test"]["values"])
    note = (
        f"{name}: mean ± sample standard deviation over {seeds} fresh "
        f"{'seed' if seeds == 1 else 'seeds'}; {better} is better. linear and constant are the "
        "trivial predictors."
    )
    return ArmsTable(head, tuple(rows), note)


def _cell(metrics: Mapping[str, Any], path: str) -> Cell:
    found = number(metrics, path)
    return ["–"] if found is None else [found]


def _mean(metrics: Mapping[str, Any], path: str) -> Cell:
    mean, spread = number(metrics, f"{path}.mean"), number(metrics, f"{path}.spread", 2)
    if mean is None:
        return ["–"]
    return [mean] if spread is None else [mean, " ± ", spread]


def _slots(arm: Mapping[str, Any]) -> str:
    widths, slots = arm["widths"], arm["slots"]
    if arm.get("inputs"):
        return f"inputs: {arm['inputs']}\n" + _slots({**arm, "inputs": None})
    if len(widths) == len(slots):
        return "\n".join(f"{width}: {slot}" for width, slot in zip(widths, slots, strict=True))
    return f"{'-'.join(map(str, widths))}: {', '.join(slots)}"
