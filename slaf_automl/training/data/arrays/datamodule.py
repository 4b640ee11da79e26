"""The batches of a user's own LightningDataModule, gathered into an `ArraySet`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, SubsetRandomSampler

from slaf_automl.errors import DataError, SlafError
from slaf_automl.training.data.arrays.array_set import ArraySet
from slaf_automl.training.data.arrays.channels import require_channels_first
from slaf_automl.training.data.arrays.joining import join
from slaf_automl.training.data.arrays.tensors import array_of
from slaf_automl.training.data.parts import given_parts

_PARTS = {"training": "train_dataloader", "validation": "val_dataloader", "test": "test_dataloader"}


def array_set_of_module(module: LightningDataModule) -> ArraySet:
    """Walk a data module's loaders once and return their rows, each in the part it came from.

    A `DataLoader` that shuffles, or drops a last batch, is read whole and in the order of its data
    set; any other with torch's seed 0. What a data set draws at random (augmentation) is drawn
    once. The rows of a part that the module does not have are drawn from its training rows.

    Args:
        module: its batches are pairs `(x, y)` or mappings with `x` and `y`.

    Raises:
        DataError: a method of the module fails, it has no training batches, a batch is something
            else, or the batches do not make an `ArraySet`.
    """
    source = type(module).__name__
    _call(source, "prepare_data", module.prepare_data)
    for stage in ("fit", "test"):
        _call(source, f"setup({stage!r})", partial(module.setup, stage))
    names: list[str] = []
    xs: list[np.ndarray] = []
    ys: list[np.ndarray] = []
    counts = {}
    for part, method in _PARTS.items():
        first = len(xs)
        if is_overridden(method, module, LightningDataModule):
            loader = _one(source, method, _call(source, method, getattr(module, method)))
            for number, (x, y) in enumerate(_batches(source, method, loader), start=1):
                names.append(f"batch {number} of {method}")
                xs.append(x)
                ys.append(y)
        counts[part] = sum(len(x) for x in xs[first:])
        if part == "training" and not counts[part]:
            raise DataError(f"{source} has no training batches", expected="train_dataloader()")
    y = join(source, names, ys)
    ys.clear()
    x = join(source, names, xs)
    xs.clear()
    require_channels_first(source, x)
    return ArraySet(source, x, y, given_parts(**counts))


def _call(source: str, name: str, function: Callable[[], Any]) -> Any:
    """Call the user's own code; its error stays in the traceback behind the one line."""
    try:
        return function()
    except SlafError:
        raise
    except Exception as error:
        raise DataError(f"{source}: {name} failed: {type(error).__name__}: {error}") from error


def _one(source: str, method: str, loaders: Any) -> Any:
    """Return the only loader of a method."""
    if loaders is None:
        return []
    if isinstance(loaders, list | tuple):
        if len(loaders) > 1:
            raise DataError(
                f"{source}.{method} returns {len(loaders)} loaders",
                expected="one",
                remedy="join them with torch.utils.data.ConcatDataset",
            )
        loaders = loaders[0] if loaders else []
    if not isinstance(loaders, Iterable) or isinstance(loaders, Mapping):
        raise DataError(
            f"{source}.{method} returns a {type(loaders).__name__}", expected="one DataLoader"
        )
    return loaders


def _batches(source: str, method: str, loader: Any) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Yield a loader's batches as arrays."""
    # The rows must come in the same order in every process that continues a study.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        number = 0
        iterator = _call(source, method, lambda: iter(_in_order(loader)))
        while True:
            number += 1
            where = f"batch {number} of {method}"
            batch = _call(source, where, lambda: next(iterator, None))
            if batch is None:
                return
            yield _pair(source, where, batch)


def _in_order(loader: Any) -> Any:
    """Return a loader of the same rows, without its shuffling and with its last batch."""
    if type(loader) is not DataLoader or loader.batch_size is None:
        return loader
    sampler = loader.sampler
    if type(sampler) is SubsetRandomSampler:
        order = list(sampler.indices)
    elif type(sampler) is SequentialSampler or (
        type(sampler) is RandomSampler and not sampler.replacement
    ):
        order = list(range(len(sampler)))
        # Some of the rows, drawn anew each time.
        if type(sampler) is RandomSampler and len(sampler) != len(sampler.data_source):
            return loader
    else:
        return loader
    return DataLoader(
        loader.dataset,
        batch_size=loader.batch_size,
        sampler=order,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        multiprocessing_context=loader.multiprocessing_context,
        worker_init_fn=loader.worker_init_fn,
        timeout=loader.timeout,
    )


def _pair(source: str, where: str, batch: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the features `(rows, *)` and targets `(rows,)` or `(rows, targets)` of a batch."""
    if isinstance(batch, Mapping) and "x" in batch and "y" in batch:
        x, y = batch["x"], batch["y"]
    elif isinstance(batch, list | tuple) and len(batch) == 2:
        x, y = batch
    else:
        held = f" of {len(batch)}" if isinstance(batch, list | tuple) else ""
        keys = f" with the keys {list(batch)[:8]}" if isinstance(batch, Mapping) else ""
        raise DataError(
            f"{source}: {where} is a {type(batch).__name__}{held}{keys}",
            expected="a pair (x, y) or a mapping with 'x' and 'y'",
        )
    if not isinstance(x, torch.Tensor | np.ndarray):
        raise DataError(f"{source}: x in {where} is a {type(x).__name__}", expected="a tensor")
    x, y = array_of(source, f"x in {where}", x), array_of(source, f"y in {where}", y)
    if not x.ndim or y.shape[:1] != x.shape[:1]:
        raise DataError(
            f"{source}: {where} has x of the shape {x.shape}, y of {y.shape}",
            expected="as many rows",
        )
    return x, y
