"""Many different candidates trained at once, each as it would train alone."""

from __future__ import annotations

from slaf_automl.training.population.evaluator import PopulationEvaluator
from slaf_automl.training.population.module import PopulationModule, Start, Supervisor
from slaf_automl.training.population.population import Population
from slaf_automl.training.population.standing import Standing

__all__ = [
    "Population",
    "PopulationEvaluator",
    "PopulationModule",
    "Standing",
    "Start",
    "Supervisor",
]
