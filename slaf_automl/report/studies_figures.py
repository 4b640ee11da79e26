"""Optuna's own plots of the studies: history, importances, Pareto front; in one style."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from slaf_automl.driver.storage import quiet_optuna
from slaf_automl.report.drawing import COLOURS, GRID, INK, LINES, WIDTH, Drawing, drawn, styled
from slaf_automl.report.studied_arm import StudiedArm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_PARAMETERS = 15
_STORED = "parameters"


def draw_history(arms: Sequence[StudiedArm], metric: str) -> Drawing | None:
    """Draw the validation metric of the trials by number, and the best complete one so far.

    Trials that were stopped at a rung, which Optuna leaves out, are added faintly.

    Args:
        arms: the arms.
        metric: name of the metric.

    Returns:
        The drawing, None where no trial is complete.
    """
    from optuna.visualization.matplotlib import plot_optimization_history

    known = [arm for arm in arms if arm.complete]
    if not known:
        return None
    name, studies = f"validation {metric}", [arm.study for arm in known]
    with _plotted(lambda: plot_optimization_history(studies, target_name=name)) as axes:
        _restyle(axes)
        # Optuna draws for each study its complete trials, its best values, its infeasible trials.
        points = [found for found in axes.collections if np.size(found.get_offsets())]
        for arm, found, line in zip(known, points, axes.lines, strict=True):
            colour = COLOURS[arm.name]
            found.set(color=colour, sizes=[22], label=f"{arm.name}, complete")
            line.set(color=colour, alpha=1.0, linestyle=LINES[arm.name], linewidth=1.4)
            line.set_label(f"{arm.name}, best so far")
            _add_pruned(axes, arm, [trial.number for trial in arm.pruned])
        axes.set_xlabel("number of the trial")
        axes.locator_params(axis="x", integer=True)
        _legend_below(axes)
        return drawn("history", f"{name} of the trials by number", _figure(axes))


def draw_importances(arm: StudiedArm, metric: str, when: str) -> tuple[Drawing | None, str]:
    """Draw how much each dimension of the space matters, by Optuna's PED-ANOVA.

    Args:
        arm: the arm whose dimensions are weighed.
        metric: name of the metric.
        when: in words, what the trials are compared by.

    Returns:
        The drawing, or None and in words why there is none.
    """
    from optuna.importance import get_param_importances
    from optuna.visualization.matplotlib import plot_param_importances

    compared = arm.compared().trials
    if len({value for _, value in compared}) < 2:
        return None, "Importances need at least two trials whose values differ."
    study = _in_memory(arm.study.directions[0])
    for trial, value in compared:
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                values=[value],
                params=trial.params,
                distributions=trial.distributions,
            )
        )
    with _quiet():
        try:
            found = get_param_importances(study)
        except (RuntimeError, ValueError) as error:
            return None, f"Optuna cannot weigh these trials: {error}"
    names = list(found)[:_MOST_PARAMETERS]
    if not names:
        return None, "No dimension was searched."
    name = f"validation {metric} {when}"
    with _plotted(lambda: plot_param_importances(study, params=names, target_name=name)) as axes:
        _restyle(axes)
        for bar in axes.patches:
            bar.set_color(COLOURS[arm.name])
        for label in axes.texts:
            label.set_text(f" {label.get_text()}")
        axes.set(ylabel="", xlabel="share of the importance")
        axes.grid(visible=False, axis="y")
        if (legend := axes.get_legend()) is not None:
            legend.remove()
        _figure(axes).set_size_inches(WIDTH, 0.24 * len(names) + 0.8)
        axes.set_xlim(0, axes.get_xlim()[1] * 1.1)
        alt = f"Importances of the {arm.name} space's dimensions for the {name}"
        return drawn("importances", alt, _figure(axes)), ""


def draw_front(arm: StudiedArm, metric: str) -> Drawing | None:
    """Draw the metric of an arm's complete trials against what their networks store.

    Args:
        arm: the arm.
        metric: name of the metric.

    Returns:
        The drawing, None where no complete trial says what it stores.
    """
    from optuna.visualization.matplotlib import plot_pareto_front

    study = _in_memory(StudyDirection.MINIMIZE, arm.study.directions[0])
    for trial in arm.complete:
        if (stored := trial.user_attrs.get(_STORED)) is not None:
            values = [float(stored), float(trial.values[0])]
            study.add_trial(create_trial(state=TrialState.COMPLETE, values=values))
    if not study.get_trials(deepcopy=False):
        return None
    names = ["stored values", f"validation {metric}"]
    with _plotted(lambda: plot_pareto_front(study, target_names=names)) as axes:
        _restyle(axes)
        for points in axes.collections:
            front = points.get_label() == "Best Trial"
            points.set(color=COLOURS[arm.name], sizes=[40 if front else 18])
            points.set_label("on the front" if front else "complete, not on it")
            points.set_alpha(1.0 if front else 0.6)
        stored = [trial.user_attrs.get(_STORED) for trial in arm.pruned]
        _add_pruned(axes, arm, stored)
        axes.set_title(f"{arm.name} arm", loc="left", fontsize=9.0, color=INK)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        _legend_below(axes)
        _figure(axes).set_size_inches(WIDTH, 2.7)
        alt = f"Pareto front of the {arm.name} arm: validation {metric} against stored values"
        return drawn(f"front-{arm.name}", alt, _figure(axes))


def _add_pruned(axes: Axes, arm: StudiedArm, places: Sequence[Any]) -> None:
    """Add the trials that were stopped, at the last value that they reported."""
    known = [(x, t.values[0]) for x, t in zip(places, arm.pruned, strict=True) if x is not None]
    if known:
        x, y = zip(*known, strict=True)
        label = f"{arm.name}, stopped early"
        axes.scatter(x, y, s=18, marker="x", linewidth=1, color=COLOURS[arm.name], label=label)


def _in_memory(*directions: StudyDirection) -> optuna.Study:
    """Return an empty study in memory."""
    with quiet_optuna():
        return optuna.create_study(directions=directions)


@contextmanager
def _plotted(plot: Callable[[], Axes]) -> Iterator[Axes]:
    """Give the axes of an Optuna plot; pyplot, which makes them, is left as it was."""
    from matplotlib import pyplot

    with styled(), pyplot.ioff(), _quiet():
        axes = plot()
        try:
            yield axes
        finally:
            pyplot.close(_figure(axes))


@contextmanager
def _quiet() -> Iterator[None]:
    """Within the block Optuna does not say that these plots are experimental, nor which dimensions
    few trials have."""
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        warnings.filterwarnings("ignore", "Some regimes for parameter", UserWarning)
        yield


def _restyle(axes: Axes) -> None:
    """Give a plot in Optuna's style the ink, the grid and the size of the others."""
    figure = _figure(axes)
    figure.set_layout_engine("constrained")
    figure.set_size_inches(WIDTH, 3.2)
    figure.set_facecolor("none")
    axes.set_facecolor("none")
    axes.grid(visible=True, color=GRID, linewidth=0.6, linestyle="-")
    axes.spines[["left", "bottom"]].set(visible=True, color=INK)
    for place in ("left", "center"):
        axes.set_title("", loc=place)
    axes.tick_params(colors=INK, labelsize=9.0, which="both")
    for text in figure.findobj(lambda artist: hasattr(artist, "set_fontsize")):
        text.set(color=INK, fontsize=9.0)


def _legend_below(axes: Axes) -> None:
    if (legend := axes.get_legend()) is not None:
        legend.remove()
    _figure(axes).legend(
        loc="outside lower left", ncols=2, labelcolor=INK, frameon=False, fontsize=8.5
    )


def _figure(axes: Axes) -> Any:
    return axes.figure
