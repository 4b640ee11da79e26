"""Budgets and costs of `metrics.json` in words, whichever version wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slaf_automl.spec import COSTS, Budget


def budget_in_words(metrics: Mapping[str, Any]) -> str:
    """Return the limits with their units.

    Example:
        >>> budget_in_words({"budget": 5000})
        '5,000 parameters'
        >>> budget_in_words({"budget": None, "limits": {"macs": 9000, "depth": 5}})
        '9,000 macs and 5 levels of multiplicative depth'
    """
    return _budget(metrics).in_words()


def used_in_words(metrics: Mapping[str, Any]) -> str:
    """Return how much of every limit the exported network uses, and always its parameters.

    Example:
        >>> used_in_words({"budget": 5000, "parameters": 4990})
        '4,990 of 5,000 parameters'
        >>> limits, costs = {"relus": 40}, {"parameters": 90, "relus": 38}
        >>> used_in_words({"budget": None, "limits": limits, "costs": costs, "parameters": 90})
        '90 parameters, 38 of 40 ReLU evaluations'
    """
    limits = _budget(metrics).limits  # in the registry's order; a stored file sorts its keys
    costs = {"parameters": metrics["parameters"], **metrics.get("costs", {})}
    parts = [] if "parameters" in limits else [f"{costs['parameters']:,} parameters"]
    parts += [f"{costs[n]:,} of {limit:,} {COSTS[n].word}" for n, limit in limits.items()]
    return ", ".join(parts)


def costs_in_words(metrics: Mapping[str, Any]) -> str:
    """Return every cost of the exported network with its unit.

    Example:
        >>> costs = {"parameters": 90, "macs": 80, "relus": 5, "depth": None}
        >>> costs_in_words({"parameters": 90, "costs": costs})
        '90 parameters, 80 macs, 5 ReLU evaluations, not a polynomial'
        >>> costs_in_words({"parameters": 90})
        '90 parameters'
    """
    costs = metrics.get("costs", {"parameters": metrics["parameters"]})
    # What is None is infinite: only the depth can be.
    return ", ".join(
        "not a polynomial" if costs[name] is None else f"{costs[name]:,} {COSTS[name].word}"
        for name in COSTS
        if name in costs
    )


def _budget(metrics: Mapping[str, Any]) -> Budget:
    """Return the budget; before there were other limits, parameters had the only one."""
    return Budget(**(metrics.get("limits") or {"parameters": metrics["budget"]}))
