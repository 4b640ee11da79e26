"""Which depths a budget allows, decided before anything is sampled."""

from __future__ import annotations

from optuna.distributions import IntDistribution

from slaf_automl.activations import find_kind
from slaf_automl.errors import BudgetError
from slaf_automl.networks import count_cost
from slaf_automl.networks.widths import least_widths
from slaf_automl.spaces.dimensions import Searched
from slaf_automl.spaces.schema import SpaceFile
from slaf_automl.spec import ActivationSpec, Architecture, Budget, DataInfo, Scalar


def architecture(
    file: SpaceFile,
    info: DataInfo,
    widths: tuple[int, ...],
    placement: tuple[ActivationSpec, ...],
) -> Architecture:
    """Return the architecture of these widths and placement for this data."""
    return Architecture(
        family=file.family,
        inputs=len(info.features),
        outputs=info.outputs,
        widths=widths,
        placement=placement,
        centred_inputs=info.centred_inputs,
    )


def depth_range(file: SpaceFile) -> tuple[int, int]:
    """Return the least and the greatest depth that the file names."""
    depths = [int(value or 1) for value in file.dimensions["depth"].values()]
    return min(depths), max(depths)


def depth_distribution(file: SpaceFile, most: int) -> IntDistribution:
    """Return the distribution of depths up to `most`."""
    dimension = file.dimensions["depth"]
    log = isinstance(dimension, Searched) and bool(getattr(dimension.distribution, "log", False))
    return IntDistribution(depth_range(file)[0], most, log=log)


def searches_slaf(file: SpaceFile) -> bool:
    """Say whether some slot may be SLAF."""
    return "slaf" in file.dimensions["slot.activation"].values()


def deepest(file: SpaceFile, info: DataInfo, budget: Budget) -> int:
    """Return the largest depth of which every placement fits the budget.

    Raises:
        BudgetError: not even the least depth; the message names the smallest budget that would do.
    """
    low, high = depth_range(file)
    fitting = [d for d in range(low, high + 1) if narrowest(file, info, d) <= budget.parameters]
    if not fitting:
        raise BudgetError(
            f"a budget of {budget.parameters:,} parameters",
            expected=f"at least {narrowest(file, info, low):,} for space {file.name!r} on "
            f"{len(info.features)} features and {info.outputs} outputs",
            remedy="raise the budget",
        )
    return fitting[-1]


def narrowest(file: SpaceFile, info: DataInfo, depth: int) -> int:
    """Return the cost of the costliest placement at the narrowest widths of this depth."""
    if not searches_slaf(file):
        relu = (find_kind("relu").spec(),) * depth
        return _cost(file, info, least_widths(relu, file.widths), relu)
    dimensions = file.dimensions
    hybrids = sorted(float(v or 0.0) for v in dimensions["slot.hybrid"].values())
    degree = max(int(v or 1) for v in dimensions["slot.degree"].values())
    costs = []
    for sharing in dimensions["sharing"].values():
        for normaliser in dimensions["normaliser"].values():
            chosen: dict[str, Scalar] = {"sharing": sharing, "normaliser": normaliser}
            # The least hybrid share stores most; the greatest may need wider layers to be possible.
            costliest, widest = (
                find_kind("slaf").spec(degree=degree, hybrid=h, **chosen)
                for h in (hybrids[0], hybrids[-1])
            )
            widths = least_widths((widest,) * depth, file.widths)
            costs.append(_cost(file, info, widths, (costliest,) * depth))
    return max(costs)


def _cost(
    file: SpaceFile,
    info: DataInfo,
    widths: tuple[int, ...],
    placement: tuple[ActivationSpec, ...],
) -> int:
    return count_cost(architecture(file, info, widths, placement)).parameters
