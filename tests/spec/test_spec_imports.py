"""The values know the standard library only, so that any process can read them cheaply."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "optuna", "lightning", "numpy", "yaml", "sklearn")


@pytest.mark.parametrize("module", ["slaf_automl", "slaf_automl.errors", "slaf_automl.spec"])
def test_import_loads_nothing_heavy(module):
    code = f"import sys, {module}; sys.exit(' '.join({set(HEAVY)!r} & sys.modules.keys()) or 0)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert child.returncode == 0, child.stderr
