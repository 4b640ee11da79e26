"""What the narrowest networks of a space cost: the least that a budget must allow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from optuna.distributions import IntDistribution

from slaf_automl.activations import find_kind
from slaf_automl.networks import FAMILIES, count_cost
from slaf_automl.networks.widths import Widths, least_widths
from slaf_automl.spaces.dimensions import Searched
from slaf_automl.spaces.inputs import costliest_inputs
from slaf_automl.spaces.schema import SpaceFile
from slaf_automl.spaces.slot_kinds import Kinds, extreme_kinds
from slaf_automl.spec import (
    COSTS,
    HEADS,
    POOLINGS,
    ActivationSpec,
    Architecture,
    DataInfo,
    Scalar,
)


def architecture(
    file: SpaceFile,
    info: DataInfo,
    widths: Widths,
    placement: tuple[ActivationSpec, ...],
    extra: Mapping[str, Any],
) -> Architecture:
    """Return the architecture of these widths and placement for this data.

    Args:
        file: the space.
        info: the data.
        widths: units or channels of each layer.
        placement: what each slot holds.
        extra: the values of the dimensions that only the family has.
    """
    return Architecture(
        family=file.family,
        inputs=len(info.features),
        outputs=info.outputs,
        widths=widths,
        placement=placement,
        centred_inputs=info.centred_inputs,
        image=info.image if FAMILIES[file.family].images else None,
        filled_inputs=info.filled,
        **extra,
    )


def slot_owners(file: SpaceFile, layers: int, blocks: int | None) -> tuple[int, ...]:
    """Return for each slot of a network with so many widths the number of its width."""
    return FAMILIES[file.family].widths_of_slots(layers, blocks)


def depth_range(file: SpaceFile) -> tuple[int, int]:
    """Return the least and the greatest number of hidden layers that the file names."""
    depths = [int(value or 1) for value in file.dimensions["depth"].values()]
    return min(depths), max(depths)


def most_blocks(file: SpaceFile) -> int | None:
    """Return the greatest number of blocks a stage, None for a family without."""
    if "blocks" not in file.dimensions:
        return None
    return max(int(value or 1) for value in file.dimensions["blocks"].values())


def widest_kernel(file: SpaceFile) -> int | None:
    """Return the most places of a convolution's window, None for a family that fixes them."""
    return max(_kernels(file), default=None)


def may_link(file: SpaceFile) -> bool:
    """Say whether some network may have identity links."""
    return "residual" in file.dimensions and True in file.dimensions["residual"].values()


def searches_slaf(file: SpaceFile) -> bool:
    """Say whether some slot may be SLAF."""
    return "slaf" in extreme_kinds(file, 1)[-1]


def narrowest(file: SpaceFile, info: DataInfo, layers: int) -> dict[str, float]:
    """Return, cost by cost, the most that any placement costs at its narrowest widths.

    A budget of at least these limits fits every candidate of so many layers. Where a hybrid share
    needs wider layers than the file's least width, `parameters` and `macs` may be a little more
    than the costliest candidate's; `relus` and `depth` never are.
    """
    sized = _Sized(file, info, layers)
    extremes = extreme_kinds(file, sized.slots)
    costs = [
        sized.cost(kinds, costliest, sized.least(kinds, widest))
        for costliest, widest in _costliest(file)
        for kinds in extremes
    ]
    totals = {name: max(cost[name] for cost in costs) for name in COSTS}
    # A wide layer has a ReLU channel for every hybrid share, a narrow one need not.
    wide = (file.widths.most,) * layers
    placements = [(kinds, specs) for specs in _slots(file) for kinds in extremes]
    totals["relus"] = max(sized.cost(k, s, sized.least(k, s))["relus"] for k, s in placements)
    totals["depth"] = max(sized.cost(k, s, wide)["depth"] for k, s in placements)
    return totals


Specs = Mapping[str, ActivationSpec]
"""The spec of every slot of a kind, by the kind's name."""


