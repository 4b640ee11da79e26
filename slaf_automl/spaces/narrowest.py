"""What the narrowest networks of a space cost: the least that a budget must allow."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from slaf_automl.activations import find_kind
from slaf_automl.networks import count_cost
from slaf_automl.networks.widths import least_widths
from slaf_automl.spaces.schema import SpaceFile
from slaf_automl.spaces.slot_kinds import Kinds, extreme_kinds
from slaf_automl.spec import COSTS, ActivationSpec, Architecture, DataInfo, Scalar


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
    """Return the least and the greatest number of hidden layers that the file names."""
    depths = [int(value or 1) for value in file.dimensions["depth"].values()]
    return min(depths), max(depths)


def searches_slaf(file: SpaceFile) -> bool:
    """Say whether some slot may be SLAF."""
    return "slaf" in extreme_kinds(file, 1)[-1]


def narrowest(file: SpaceFile, info: DataInfo, layers: int) -> dict[str, float]:
    """Return, cost by cost, the most that any placement costs at its narrowest widths.

    A budget of at least these limits fits every candidate of so many layers. Where a hybrid share
    needs wider layers than the file's least width, `parameters` and `macs` may be a little more
    than the costliest candidate's; `relus` and `depth` never are.
    """
    extremes = extreme_kinds(file, layers)
    most = extremes[-1]
    if "slaf" in most:
        costs = [count_cost(a).totals for a in _costliest(file, info, most)]
    else:
        relu = (find_kind("relu").spec(),) * layers
        widths = least_widths(relu, file.widths)
        costs = [count_cost(architecture(file, info, widths, relu)).totals]
    totals = {name: max(cost[name] for cost in costs) for name in COSTS}
    relus, depths = _slot_costs(file, set().union(*extremes))
    return {
        **totals,
        "relus": max(sum(relus[kind] for kind in kinds) for kinds in extremes),
        "depth": max(sum(depths[kind] for kind in kinds) for kinds in extremes) + layers + 1,
    }


def _costliest(file: SpaceFile, info: DataInfo, kinds: Kinds) -> Iterator[Architecture]:
    """Yield the networks of which one stores, and one computes, most."""
    dimensions = file.dimensions
    hybrids, degree = _hybrids(file), _degree(file)
    for sharing in dimensions["sharing"].values():
        for normaliser in dimensions["normaliser"].values():
            chosen: dict[str, Scalar] = {"sharing": sharing, "normaliser": normaliser}
            # The least hybrid share stores most; the greatest may need wider layers to be possible.
            relu = find_kind("relu").spec(normaliser=normaliser)
            costliest, widest = (
                {"relu": relu, "slaf": find_kind("slaf").spec(degree=degree, hybrid=h, **chosen)}
                for h in (hybrids[0], hybrids[-1])
            )
            widths = least_widths(tuple(widest[kind] for kind in kinds), file.widths)
            yield architecture(file, info, widths, tuple(costliest[kind] for kind in kinds))


def _slot_costs(file: SpaceFile, kinds: Collection[str]) -> tuple[dict[str, int], dict[str, float]]:
    """Return by kind the most ReLU evaluations of a slot at its narrowest width, and its depth."""
    relus: dict[str, int] = {}
    depths: dict[str, float] = {}
    for spec in _slots(file, kinds):
        evaluations, depth = _cost_of_slot(file, spec)
        relus[spec.kind] = max(evaluations, relus.get(spec.kind, 0))
        depths[spec.kind] = max(depth, depths.get(spec.kind, 0))
    return relus, depths


def _slots(file: SpaceFile, kinds: Collection[str]) -> Iterator[ActivationSpec]:
    """Yield slots of which one of each kind evaluates most ReLUs, and one is deepest."""
    dimensions = file.dimensions
    if "relu" in kinds:
        yield find_kind("relu").spec()
    if "slaf" in kinds:
        for basis in dimensions["slot.basis"].values():
            for hybrid in _hybrids(file):
                for clip in dimensions["clip"].values():
                    chosen = {"basis": basis, "hybrid": hybrid, "clip": clip}
                    yield find_kind("slaf").spec(degree=_degree(file), **chosen)


def _cost_of_slot(file: SpaceFile, spec: ActivationSpec) -> tuple[int, float]:
    """Return a slot's ReLU evaluations at its narrowest width, and its depth at any."""
    kind, (width,) = find_kind(spec.kind), least_widths((spec,), file.widths)
    depth = kind.depth(spec, file.widths.most)
    return kind.relus(spec, width), math.inf if depth is None else depth


def _hybrids(file: SpaceFile) -> tuple[float, float]:
    """Return the least and the greatest share of ReLU channels.

    ReLU evaluations at the narrowest width are most at one of the two: without a clip they grow
    with the share; with one they fall until the share asks for wider layers, and then grow.
    """
    shares = [float(value or 0.0) for value in file.dimensions["slot.hybrid"].values()]
    return min(shares), max(shares)


def _degree(file: SpaceFile) -> int:
    return max(int(value or 1) for value in file.dimensions["slot.degree"].values())
