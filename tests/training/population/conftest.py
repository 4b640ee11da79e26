"""Shared by the tests of populations."""

import pytest
import torch


@pytest.fixture
def double():
    """Networks, data and updates in float64, where reordered sums leave no trace."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
