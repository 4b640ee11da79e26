"""Slots of any network: finding them, and putting learned activations in their place."""

from slaf_automl.networks.slots.deploy import deploy_slots
from slaf_automl.networks.slots.find import find_slots
from slaf_automl.networks.slots.kinds import MODULES
from slaf_automl.networks.slots.replace import replace
from slaf_automl.networks.slots.sensitivity import sensitivity_order
from slaf_automl.networks.slots.sequence import CallSequence

__all__ = [
    "MODULES",
    "CallSequence",
    "deploy_slots",
    "find_slots",
    "replace",
    "sensitivity_order",
]
