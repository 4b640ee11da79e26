"""What stands in each section of a report, in words and numbers."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slaf_automl.report.activations_figure import draw_activations
from slaf_automl.report.arms_table import arms_table, number
from slaf_automl.report.budget_figure import budget_shares, draw_budget
from slaf_automl.report.costs import budget_in_words, used_in_words
from slaf_automl.report.curves_figure import draw_curves
from slaf_automl.report.drawing import Drawing
from slaf_automl.report.placement import INPUTS, Placements, placements_of, why_in_words
from slaf_automl.report.placement_figure import draw_placements
from slaf_automl.report.run import Run
from slaf_automl.report.studied_arm import seconds
from slaf_automl.report.studies_figures import draw_front, draw_history, draw_importances
from slaf_automl.report.usage import usage
from slaf_automl.report.verdict import behind_in_words

_UNCONCLUDED = (
    "This run has no conclusion yet. Its search command once more goes on, trains both winners "
    "again with fresh seeds and exports the better one."
)
_WITHOUT_FIGURES = (
    "This run has no figures.json of its conclusion: an older version made it, or it was cut off. "
    "Its search command once more writes it; finished trials stay, and the test rows are not read "
    "again."
)


class Sections:
    """What the template names, section by section.

    Args:
        run: the run.

    Attributes:
        drawings: those that were made so far.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.drawings: list[Drawing] = []

    def all(self) -> dict[str, Any]:
        """Return everything that the template names."""
        run, metrics = self.run, self.run.metrics
        return {
            "title": f"Search report: {Path(run.data).name or run.data}",
            "metric": run.metric,
            "unconcluded": _UNCONCLUDED,
            "table": None if metrics is None else arms_table(metrics),
            "bundle": usage(run),
            **self._verdict(),
            **self._activations(),
            **self._placement(),
            "search": self._search(),
            **self._curves(),
            **self._budgets(),
            "run": self._about(),
            "times": self._times(),
        }

    def _kept(self, drawing: Drawing | None) -> Drawing | None:
        if drawing is not None:
            self.drawings.append(drawing)
        return drawing

    def _verdict(self) -> dict[str, Any]:
        metrics = self.run.metrics
        if metrics is None:
            best = [
                f"{arm.name} {arm.ranked[0].values[0]:.4g}" for arm in self.run.arms if arm.ranked
            ]
            text = "No verdict yet."
            if best:
                text += f" Best validation {self.run.metric} so far: {', '.join(best)}."
            nothing = {"exported": None, "difference": None, "openings": "", "behind": None}
            return {"verdict": text, **nothing}
        exported = {
            "why": _exported_in_words(metrics),
            "seed": number(metrics, "exported.seed"),
            "used": used_in_words(metrics),
            "test": number(metrics, "exported.test"),
        }
        difference = {
            "mean": number(metrics, "difference.mean"),
            "low": number(metrics, "difference.interval.0"),
            "high": number(metrics, "difference.interval.1"),
            "p": number(metrics, "difference.p", 2),
        }
        openings = metrics["test_openings"]
        text = "The test rows were read once, after the decision."
        if openings > 1:
            text = (
                f"The test rows of this run have been read {openings} times; figures after the "
                "first reading are no longer untouched."
            )
        return {
            "verdict": metrics["gain"],
            "behind": behind_in_words(metrics),
            "exported": exported,
            "difference": difference if difference["mean"] is not None else None,
            "openings": text,
        }

    def _activations(self) -> dict[str, Any]:
        shown = []
        for arm, data in self.run.figures.items():
            winner = self.run.metrics is not None and self.run.metrics["winner"] == arm
            if not data["slots"] or (arm != "mix" and not winner):
                continue
            learned = any(slot["learned"] for slot in data["slots"])
            caption = (
                "Each function as it is deployed, drawn through zero at input 0 (constants are "
                "carried by the next layer), over how the inputs of the slot are distributed."
                if learned
                else "Every slot is ReLU: nothing is learned here. Behind it, the inputs."
            )
            drawing = self._kept(draw_activations(arm, data["slots"]))
            shown.append({"drawing": drawing, "caption": f"Winner of the {arm} arm. {caption}"})
        missing = None if shown else self._why_no_figures()
        return {"activations": shown, "activations_missing": missing}

    def _why_no_figures(self) -> str:
        if self.run.metrics is None:
            return _UNCONCLUDED
        if self.run.figures:
            return "The winner's trainings all diverged, so there is no network to look into."
        return _WITHOUT_FIGURES

    def _placement(self) -> dict[str, Any]:
        missing = "No trial of the mix says what fills its slots."
        found = None if self.run.mix is None else placements_of(self.run.mix)
        if found is None or not found.trials:
            return {"placement": None, "placement_missing": missing}
        when = self.run.when(found.step)
        winner = self._mix_slots()
        rows = [
            {
                "slot": facts.name,
                "winner": winner.get(facts.name, "–"),
                "why": why_in_words(facts, self.run.metric, self.run.direction, when),
            }
            for facts in found.facts()
        ]
        section = {
            "sentence": _stayed_in_words(winner),
            "drawing": self._kept(draw_placements(found)),
            "caption": _heat_map_in_words(found),
            "rows": rows,
            "note": (
                f"Compared {when}: medians over trials that differ in all their other choices "
                "too, so they show what went together, not what was the cause."
            ),
        }
        unknown = f"{found.unknown} trials do not say what fills their slots."
        return {"placement": section, "placement_missing": unknown if found.unknown else None}

    def _mix_slots(self) -> dict[str, str]:
        """Return in words what fills each slot of the mix winner."""
        if self.run.metrics is None:
            return {}
        mix = self.run.metrics["mix"]
        slots = {f"slot {i}": slot for i, slot in enumerate(mix["slots"])}
        return {**slots, INPUTS: mix["inputs"]} if mix.get("inputs") else slots

    def _search(self) -> dict[str, Any]:
        run = self.run
        counts = [
            f"{arm.name}: {len(arm.trials)} finished trials, {len(arm.complete)} of them complete, "
            f"{len(arm.pruned)} stopped early, {arm.diverged} diverged"
            for arm in run.arms
        ]
        weighed = run.mix or run.arms[0]
        compared = weighed.compared()
        when = run.when(compared.step)
        importances, why = draw_importances(weighed, run.metric, when)
        return {
            "counts": f"{'; '.join(counts)}.",
            "history": self._kept(draw_history(run.arms, run.metric)),
            "importances": self._kept(importances),
            "importances_missing": why,
            "importances_caption": (
                f"How far each dimension of the {weighed.name} space parts good trials from bad "
                f"ones (PED-ANOVA), by the validation {run.metric} {when} of "
                f"{len(compared.trials)} trials. Few trials make it uncertain, most of all for "
                "dimensions that not every network has."
            ),
            "fronts": [d for arm in run.arms if (d := self._kept(draw_front(arm, run.metric)))],
        }

    def _curves(self) -> dict[str, Any]:
        curves = {arm: data["curves"] for arm, data in self.run.figures.items()}
        task = None if self.run.info is None else self.run.info.task
        drawing = self._kept(draw_curves(self.run.metric, task, curves))
        missing = (
            "The winners of this run were trained by an older version, which kept no curves."
            if self.run.figures
            else self._why_no_figures()
        )
        return {"curves": drawing, "curves_missing": missing}

    def _budgets(self) -> dict[str, Any]:
        metrics = self.run.metrics
        found = []
        for arm in ("mix", "relu"):
            architecture = self.run.architecture(arm)
            if metrics is not None and architecture is not None:
                shares = budget_shares(architecture)
                found.append(self._kept(draw_budget(arm, shares, metrics["budget"])))
        return {"budgets": found, "budgets_missing": None if found else _UNCONCLUDED}

    def _about(self) -> str:
        identity: Mapping[str, Any] = self.run.identity
        limits = "" if self.run.metrics is None else f", budget {budget_in_words(self.run.metrics)}"
        return (
            f"Space {identity.get('space')}, version {identity.get('space_version')}; seed "
            f"{identity.get('seed')}, population {identity.get('population', 1)}{limits}."
        )

    def _times(self) -> str:
        found = [s for arm in self.run.arms for s in seconds(arm.trials)]
        if not found:
            return "Times: not noted."
        return (
            f"Times: a trial took {statistics.median(found):.3g} s (median, beside others trained "
            f"at once), the longest {max(found):.3g} s."
        )


