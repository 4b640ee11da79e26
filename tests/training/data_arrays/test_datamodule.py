"""The rows of a user's own LightningDataModule."""

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from small_tables import make_data
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from slaf_automl.training.data.arrays import (
    TEST,
    TO_SPLIT,
    TRAINING,
    VALIDATION,
    array_set_of_module,
)

TRAIN, VAL, TESTED = range(10), range(10, 14), range(14, 17)


def rows_of(numbers, **options):
    """Return a loader of rows that hold their own numbers."""
    x = torch.tensor(list(numbers), dtype=torch.float32)[:, None].expand(-1, 2)
    return DataLoader(TensorDataset(x.contiguous(), x[:, 0].long()), **{"batch_size": 4} | options)


class Rows(LightningDataModule):
    """A module with each loader that it is given."""

    def __init__(self, train, val=None, test=None):
        super().__init__()
        self.calls = []
        self.loaders = {"train": train, "val": val, "test": test}

    def prepare_data(self):
        self.calls.append("prepare_data")

    def setup(self, stage):
        self.calls.append(f"setup {stage}")

    def train_dataloader(self):
        self.calls.append("train")
        return self.loaders["train"]

    def val_dataloader(self):
        self.calls.append("val")
        return self.loaders["val"]

    def test_dataloader(self):
        self.calls.append("test")
        return self.loaders["test"]


class TrainingOnly(LightningDataModule):
    """The least that a module can have."""

    def train_dataloader(self):
        return rows_of(TRAIN)


def test_given_parts_stay_what_they_are():
    module = Rows(rows_of(TRAIN), rows_of(VAL), rows_of(TESTED))
    held = array_set_of_module(module)
    assert held.part.tolist() == [TRAINING] * 10 + [VALIDATION] * 4 + [TEST] * 3
    assert held.x[:, 1].tolist() == held.y.tolist() == list(range(17))
    assert (held.source, held.target, held.x.dtype) == ("Rows", "label", np.float32)
    assert module.calls == ["prepare_data", "setup fit", "setup test", "train", "val", "test"]


@pytest.mark.parametrize(
    ("val", "test", "parts"),
    [
        (VAL, None, [TO_SPLIT] * 10 + [VALIDATION] * 4),
        (None, TESTED, [TO_SPLIT] * 10 + [TEST] * 3),
        (None, None, None),
    ],
)
def test_a_missing_part_is_left_to_split(val, test, parts):
    module = Rows(rows_of(TRAIN), val and rows_of(val), test and rows_of(test))
    part = array_set_of_module(module).part
    assert (None if part is None else part.tolist()) == parts


def test_loaders_that_a_module_does_not_define_are_missing():
    held = array_set_of_module(TrainingOnly())
    assert (held.y.tolist(), held.part) == (list(TRAIN), None)


def test_a_module_made_from_data_sets():
    module = LightningDataModule.from_datasets(
        rows_of(TRAIN).dataset, test_dataset=rows_of(TESTED).dataset, batch_size=3
    )
    held = array_set_of_module(module)
    assert held.part.tolist() == [TO_SPLIT] * 10 + [TEST] * 3
    # from_datasets shuffles its training rows.
    assert held.y.tolist() == [*TRAIN, *TESTED]


def test_the_projects_own_module_is_one_too():
    data = make_data("multiclass")
    held = array_set_of_module(data)
    counts = [len(data.validation[0]), data.test_rows, len(data.training[0])]
    assert np.bincount(held.part)[1:].tolist() == counts
    assert data.test_openings == 1


def test_shuffling_and_dropping_are_undone():
    held = array_set_of_module(Rows(rows_of(TRAIN, shuffle=True, drop_last=True)))
    assert held.y.tolist() == list(TRAIN)


def test_a_shuffled_subset_stays_a_subset():
    train = rows_of(range(10), sampler=SubsetRandomSampler([8, 2, 5, 0]))
    val = rows_of(range(10), sampler=SequentialSampler(range(3)))
    held = array_set_of_module(Rows(train, val))
    assert held.y.tolist() == [8, 2, 5, 0, 0, 1, 2]


