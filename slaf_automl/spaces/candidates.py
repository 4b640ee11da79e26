"""Candidates from choices, and the choices that a candidate answers to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from optuna.distributions import BaseDistribution

from slaf_automl.activations import find_kind
from slaf_automl.networks import solve_widths
from slaf_automl.networks.widths import least_widths
from slaf_automl.spaces.dimensions import Chooser, Constant, StoredChooser
from slaf_automl.spaces.inputs import input_answers, input_spec, may_learn_inputs
from slaf_automl.spaces.narrowest import (
    architecture,
    depth_range,
    most_blocks,
    searches_slaf,
    slot_owners,
)
from slaf_automl.spaces.schema import INPUTS, OF_FAMILY, SpaceFile
from slaf_automl.spaces.slot_kinds import SLOT, choose_slots, pattern_answers, public_names
from slaf_automl.spec import ActivationSpec, Budget, Candidate, DataInfo, Recipe, Scalar

SHARED = ("sharing", "clip", "start")
"""Dimensions that all SLAF slots of a candidate share."""

HELD = 0.05
"""Share of the steps after which regressions keep their normalisers' statistics."""


def build_candidate(
    file: SpaceFile, chooser: Chooser, info: DataInfo, budget: Budget, fixed: str = "relu"
) -> Candidate:
    """Ask the chooser for what the candidate needs, in order of use, and solve its widths.

    Args:
        file: what `limit_space` left of the space for this data and budget.
        chooser: answers by name.
        info: the data.
        budget: the limits.
        fixed: the activation of the slots that learn none.

    Raises:
        SpaceError: the chooser has no valid value.
    """

    def choose(
        name: str, public: str | None = None, distribution: BaseDistribution | None = None
    ) -> Any:
        if distribution is not None:  # of what the file has no dimension for
            return chooser.choose(name, distribution)
        dimension = file.dimensions[name]
        if isinstance(dimension, Constant):
            return dimension.value
        return chooser.choose(public or name, dimension.distribution)

    depth = choose("depth")
    linked = depth > 1 and "residual" in file.dimensions and choose("residual")
    shape = choose("shape") if depth > 1 and not linked else "constant"
    extra = {name: choose(name) for name in OF_FAMILY[file.family]}
    if linked:
        extra["residual"] = True
    if (spec := input_spec(file, choose)) is not None:
        extra["input_activation"] = spec
    owners = slot_owners(file, depth, extra.get("blocks"))
    most = len(slot_owners(file, depth_range(file)[1], most_blocks(file)))
    slots = choose_slots(file, choose, len(owners), most)
    filled = any(slot["activation"] == "slaf" for slot in slots)
    normaliser = choose("normaliser")
    shared = {name: choose(name) for name in SHARED} if filled else {}
    placement = tuple(_slot_spec(slot, normaliser, shared, fixed) for slot in slots)
    least = least_widths(placement, owners, file.widths)
    times = depth if linked else 1  # Links need one width for all.
    solved = solve_widths(
        shape,
        (max(least),) if linked else least,
        lambda widths: architecture(file, info, widths * times, placement, extra),
        budget,
        file.widths.most,
    )
    return Candidate(solved, _recipe(file, choose, info, learned=filled or spec is not None))


def unused_dimensions(file: SpaceFile) -> set[str]:
    """Return the dimensions that no candidate of the space needs, as nothing of it is learned."""
    slots = searches_slaf(file)
    found = set() if slots else {*SHARED, *(f"slot.{name}" for name in SLOT)}
    if not may_learn_inputs(file):
        found.update(INPUTS[1:])
        found.update(() if slots else ("routine", "coefficient_rate"))
    return found


def stretch(file: SpaceFile, info: DataInfo) -> int:
    """Return the whole number by which a small table's epochs are multiplied."""
    steps = math.ceil(info.rows / info.batch_size) * file.schedule.epochs
    return max(1, math.ceil(file.schedule.least_steps / steps))


class CandidateChooser:
    """Answers every question as a given candidate would, and notes what was asked."""

    def __init__(self, file: SpaceFile, candidate: Candidate, shape: Scalar) -> None:
        architecture, recipe = candidate.architecture, candidate.recipe
        placement = architecture.placement
        self._answers: dict[str, Scalar] = {
            "depth": len(architecture.widths),
            "shape": shape,
            "normaliser": placement[0].parameters.get("normaliser"),
            "learning_rate": recipe.learning_rate,
            "weight_decay": recipe.weight_decay,
            "routine": recipe.routine,
            "coefficient_rate": recipe.coefficient_rate,
            "pooling": architecture.pooling,
            "blocks": architecture.blocks,
            "kernel": architecture.kernel,
            "head": architecture.head,
            "residual": bool(architecture.residual),
            **input_answers(architecture.input_activation),
            **pattern_answers(file, tuple(map(_searched, architecture.kinds))),
        }
        for i, spec in enumerate(placement):
            self._answers[f"slot{i}.activation"] = _searched(spec.kind)
            if spec.kind == "slaf":
                given = spec.parameters
                for name in SLOT:
                    public = public_names(file, f"slot.{name}", len(placement))
                    self._answers[public[i % len(public)]] = given.get(name)
                self._answers.update({name: given.get(name) for name in SHARED})
        self.asked: dict[str, Scalar] = {}

    def choose(self, name: str, distribution: BaseDistribution) -> Scalar:
        """Return the candidate's own value, or raise a `SpaceError` if the space has it not."""
        value = StoredChooser(self._answers).choose(name, distribution)
        self.asked[name] = value
        return value


def _searched(kind: str) -> str:
    """Return the word of a space for a kind: whatever learns nothing stands where ReLU would."""
    return kind if kind == "slaf" else "relu"


def _slot_spec(
    slot: dict[str, Any], normaliser: Any, shared: dict[str, Any], fixed: str
) -> ActivationSpec:
    if slot["activation"] == "relu":
        return find_kind(fixed).spec(normaliser=normaliser)
    return find_kind("slaf").spec(
        normaliser=normaliser, **shared, **{name: slot[name] for name in SLOT}
    )


def _recipe(
    file: SpaceFile, choose: Callable[..., Any], info: DataInfo, *, learned: bool
) -> Recipe:
    schedule, times = file.schedule, stretch(file, info)
    routine = choose("routine") if learned else "joint"
    return Recipe(
        routine=routine,
        learning_rate=choose("learning_rate"),
        weight_decay=choose("weight_decay"),
        epochs=schedule.epochs * times,
        batch_size=info.batch_size,
        coefficient_rate=choose("coefficient_rate") if routine == "two_speed" else 1.0,
        hold_statistics=HELD if info.task == "regression" else None,
        gradient_clip=schedule.gradient_clip,
        patience=None if schedule.patience is None else schedule.patience * times,
    )
