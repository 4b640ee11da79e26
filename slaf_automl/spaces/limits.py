"""The part of a space of which every candidate can meet a budget, before anything is sampled."""

from __future__ import annotations

import functools
from collections.abc import Collection
from dataclasses import replace

from optuna.distributions import CategoricalDistribution, IntDistribution

from slaf_automl.activations.bases import find_basis
from slaf_automl.errors import BudgetError, SpaceError
from slaf_automl.networks import FAMILIES
from slaf_automl.networks.families import Family, Image
from slaf_automl.networks.widths import too_small
from slaf_automl.spaces.dimensions import Constant, Dimension, Searched, contains
from slaf_automl.spaces.inputs import few_rows, fewer_inputs, may_learn_inputs, without_inputs
from slaf_automl.spaces.narrowest import depth_range, narrowest, searches_slaf, widest_kernel
from slaf_automl.spaces.schema import INPUTS, SpaceFile
from slaf_automl.spaces.slot_kinds import every_slot
from slaf_automl.spec import Budget, DataInfo, Scalar

_DEPTHS = "take the space 'published', add it to the space file, or leave the depth limit out"

WIDEST = 1_024
"""The largest `widths.most` of a space under a budget that may not limit the widths itself."""


@functools.lru_cache(maxsize=128)  # A study asks for the same at every trial.
def limit_space(file: SpaceFile, info: DataInfo, budget: Budget) -> SpaceFile:
    """Return the space without what the budget rules out: every candidate that is left can meet it.

    - Inputs have no activations of their own where not every candidate with them can meet the
      budget, and where there are few rows for each (`few_rows`); nor a shared one where not every
      candidate with it can; under a limit on `depth` none.
    - Small images and short series lower the greatest number of layers.
    - Any budget may lower it too: of each number that is left, the costliest
      placement fits at the narrowest widths.
    - A limit on `depth` leaves SLAFs of polynomial bases without hybrid share and clip, and cuts
      degrees and layers together: of all cuts under which every candidate fits, the one that leaves
      most placements of degrees, slot by slot (of equals, the one with more layers).
    - A limit on `relus` that not every candidate of the least number of layers can meet takes away
      clips, then hybrid shares, then ReLU slots (all patterns but `all`) and bases that are not
      polynomial; no more than it must.

    The result depends on its arguments alone, so a study has one distribution a name for life.

    Args:
        file: the space.
        info: the data.
        budget: the limits.

    Raises:
        SpaceError: the space is for images or series, and the data are none or too small.
        BudgetError: nothing is left, or the space lacks a value that the budget leaves no choice
            but to take; the message names the limit and the smallest that would do, or the value.
    """
    _require_bounded_widths(file, budget)
    file = _fit_inputs(fit_image(file, info), info, budget)
    if budget.depth is not None:
        return _cut_degrees(_polynomials_only(file), info, budget)
    if budget.relus is not None:
        file = _meet_relus(file, info, budget)
    return _cut_layers(file, info, budget)


def smallest_limits(file: SpaceFile, info: DataInfo, costs: Collection[str]) -> Budget:
    """Return the smallest limit of each of these costs; together they leave a candidate too.

    Raises:
        BudgetError: no limit on the depth would do.
    """
    file = fit_image(file, info)
    file = _plain_inputs(file) if "depth" in costs else [file, *fewer_inputs(file)][-1]
    least = depth_range(file)[0]
    needed = narrowest(file, info, least)
    if "relus" in costs:
        fewest = _ever_fewer_relus(file)[0][-1]
        needed["relus"] = narrowest(fewest, info, least)["relus"]
    if "depth" in costs:
        simplest = _with_degrees(_polynomials_only(file), min(_degrees(file)))
        needed["depth"] = narrowest(simplest, info, least)["depth"]
    return Budget(**{cost: int(needed[cost]) for cost in costs})


def _fit_inputs(file: SpaceFile, info: DataInfo, budget: Budget) -> SpaceFile:
    """Return the space without functions of the inputs that do not fit or have no use.

    With few rows one for each input learns the noise: see `few_rows`.
    """
    if not may_learn_inputs(file):
        return file
    if budget.depth is not None:
        return _plain_inputs(file)
    left = [file, *fewer_inputs(file)]
    for one in left[1:] if few_rows(info) else left:
        if not budget.exceeded(narrowest(one, info, depth_range(one)[0])):
            return one
    return left[-1]  # What cannot be met is refused with the rest.


