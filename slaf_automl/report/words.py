"""Specs in words, for tables and cards."""

from __future__ import annotations

from slaf_automl.spec import ActivationSpec


def slot_in_words(spec: ActivationSpec) -> str:
    """Say what fills a slot.

    Example:
        >>> from slaf_automl.activations import find_kind
        >>> slot_in_words(find_kind("slaf").spec(degree=3, hybrid=0.25))
        'slaf chebyshev 3, element-normalised, 25% relu'
        >>> slot_in_words(find_kind("relu").spec())
        'relu'
    """
    parts = [spec.kind]
    if spec.kind == "slaf":
        parts[0] += f" {spec['basis']} {spec['degree']}"
        if spec["sharing"] == "layer":
            parts.append("one row")
    if (normaliser := spec.parameters.get("normaliser", "none")) != "none":
        parts.append(f"{normaliser}-normalised")
    if hybrid := float(spec.parameters.get("hybrid") or 0.0):
        parts.append(f"{hybrid:.0%} relu")
    return ", ".join(parts)
