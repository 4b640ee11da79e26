"""Cross-validation: the rows that are not test rows, cut into folds."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from slaf_automl.errors import DataError
from slaf_automl.training.data.module import TableData
from slaf_automl.training.data.statistics import balanced_weights, measure

FEWEST = 3
"""Of so few values the pruner's test can show nothing."""


def folds(data: TableData, count: int) -> tuple[TableData, ...]:
    """Return the data once a fold: the fold is its validation part, the others its training part.

    Classes are spread evenly, groups stay whole. Means and spreads are those of each fold's own
    training rows; inputs are the data's own, so that one candidate fits all.

    Args:
        data: its test rows are in no fold.
        count: how many.

    Raises:
        DataError: fewer than three folds, more than there are rows, groups or members of the rarest
            class, or rows in the order of time.

    Example:
        >>> [len(fold.validation[1]) for fold in folds(TableData.load("sklearn:iris"), 5)]
        [24, 24, 24, 24, 24]
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < FEWEST:
        raise DataError(f"{count!r} folds", expected=f"an integer of at least {FEWEST}")
    if data.table.times is not None:
        raise DataError("folds of rows in the order of time", expected="a random or grouped split")
    rows = np.concatenate([data.rows.train, data.rows.validation])
    x, y = (torch.cat(pair) for pair in zip(data.training, data.validation, strict=True))
    groups = None if data.table.groups is None else data.table.groups[rows]
    splitter: StratifiedKFold | KFold | GroupKFold
    if groups is not None:
        splitter, most, what = GroupKFold(count), len(np.unique(groups)), "groups"
    elif data.info.classes:
        splitter = StratifiedKFold(count, shuffle=True, random_state=data.split)
        most, what = int(torch.bincount(y).min()), "rows of the rarest class"
    else:
        splitter = KFold(count, shuffle=True, random_state=data.split)
        most, what = len(rows), "rows"
    if count > most:
        raise DataError(f"{count} folds of {most} {what}", expected=f"at most {most} folds")
    parts = splitter.split(np.zeros(len(rows)), y.numpy() if data.info.classes else None, groups)
    return tuple(
        _fold(data, x, y, torch.from_numpy(train), torch.from_numpy(held)) for train, held in parts
    )


def _fold(
    data: TableData, x: torch.Tensor, y: torch.Tensor, train: torch.Tensor, held: torch.Tensor
) -> TableData:
    fold = copy.copy(data)
    fold.training, fold.validation = (x[train], y[train]), (x[held], y[held])
    target = None if data.info.classes else fold.training[1].double().numpy()
    found = measure(data.table, data.info.features, fold.training[0].numpy(), target)
    weights = data.statistics.class_weights
    if weights is not None:
        weights = balanced_weights(fold.training[1].numpy(), len(data.info.classes))
    fold.statistics = replace(found, centred=data.statistics.centred, class_weights=weights)
    fold.info = replace(data.info, rows=len(train))
    return fold