class _Sized:
    """Networks of so many layers, as costly in all else as the file allows."""

    def __init__(self, file: SpaceFile, info: DataInfo, layers: int) -> None:
        self._file, self._info = file, info
        self._owners = slot_owners(file, layers, most_blocks(file))
        self._extras = _extras(file)
        self._linked = layers > 1 and may_link(file)
        if self._linked:  # They store no less than others.
            self._extras = [{**extra, "residual": True} for extra in self._extras]

    @property
    def slots(self) -> int:
        """How many slots there are."""
        return len(self._owners)

    def least(self, kinds: Kinds, specs: Specs) -> Widths:
        """Return the narrowest widths for these slots."""
        placement = tuple(specs[kind] for kind in kinds)
        widths = least_widths(placement, self._owners, self._file.widths)
        return (max(widths),) * len(widths) if self._linked else widths

    def cost(self, kinds: Kinds, specs: Specs, widths: Widths) -> dict[str, float]:
        """Return the most that the network costs, cost by cost, whatever else the file allows."""
        placement = tuple(specs[kind] for kind in kinds)
        costs = [
            count_cost(architecture(self._file, self._info, widths, placement, extra)).totals
            for extra in self._extras
        ]
        return {name: max(cost[name] for cost in costs) for name in COSTS}


def _extras(file: SpaceFile) -> list[dict[str, Any]]:
    """Return values of the family's own dimensions; whatever the others cost, one costs as much."""
    spec = costliest_inputs(file)
    inputs: dict[str, Any] = {} if spec is None else {"input_activation": spec}
    # Of these the first costs most: a maximum compares, which an average does not, and a flattened
    # map has more weights than its mean.
    ordered = {"pooling": POOLINGS, "head": HEADS[::-1]}
    some: dict[str, list[Scalar]] = {
        name: [next(word for word in words if word in file.dimensions[name].values())]
        for name, words in ordered.items()
        if name in file.dimensions
    }
    if "blocks" in file.dimensions:
        some["blocks"] = [most_blocks(file)]
    if kernels := _kernels(file):  # The wider, the more weights, but at fewer places.
        some["kernel"] = list(kernels)
    return [
        {**dict(zip(some, values, strict=True)), **inputs}
        for values in itertools.product(*some.values())
    ]


def _kernels(file: SpaceFile) -> list[int]:
    """Return every window of the file, ascending; none of a family that fixes them."""
    dimension = file.dimensions.get("kernel")
    values = [] if dimension is None else sorted(int(value or 1) for value in dimension.values())
    if isinstance(dimension, Searched) and isinstance(dimension.distribution, IntDistribution):
        return list(range(values[0], values[-1] + 1))
    return values


def _costliest(file: SpaceFile) -> Iterator[tuple[Specs, Specs]]:
    """Yield specs of which some store, and some compute, most; with those that need most width."""
    dimensions = file.dimensions
    hybrids, degree = _hybrids(file), _degree(file)
    for sharing in dimensions["sharing"].values():
        for normaliser in dimensions["normaliser"].values():
            chosen: dict[str, Scalar] = {"sharing": sharing, "normaliser": normaliser}
            relu = find_kind("relu").spec(normaliser=normaliser)
            # The least hybrid share stores most; the greatest may need wider layers to be possible.
            costliest, widest = (
                {"relu": relu, "slaf": find_kind("slaf").spec(degree=degree, hybrid=h, **chosen)}
                for h in (hybrids[0], hybrids[-1])
            )
            yield costliest, widest


def _slots(file: SpaceFile) -> Iterator[Specs]:
    """Yield specs of which some evaluate most ReLUs and comparisons, and some are deepest."""
    dimensions = file.dimensions
    relu = find_kind("relu").spec()
    for basis in dimensions["slot.basis"].values():
        for hybrid in _hybrids(file):
            for clip in dimensions["clip"].values():
                chosen = {"basis": basis, "hybrid": hybrid, "clip": clip}
                yield {"relu": relu, "slaf": find_kind("slaf").spec(degree=_degree(file), **chosen)}


def _hybrids(file: SpaceFile) -> tuple[float, float]:
    """Return the least and the greatest share of ReLU channels.

    ReLU evaluations at the narrowest width are most at one of the two: without a clip they grow
    with the share; with one they fall until the share asks for wider layers, and then grow.
    """
    shares = [float(value or 0.0) for value in file.dimensions["slot.hybrid"].values()]
    return min(shares), max(shares)


def _degree(file: SpaceFile) -> int:
    return max(int(value or 1) for value in file.dimensions["slot.degree"].values())
