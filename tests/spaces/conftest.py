"""Optuna logs every trial; the tests read what it returns instead."""

import optuna
import pytest


@pytest.fixture(autouse=True, scope="session")
def quiet_optuna():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)
