"""The Python of the documentation runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
BLOCKS = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in sorted(DOCS.glob("*.md"))
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    )
]


@pytest.mark.parametrize("code", BLOCKS)
def test_the_block_runs(code):
    # A process of its own: what a page registers must not stay for other tests.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_there_is_something_to_run():
    assert len(BLOCKS) >= 2