def _plain_inputs(file: SpaceFile) -> SpaceFile:
    """Return the space with plain inputs alone, as a limit on depth needs them."""
    if (plain := without_inputs(file)) is not None:
        return plain
    raise BudgetError(
        f"{_lacking(file, INPUTS[0], 'none')}, and a depth limit allows nothing else",
        remedy=_DEPTHS,
    )


def fit_image(file: SpaceFile, info: DataInfo) -> SpaceFile:
    """Return the space without the numbers of layers that the images or series are too small for.

    Raises:
        SpaceError: the space is for images or series, and the data are none or too small for any.
    """
    family = FAMILIES[file.family]
    if not family.images:
        return file
    image = _shape(file, family, info)
    most, (low, high) = family.most_widths(image, widest_kernel(file)), depth_range(file)
    assert most is not None
    if low > most:
        given, larger = ("series", "longer") if family.series else ("images", "larger")
        raise SpaceError(
            f"space {file.name!r}, with a depth of at least {low}, on {given} of {image}",
            expected=f"a depth of {most}",
            remedy=f"lower depth in the space file, or take {larger} {given}",
        )
    return file if high <= most else _with_depth(file, low, most)


def _shape(file: SpaceFile, family: Family, info: DataInfo) -> Image:
    """Return the shape of the data's examples, or raise a `SpaceError` if it is of another sort."""
    if info.image is not None and (info.image[1] == 1) == family.series:
        return info.image
    if info.image is None:
        given = f"a table of {len(info.features)} columns"
        fitting = "mlp, or say the shape of the arrays' rows"
    elif family.series:
        given, fitting = f"images of {info.image}", "cnn or resnet"
    else:
        given, fitting = f"series of {info.image}", "conv1d"
    raise SpaceError(
        f"space {file.name!r} on {given}",
        expected="series, of shape (channels, 1, length)" if family.series else "images",
        remedy=f"take a space of the family {fitting}",
    )


def _require_bounded_widths(file: SpaceFile, budget: Budget) -> None:
    if budget.parameters is None and budget.macs is None and file.widths.most > WIDEST:
        raise BudgetError(
            f"widths.most {file.widths.most:,} of space {file.name!r} under a budget of "
            f"{budget.in_words()}, which does not limit widths",
            expected=f"at most {WIDEST:,}",
            remedy="set widths.most in the space file, or limit parameters or macs too",
        )


def _polynomials_only(file: SpaceFile) -> SpaceFile:
    for name, value in (*reversed(_without_relus(file)), ("slot.basis", None)):
        kept = _polynomial_bases(file) if name == "slot.basis" else _keep(file, name, value)
        if kept is None:
            raise BudgetError(
                f"{_lacking(file, name, value)}, and a depth limit allows nothing else",
                remedy=_DEPTHS,
            )
        file = kept
    return file


def _without_relus(file: SpaceFile) -> tuple[tuple[str, Scalar], ...]:
    """Return what must be, step by step, for fewer and fewer ReLU and comparison evaluations."""
    average = (("pooling", "average"),) if "pooling" in file.dimensions else ()
    return (*average, ("clip", None), ("slot.hybrid", 0.0), every_slot(file, "slaf"))


def _meet_relus(file: SpaceFile, info: DataInfo, budget: Budget) -> SpaceFile:
    assert budget.relus is not None
    least, (parts, lacking) = depth_range(file)[0], _ever_fewer_relus(file)
    for part in parts:
        needed = narrowest(part, info, least)
        if needed["relus"] <= budget.relus:
            return part
    error = too_small(budget, needed, _space_in_words(file, info))
    if not lacking:
        raise error
    raise BudgetError(
        f"{error.given}; {lacking}",
        expected=f"{error.expected}, or that value",
        remedy="raise the budget or change the space file",
    )


def _ever_fewer_relus(file: SpaceFile) -> tuple[list[SpaceFile], str]:
    """Return the space, then parts of it with ever fewer ReLU evaluations.

    The last part of all has none, unless the space lacks a value to go on with: then the text says
    which.
    """
    parts = [file]
    if not searches_slaf(file):
        return parts, ""
    for name, value in _without_relus(file):
        kept = _keep(parts[-1], name, value)
        if kept is not None and (name, value) == every_slot(file, "slaf"):
            # What other families compare inside is not counted, so it may not be there.
            name, kept = "slot.basis", _polynomial_bases(kept)
        if kept is None:
            return parts, _lacking(file, name, value)
        parts.append(kept)
    return parts, ""


