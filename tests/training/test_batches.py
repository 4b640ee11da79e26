"""Batches: every row once an epoch, in an order of the seed and the epoch alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slaf_automl.training.data import TensorBatches


def numbered(rows, batch_size, seed=0):
    """Return batches whose features and targets are the row's own number."""
    index = torch.arange(rows)
    return TensorBatches(index[:, None].float(), index, batch_size, seed)


def order(batches, epoch=None):
    if epoch is not None:
        batches.sampler.set_epoch(epoch)
    return torch.cat([y for _, y in batches]).tolist()


SIZES = {"rows": st.integers(1, 200), "batch_size": st.integers(1, 70)}


@given(**SIZES, seed=st.none() | st.integers(0, 2**63 - 1), epoch=st.integers(0, 5000))
@settings(deadline=None, max_examples=100, derandomize=True)
def test_every_row_comes_once_with_its_own_target(rows, batch_size, seed, epoch):
    batches = numbered(rows, batch_size, seed)
    seen = order(batches, None if seed is None else epoch)
    assert sorted(seen) == list(range(rows))
    assert all(torch.equal(x[:, 0].long(), y) for x, y in batches)


@given(**SIZES)
@settings(deadline=None, max_examples=100, derandomize=True)
def test_batches_are_full_but_for_the_last(rows, batch_size):
    batches = numbered(rows, batch_size)
    sizes = [len(y) for _, y in batches]
    assert len(sizes) == len(batches)
    assert all(size == batch_size for size in sizes[:-1])
    assert sizes[-1] <= batch_size + 1


@pytest.mark.parametrize(
    ("rows", "batch_size", "sizes"),
    [
        (33, 16, [16, 17]),  # a row alone joins the batch before: it has no variance
        (34, 16, [16, 16, 2]),
        (32, 16, [16, 16]),
        (17, 16, [17]),
        (15, 16, [15]),
        (1, 16, [1]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_last_batch_of_one_row_joins_the_previous(rows, batch_size, sizes):
    batches = numbered(rows, batch_size)
    assert [len(y) for _, y in batches] == sizes
    assert len(batches) == len(sizes)


def test_order_is_a_function_of_seed_and_epoch():
    first, second = numbered(50, 8, seed=3), numbered(50, 8, seed=3)
    # Whatever was drawn before, and whatever the global state is.
    for epoch in (4, 0, 2):
        order(second, epoch)
    torch.manual_seed(99)
    for epoch in (0, 1, 4):
        assert order(first, epoch) == order(second, epoch)


def test_order_differs_between_epochs_and_seeds():
    orders = [order(numbered(50, 8, seed), epoch) for seed in (0, 1, 2) for epoch in (0, 1, 2)]
    assert len({tuple(o) for o in orders}) == 9


def test_batch_size_does_not_change_the_order():
    assert order(numbered(50, 8), 2) == order(numbered(50, 13), 2)


def test_drawing_leaves_the_global_random_state_alone():
    before = torch.random.get_rng_state()
    order(numbered(50, 8), 1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_without_a_seed_the_rows_keep_their_order():
    batches = numbered(50, 8, seed=None)
    assert batches.sampler is None
    assert order(batches) == list(range(50))


def test_epoch_set_after_the_iterator_was_made_still_counts():
    # Lightning makes the iterator of a resumed epoch before it sets the epoch.
    batches = numbered(50, 8)
    iterator = iter(batches)
    batches.sampler.set_epoch(7)
    assert torch.cat([y for _, y in iterator]).tolist() == order(numbered(50, 8), 7)


@pytest.mark.parametrize(("rows", "features"), [(50, 1), (8193, 1), (300, 2**14)])
def test_ordered_features_come_in_the_table_s_order(rows, features):
    x = torch.arange(rows)[:, None].expand(rows, features)
    found = list(TensorBatches(x, torch.zeros(rows), 8, seed=1).ordered())
    assert torch.equal(torch.cat(found), x)
    # Few rows at once of large ones, so that what is computed of them fits into memory.
    assert len(found[0]) == {1: min(rows, 8192), 2**14: 128}[features]
