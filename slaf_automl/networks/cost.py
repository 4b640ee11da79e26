"""What a deployed network stores and computes, counted from its architecture alone."""

from __future__ import annotations

from slaf_automl.activations.kinds import find_kind
from slaf_automl.spec import Architecture, Cost, Operations


def count_cost(architecture: Architecture) -> Cost:
    """Count what the deployed network stores and computes, without allocating any of it.

    Convention of `parameters`: linear layers w·n weights and w biases; a ReLU nothing; a SLAF slot
    its rows of coefficients; one mean per input if the inputs are centred. Standardisation of
    inputs and target, normalisers, SLAF constants and clip ranges fold into the linear layers and
    count nothing. Equals the element count of `DeployedMLP(architecture).state_dict()`.

    Convention of the others, for one example: a linear layer w·n macs and one level of depth; a
    slot what its kind says (`slaf_automl.spec.COSTS`); centring nothing.

    Example:
        >>> from slaf_automl.activations import find_kind
        >>> slaf = find_kind("slaf").spec(degree=3)
        >>> cost = count_cost(Architecture("mlp", 4, 3, (5,), (slaf,)))
        >>> cost.parameters, cost.macs  # 25 + 15 + 18, 20 + 15 + 15
        (58, 50)
    """
    parts = [("centre", architecture.inputs)] if architecture.centred_inputs else []
    operations = []
    inputs = architecture.inputs
    for i, (width, spec) in enumerate(
        zip(architecture.widths, architecture.placement, strict=True)
    ):
        kind = find_kind(spec.kind)
        parts += [(f"layers.{i}.weight", width * inputs), (f"layers.{i}.bias", width)]
        if stored := kind.stored_values(spec, width):
            parts.append((f"slots.{i}.coefficients", stored))
        computed = kind.macs(spec, width), kind.relus(spec, width), kind.depth(spec, width)
        operations += [
            Operations(f"layers.{i}", macs=width * inputs, depth=1),
            Operations(f"slots.{i}", *computed),
        ]
        inputs = width
    last = len(architecture.widths)
    parts += [
        (f"layers.{last}.weight", architecture.outputs * inputs),
        (f"layers.{last}.bias", architecture.outputs),
    ]
    operations.append(Operations(f"layers.{last}", macs=architecture.outputs * inputs, depth=1))
    return Cost(tuple(parts), tuple(operations))
