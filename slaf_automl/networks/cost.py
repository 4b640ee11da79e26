"""What a deployed network stores and computes, counted from its architecture alone."""

from __future__ import annotations

from slaf_automl.activations.kinds import find_kind
from slaf_automl.activations.standalone import ALL_ABSORBED, scaled_channels, standalone_values
from slaf_automl.networks.families import layout
from slaf_automl.networks.layout import Halve, Layer, SlotStep
from slaf_automl.spec import ActivationSpec, Architecture, Cost, Operations


def count_cost(architecture: Architecture) -> Cost:
    """Count what the deployed network stores and computes, without allocating any of it.

    Convention of `parameters`: weights and biases of every layer; a ReLU nothing; a SLAF slot its
    rows of coefficients; one mean per input column or channel if the inputs are centred; one value
    per input whose gaps are filled.
    Standardisation of inputs and target, normalisers, SLAF constants and clip ranges fold into the
    layers and count nothing, but for those that no layer around can carry: after a sum of two
    branches, constants before zeros are padded, and the map of an input that a SLAF takes at once.
    Equals the element count of `DeployedNetwork(architecture).state_dict()`.

    Convention of the others, for one example: a layer one mac per weight and place, and one level
    of depth; a slot what its kind says (`slaf_automl.spec.COSTS`) at every place, and a mac for
    each number that it scales itself; a maximum over k places k − 1 comparisons and no
    polynomial; averages, sums and centring nothing; of two branches the longer one's depth.

    Example:
        >>> from slaf_automl.activations import find_kind
        >>> slaf = find_kind("slaf").spec(degree=3)
        >>> cost = count_cost(Architecture("mlp", 4, 3, (5,), (slaf,)))
        >>> cost.parameters, cost.macs  # 25 + 15 + 18, 20 + 15 + 15
        (58, 50)
    """
    drawn = layout(architecture)
    parts = [("centre", drawn.centred)] if drawn.centred else []
    parts += [("fills", len(drawn.filled))] if drawn.filled else []
    operations = []
    for step in drawn.flat():
        if isinstance(step, Layer):
            name = f"layers.{step.index}"
            parts += [(f"{name}.weight", step.weights), (f"{name}.bias", step.outputs)]
            macs, depth = step.weights * step.positions, 0 if step.beside else 1
            operations.append(Operations(name, macs=macs, depth=depth))
        elif isinstance(step, SlotStep):
            stored, computed = _slot(step, architecture.specs[step.index])
            if stored:
                name = f"slots.{step.index}"
                alone = step.absorbed != ALL_ABSORBED
                parts.append((name if alone else f"{name}.coefficients", stored))
            operations.append(computed)
        elif isinstance(step, Halve) and step.comparisons:
            operations.append(Operations("max", relus=step.comparisons * step.outputs, depth=None))
    return Cost(tuple(parts), tuple(operations))


def _slot(step: SlotStep, spec: ActivationSpec) -> tuple[int, Operations]:
    """Return what a slot stores and computes."""
    kind, channels = find_kind(spec.kind), step.channels
    stored, macs = kind.stored_values(spec, channels), kind.macs(spec, channels)
    if step.absorbed != ALL_ABSORBED:
        stored = standalone_values(spec, channels, step.absorbed)
        macs += scaled_channels(spec, channels, step.absorbed)
    relus = kind.relus(spec, channels) * step.positions
    return stored, Operations(
        f"slots.{step.index}", macs * step.positions, relus, kind.depth(spec, channels)
    )
