"""What a deployed network stores, counted from its architecture alone."""

from __future__ import annotations

from slaf_automl.activations.kinds import find_kind
from slaf_automl.spec import Architecture, Cost


def count_cost(architecture: Architecture) -> Cost:
    """Count the values the deployed network stores, without allocating any of them.

    Convention: linear layers w·n weights and w biases; a ReLU nothing; a SLAF slot its rows of
    coefficients; one mean per input if the inputs are centred. Standardisation of inputs and
    target, normalisers, SLAF constants and clip ranges fold into the linear layers and count
    nothing. Equals the element count of `DeployedMLP(architecture).state_dict()`.

    Example:
        >>> from slaf_automl.activations import find_kind
        >>> slaf = find_kind("slaf").spec(degree=3)
        >>> count_cost(Architecture("mlp", 4, 3, (5,), (slaf,))).parameters  # 25 + 15 + 18
        58
    """
    parts = [("centre", architecture.inputs)] if architecture.centred_inputs else []
    inputs = architecture.inputs
    for i, (width, spec) in enumerate(
        zip(architecture.widths, architecture.placement, strict=True)
    ):
        parts += [(f"layers.{i}.weight", width * inputs), (f"layers.{i}.bias", width)]
        if stored := find_kind(spec.kind).stored_values(spec, width):
            parts.append((f"slots.{i}.coefficients", stored))
        inputs = width
    last = len(architecture.widths)
    parts += [
        (f"layers.{last}.weight", architecture.outputs * inputs),
        (f"layers.{last}.bias", architecture.outputs),
    ]
    return Cost(tuple(parts))