@pytest.mark.parametrize(
    "sampler",
    [
        WeightedRandomSampler([1.0] * 10, 6),
        RandomSampler(range(10), num_samples=6),
        RandomSampler(range(10), replacement=True, num_samples=6),
    ],
)
def test_rows_drawn_at_random_are_the_same_each_time(sampler):
    module = Rows(rows_of(TRAIN, sampler=sampler))
    state = torch.get_rng_state()
    first = array_set_of_module(module).y.tolist()
    assert torch.equal(state, torch.get_rng_state())
    torch.rand(3)
    assert array_set_of_module(module).y.tolist() == first
    assert len(first) == 6


def test_a_batch_sampler_of_ones_own_is_kept():
    loader = DataLoader(rows_of(TRAIN).dataset, batch_sampler=[[3, 1], [4]])
    assert array_set_of_module(Rows(loader)).y.tolist() == [3, 1, 4]


class Stream(IterableDataset):
    def __iter__(self):
        return ((torch.full((1, 3, 3), float(i)), i % 2) for i in range(5))


def test_streams_and_plain_iterables_are_walked():
    held = array_set_of_module(Rows(DataLoader(Stream(), batch_size=2)))
    assert (held.image, held.y.tolist()) == ((1, 3, 3), [0, 1, 0, 1, 0])
    batches = [(np.zeros((2, 3)), ["a", "b"]), (np.ones((1, 3)), ["c"])]
    assert array_set_of_module(Rows(iter(batches))).y.tolist() == ["a", "b", "c"]


def test_images_stay_eight_bit():
    images = TensorDataset(torch.zeros(6, 1, 4, 4, dtype=torch.uint8), torch.arange(6))
    held = array_set_of_module(Rows([DataLoader(images, batch_size=4)]))
    assert (held.x.dtype, held.x.shape) == (np.uint8, (6, 1, 4, 4))


def test_batches_may_be_mappings():
    batch = {"x": torch.zeros(3, 2), "y": torch.arange(3), "name": ["a", "b", "c"]}
    assert array_set_of_module(Rows(iter([batch]))).y.tolist() == [0, 1, 2]


X = torch.zeros(3, 2)


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([(X, torch.arange(3), 1)], ["batch 1 of train_dataloader is a tuple of 3", "pair (x, y)"]),
        ([X], ["batch 1 of train_dataloader is a Tensor"]),
        ([(X, torch.arange(3)), {"image": X}], ["batch 2", "dict with the keys ['image']"]),
        ([(X, torch.arange(2))], ["x of the shape (3, 2), y of (2,)", "as many rows"]),
        ([(torch.tensor(1.0), torch.tensor(1))], ["x of the shape ()"]),
        ([([X, X], torch.arange(3))], ["x in batch 1 of train_dataloader is a list"]),
        (
            [(X, torch.arange(3)), (torch.zeros(3, 5), torch.arange(3))],
            ["the rows of batch 1 of train_dataloader have the shape (2,)", "batch 2", "(5,)"],
        ),
        ([], ["has no training batches"]),
        (None, ["has no training batches"]),
        (7, ["train_dataloader returns a int", "one DataLoader"]),
        ({"a": [X]}, ["train_dataloader returns a dict"]),
        ([rows_of(TRAIN), rows_of(VAL)], ["returns 2 loaders", "ConcatDataset"]),
        ([(X, torch.full((3,), torch.nan))], ["row 1, target 'label': nan"]),
    ],
)
def test_other_batches_are_refused(complaint, batches, words):
    # A loader in a list is a list of loaders to Lightning, so plain batches come as an iterator.
    plain = isinstance(batches, list) and not isinstance((batches or [0])[0], DataLoader)
    message = complaint(array_set_of_module, Rows(iter(batches) if plain else batches))
    assert message.startswith("Rows")
    assert all(word in message for word in words), message


class Failing(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        raise KeyError("no such picture")


@pytest.mark.parametrize("method", ["prepare_data", "setup", "train_dataloader"])
def test_errors_of_the_module_keep_their_cause(complaint, monkeypatch, method):
    def fail(*_):
        raise OSError("the disk\nis gone")

    monkeypatch.setattr(Rows, method, fail)
    message = complaint(array_set_of_module, Rows(rows_of(TRAIN)))
    assert f"Rows: {method}" in message
    assert "failed: OSError: the disk is gone" in message


def test_errors_of_the_data_set_name_the_batch(complaint):
    message = complaint(array_set_of_module, Rows(DataLoader(Failing(), batch_size=2)))
    assert "Rows: batch 1 of train_dataloader failed: KeyError: 'no such picture'" in message
