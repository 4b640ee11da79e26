"""The summary of results as text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from evidence.cells import TWICE
from evidence.standings import Duel, Losses, Ranks, duel, losses, ranks, with_winners

Rows = Sequence[Mapping[str, Any]]

_SEARCHED = ("mix", "relu", "silu", "gelu")
LEVEL, MARGIN = 0.05, 0.02
"""A difference is claimed if its p is smaller; a loss up to so much is small."""


def summarise(rows: Rows) -> str:
    """Return tables of every budget, and the verdict on the sets that were not tuned on."""
    lines = []
    rows = with_winners(rows)
    for budget in sorted({row["budget"] for row in rows}):
        lines += _budget(rows, budget)
    return "\n".join(lines)


def panels(rows: Rows) -> dict[str, Ranks]:
    """Return the average ranks of each budget over the sets that were not tuned on."""
    found = {}
    for budget in sorted({row["budget"] for row in rows}):
        one = losses(_main(rows, tuned=False), budget)
        arms = _arms(one)
        if len(arms) > 1 and (ranked := ranks(one, arms)).sets > 1:
            found[f"{budget:,} values"] = ranked
    return found


def _main(rows: Rows, *, tuned: bool) -> Rows:
    return [r for r in rows if r["group"] != "feynman" and r["tuned"] == tuned]


def _arms(found: Losses) -> list[str]:
    """Return the arms that were searched on most sets, in a fixed order."""
    counts = {arm: sum(arm in one for one in found.values()) for arm in _SEARCHED}
    most = max(counts.values(), default=0)
    return [arm for arm, count in counts.items() if count and count >= 0.8 * most]


def _budget(rows: Rows, budget: int) -> list[str]:
    groups = {
        "not tuned on": _main(rows, tuned=False),
        "tuned on": _main(rows, tuned=True),
        "formulas": [row for row in rows if row["group"] == "feynman"],
    }
    lines = ["", f"== {budget:,} stored values =="]
    for title, some in groups.items():
        found = losses(some, budget)
        if not found:
            continue
        lines += ["", *_table(some, found, budget, title), *_standing(found)]
    lines += ["", _verdict(losses(groups["not tuned on"], budget))]
    return lines


def _table(rows: Rows, found: Losses, budget: int, title: str) -> list[str]:
    """Return mean losses by set and arm; errors of classes in per cent."""
    arms = [arm for arm in dict.fromkeys(row["arm"] for row in rows) if arm in _any_arms(found)]
    arms.sort(
        key=lambda arm: (arm not in _SEARCHED, _SEARCHED.index(arm) if arm in _SEARCHED else 0)
    )
    head = f"{title:26}" + "".join(f"{arm:>11}" for arm in arms)
    metrics = {row["set"]: row["metric"] for row in rows}
    versus, some = duel(found, "mix", "relu"), False
    several = min(versus.over_splits.values(), default=1.0) < 1.0
    lines = [head + f"{'mix − relu':>13}{'p':>8}" + (f"{'p splits':>10}" if several else "")]
    for name in sorted(found):
        per_cent = metrics[name] == "accuracy"
        cells = ""
        for arm in arms:
            if arm in found[name]:
                mean = statistics.fmean(v for vs in found[name][arm].values() for v in vs)
                fewer = len(found[name][arm]) < max(map(len, found[name].values()))
                text = f"{100 * mean:.2f}%" if per_cent else f"{mean:.4g}"
                cells += f"{'*' + text if fewer else text:>11}"
                some = some or fewer
            else:
                cells += f"{'–':>11}"
        if name in versus.by_set:
            value, p = versus.by_set[name]
            cells += f"{100 * value:>+12.1f}%{p:>8.3f}"
            cells += f"{versus.over_splits[name]:>10.3f}" if several else ""
        lines.append(f"{name:26}{cells}")
    return [*lines, "* over fewer splits than the others"] if some else lines


def _any_arms(found: Losses) -> set[str]:
    return {arm for one in found.values() for arm in one}


def _standing(found: Losses) -> list[str]:
    arms = _arms(found)
    lines = []
    # The two that the question is about are searched on more splits than the others.
    pair = [arm for arm in arms if arm in ("mix", "relu")]
    for some in dict.fromkeys(map(tuple, (pair, arms))):
        if len(some) < 2:
            continue
        one = ranks(found, some)
        average = ", ".join(f"{arm} {rank:.2f}" for arm, rank in one.average.items())
        alike = f", Friedman p = {one.friedman:.2g}" if len(some) > 2 else ""
        lines.append(
            f"average ranks on {one.sets} sets: {average} (critical difference {one.critical:.2f}"
            f"{alike})"
        )
    for opponent in ("relu", TWICE):
        searched = duel(found, "search", opponent)
        if searched.sets:
            lines.append(f"what a search exports against {opponent}: {_duel(searched)}")
    others = [arm for arm in sorted(_any_arms(found)) if arm not in ("mix", "search", TWICE)]
    for other in sorted(others, key=lambda arm: (arm not in arms, arm)):
        if (versus := duel(found, "mix", other)).sets:
            lines.append(f"mix against {other}: {_duel(versus)}")
    return lines


def _duel(one: Duel) -> str:
    return (
        f"median difference {100 * one.median:+.1f}%, smaller loss on {one.better} of {one.sets} "
        f"sets ({one.shown} shown by their seeds), larger on {one.worse} ({one.shown_worse} "
        f"shown), Wilcoxon p = {one.p:.2g}"
    )


def _verdict(found: Losses) -> str:
    """Say what the sets that were not tuned on show, no more."""
    one = duel(found, "mix", "relu")
    if not one.sets:
        return "verdict: no set that was not tuned on has both arms"
    if one.p >= LEVEL:
        word = "no difference between the mix and ReLU that we can show"
    else:
        word = f"the mix is {'better' if one.median < 0 else 'worse'} than ReLU"
    much = [name for name, (value, p) in one.by_set.items() if p < LEVEL and value > MARGIN]
    worse = (
        f"worse by more than {MARGIN:.0%} on {', '.join(much)}"
        if much
        else f"nowhere shown to be worse by more than {MARGIN:.0%}"
    )
    return f"verdict on {one.sets} sets that were not tuned on: {word} (p = {one.p:.2g}); {worse}"
