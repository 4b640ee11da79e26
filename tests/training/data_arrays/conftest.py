"""Shared by the tests of arrays: the one line that a bad input must raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slaf_automl.errors import DataError


@pytest.fixture
def complaint() -> Callable[..., str]:
    """Call a reader and return the message of the error that it must raise: one line."""

    def call(reader: Callable[..., Any], *args: Any, **options: Any) -> str:
        with pytest.raises(DataError) as caught:
            reader(*args, **options)
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        return message

    return call