def _exported_in_words(metrics: Mapping[str, Any]) -> str:
    """Say which network is in the bundle.

    Example:
        >>> _exported_in_words({"winner": "mix", "relu": None, "exported": {"refit": True}})
        'mix, trained on training and validation rows'
        >>> _exported_in_words({"winner": "relu", "relu": {}, "exported": {}})
        'relu, which won on validation'
    """
    words = [str(metrics["winner"])]
    if metrics["relu"] is not None:
        words.append("which won on validation")
    if metrics["exported"].get("refit"):
        words.append("trained on training and validation rows")
    return ", ".join(words)


def _stayed_in_words(winner: Mapping[str, str]) -> str:
    """Say which slots of the winner are ReLU.

    Example:
        >>> _stayed_in_words({"slot 0": "slaf chebyshev 3", "slot 1": "relu", "slot 2": "relu"})
        'In the winner of the mix 2 of 3 slots stayed ReLU: slot 1 and slot 2.'
        >>> _stayed_in_words({"slot 0": "slaf chebyshev 3, 75% relu"})
        'In the winner of the mix no slot stayed ReLU; some have ReLU in a part of their channels.'
    """
    if not winner:
        return "There is no winner yet."
    stayed = [name for name, slot in winner.items() if slot.startswith("relu")]
    if not stayed:
        shared = any(slot.endswith("% relu") for slot in winner.values())
        some = "; some have ReLU in a part of their channels" if shared else ""
        return f"In the winner of the mix no slot stayed ReLU{some}."
    if len(stayed) == len(winner):
        return "In the winner of the mix every slot stayed ReLU."
    listed = " and ".join(filter(None, [", ".join(stayed[:-1]), stayed[-1]]))
    return f"In the winner of the mix {len(stayed)} of {len(winner)} slots stayed ReLU: {listed}."


def _heat_map_in_words(found: Placements) -> str:
    count = len(found.shown)
    words = f"The best {count} of {len(found.trials)} trials of the mix, the best first"
    if any(not trial.complete for trial in found.shown):
        words += ": complete ones, then (right of the line, if any is complete) those that came far"
    return (
        f"{words}. The colour is the basis, the number the degree; grey is ReLU, as much of the "
        "cell as of the slot's channels. Nothing: the network has no such slot."
    )
