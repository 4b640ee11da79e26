from collections.abc import Iterator
from pathlib import Path

import pytest

from slaf_automl.driver import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFolder]:
    with RunFolder(tmp_path / "run") as folder:
        yield folder
