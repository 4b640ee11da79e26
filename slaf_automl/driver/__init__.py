"""The search driver: studies, jobs, resume, interruption. It never sees torch."""

from slaf_automl.driver.desk import Arm, Driver
from slaf_automl.driver.identity import Identity, stored_budget
from slaf_automl.driver.interruption import Interruption
from slaf_automl.driver.progress import ProgressLine, StepLine
from slaf_automl.driver.reading import ReadStudies, read_studies
from slaf_automl.driver.run import RunFolder
from slaf_automl.driver.seeds import derive_seed

__all__ = [
    "Arm",
    "Driver",
    "Identity",
    "Interruption",
    "ProgressLine",
    "ReadStudies",
    "RunFolder",
    "StepLine",
    "derive_seed",
    "read_studies",
    "stored_budget",
]