def _cut_degrees(file: SpaceFile, info: DataInfo, budget: Budget) -> SpaceFile:
    """Cut degrees and layers to the pair under which everything fits and most is left."""
    best, most = None, (0, 0)
    for degree in _degrees(file):
        cut = _with_degrees(file, degree)
        try:
            cut = _cut_layers(cut, info, budget)
        except BudgetError:
            continue
        (low, high), count = depth_range(cut), len(_degrees(cut))
        each = file.encoding == "slots"  # Under a pattern all slots have one degree.
        left = sum(count ** (layers if each else 1) for layers in range(low, high + 1)), high
        if left > most:
            best, most = cut, left
    # With the least degree alone the refusal names the smallest limits that would do.
    return best or _cut_layers(_with_degrees(file, min(_degrees(file))), info, budget)


def _cut_layers(file: SpaceFile, info: DataInfo, budget: Budget) -> SpaceFile:
    """Cut the layers to the most of which every placement fits at the narrowest widths."""
    low, high = depth_range(file)
    needed = narrowest(file, info, low)
    if budget.exceeded(needed):
        raise too_small(budget, needed, _space_in_words(file, info))
    fitting = low
    while fitting < high and not budget.exceeded(narrowest(file, info, fitting + 1)):
        fitting += 1
    return _with_depth(file, low, fitting)


def _with_depth(file: SpaceFile, low: int, high: int) -> SpaceFile:
    dimension = file.dimensions["depth"]
    if isinstance(dimension, Constant):
        return file
    log = bool(getattr(dimension.distribution, "log", False))
    return _with(file, "depth", Searched(IntDistribution(low, high, log=log)))


def _degrees(file: SpaceFile) -> list[int]:
    """Return every degree of the file, ascending."""
    dimension = file.dimensions["slot.degree"]
    values = sorted(int(value or 1) for value in dimension.values())
    if isinstance(dimension, Searched) and isinstance(dimension.distribution, IntDistribution):
        return list(range(values[0], values[-1] + 1))
    return values


def _with_degrees(file: SpaceFile, most: int) -> SpaceFile:
    """Return the space with degrees up to `most`."""
    dimension = file.dimensions["slot.degree"]
    kept = [degree for degree in _degrees(file) if degree <= most]
    if isinstance(dimension, Constant) or len(kept) == len(_degrees(file)):
        return file
    if isinstance(dimension.distribution, IntDistribution) and len(kept) > 1:
        log = dimension.distribution.log
        return _with(file, "slot.degree", Searched(IntDistribution(kept[0], most, log=log)))
    return _with_choices(file, "slot.degree", kept)


def _polynomial_bases(file: SpaceFile) -> SpaceFile | None:
    """Return the space with its polynomial bases alone, None if it has none."""
    names = file.dimensions["slot.basis"].values()
    kept = [name for name in names if find_basis(name).polynomial]
    if len(kept) == len(names):
        return file
    return _with_choices(file, "slot.basis", kept) if kept else None


def _keep(file: SpaceFile, name: str, value: Scalar) -> SpaceFile | None:
    """Return the space with one value of a dimension alone, None if the dimension lacks it."""
    dimension = file.dimensions[name]
    if isinstance(dimension, Constant):
        return file if dimension.value == value else None
    return _with(file, name, Constant(value)) if contains(dimension.distribution, value) else None


def _with_choices(file: SpaceFile, name: str, kept: Collection[Scalar]) -> SpaceFile:
    if len(kept) == 1:
        return _with(file, name, Constant(next(iter(kept))))
    # In the order of the file, which is part of a distribution's identity.
    choices = [value for value in file.dimensions[name].values() if value in kept]
    return _with(file, name, Searched(CategoricalDistribution(choices)))


def _with(file: SpaceFile, name: str, dimension: Dimension) -> SpaceFile:
    return replace(file, dimensions={**file.dimensions, name: dimension})


def _lacking(file: SpaceFile, name: str, value: Scalar) -> str:
    word = {"slot.basis": "a polynomial basis", "clip": "null"}.get(name, str(value))
    return f"{name}: {word} is not among the choices of space {file.name!r}"


def _space_in_words(file: SpaceFile, info: DataInfo) -> str:
    return f"space {file.name!r} on {len(info.features)} features and {info.outputs} outputs"
