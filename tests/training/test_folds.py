"""Cross-validation: what folds hold, and an evaluator that compares candidates fold by fold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tables import make_candidate, make_data, make_table, normal_rows, relu

from slaf_automl.driver.sampling import pruner_for
from slaf_automl.errors import DataError
from slaf_automl.spec import Job
from slaf_automl.training import SequentialEvaluator, TableData, fit
from slaf_automl.training.cross_validation import FoldsEvaluator
from slaf_automl.training.data.folds import folds
from slaf_automl.training.population import PopulationEvaluator


def rows_of(part):
    return {tuple(row) for row in part[0].tolist()}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_folds_hold_every_row_but_the_test_rows_once(task):
    data = make_data(task)
    cut = folds(data, 5)
    everything = rows_of(data.training) | rows_of(data.validation)
    held = [rows_of(fold.validation) for fold in cut]
    assert set.union(*held) == everything
    assert sum(len(rows) for rows in held) == len(everything)
    for fold, rows in zip(cut, held, strict=True):
        assert rows_of(fold.training) == everything - rows
        mean = fold.training[0].double().mean(0)
        assert torch.allclose(fold.statistics.mean.double(), mean, atol=1e-6)
        assert fold.info.rows == len(fold.training[1])
        assert fold.test_rows == data.test_rows
    assert data.test_openings == 0
    again = folds(data, 5)
    assert all(
        torch.equal(a.validation[0], b.validation[0]) for a, b in zip(cut, again, strict=True)
    )


def test_classes_are_spread_evenly_and_weighed_anew():
    y = np.where(np.arange(150) % 6 == 0, "rare", "frequent")
    data = TableData(make_table(normal_rows(), y), class_weights="balanced")
    for fold in folds(data, 4):
        assert (fold.validation[1] == 1).sum() == 5
        counts = torch.bincount(fold.training[1])
        assert torch.allclose(fold.statistics.class_weights * counts, counts.sum() / 2.0)


def test_groups_stay_whole():
    groups = np.arange(150) // 5
    table = replace(make_table(normal_rows(), normal_rows()[:, 0]), groups=groups)
    data = TableData(table)
    owner = {tuple(np.float32(row).tolist()): g for row, g in zip(table.x, groups, strict=True)}
    held = [{owner[row] for row in rows_of(fold.validation)} for fold in folds(data, 4)]
    assert sum(len(one) for one in held) == len(set.union(*held))


@pytest.mark.parametrize(
    ("count", "message"),
    [(2, "2 folds"), (True, "True folds"), (2.5, "2.5 folds"), (97, "97 folds of 96 rows")],
)
def test_numbers_that_cannot_be_are_refused(count, message):
    data = make_data("regression", rows=120)
    with pytest.raises(DataError, match=message):
        folds(data, count)


def test_times_and_rare_classes_are_refused():
    timed = replace(make_table(normal_rows(), normal_rows()[:, 0]), times=np.arange(150.0))
    with pytest.raises(DataError, match="order of time"):
        folds(TableData(timed), 5)
    y = np.where(np.arange(150) < 8, "rare", "frequent")
    with pytest.raises(DataError, match="7 folds of 6 rows of the rarest class"):
        folds(TableData(make_table(normal_rows(), y)), 7)


class Desk:
    """Hands out some jobs, stops those whose number and fold are named, and keeps the rest."""

    def __init__(self, data, count, stops=(), interrupted_after=None):
        self.jobs = [
            Job("mix", i, make_candidate(data, (relu(),), widths=(3 + i,)), i, f"unused{i}")
            for i in range(count)
        ]
        self.stops, self.interrupted_after = set(stops), interrupted_after
        self.reports, self.results = [], {}

    def pull(self, count=1):
        jobs, self.jobs = self.jobs[:count], self.jobs[count:]
        return jobs if not self.stopping() else []

    def report(self, reports):
        self.reports += [(r.job.number, r.epoch, r.value) for r in reports]
        return [(r.job.number, r.epoch) not in self.stops for r in reports]

    def finish(self, results):
        self.results |= {job.number: result for job, result in results}

    def stopping(self):
        limit = self.interrupted_after
        return limit is not None and len(self.reports) >= limit


@pytest.mark.parametrize("places", [1, 3])
def test_a_value_is_the_mean_over_folds_of_fits_alone(places):
    data = make_data("regression")
    cut, desk = folds(data, 3), Desk(data, 3, stops={(1, 2)})

    def train(fold):
        if places == 1:
            return SequentialEvaluator(fold, "rmse", (), 0, "cpu")
        return PopulationEvaluator(fold, "rmse", (), places, 0, "cpu")

    FoldsEvaluator(cut, train, places)(desk)
    assert {number: result.state for number, result in desk.results.items()} == {
        0: "complete",
        1: "pruned",
        2: "complete",
    }
    assert sorted((number, epoch) for number, epoch, _ in desk.reports) == [
        (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3),
    ]  # fmt: skip
    candidate = make_candidate(data, (relu(),), widths=(5,))
    wanted = [
        fit(candidate, fold, seed=2, batch_seed=0, metric="rmse", accelerator="cpu").result.value
        for fold in cut
    ]
    reported = [value for number, _, value in desk.reports if number == 2]
    assert reported == pytest.approx(wanted, rel=1e-5)
    assert desk.results[2].value == pytest.approx(np.mean(wanted), rel=1e-5)
    assert desk.results[2].epochs == 9


def test_an_interruption_leaves_the_jobs_to_the_next_start():
    data = make_data("regression")
    desk = Desk(data, 2, interrupted_after=2)
    cut = folds(data, 3)
    FoldsEvaluator(cut, lambda fold: PopulationEvaluator(fold, "rmse", (), 2, 0, "cpu"), 2)(desk)
    assert {result.state for result in desk.results.values()} == {"interrupted"}
    assert len(desk.reports) == 2


def test_folds_are_pruned_by_a_signed_rank_test():
    assert type(pruner_for(3, folds=True)).__name__ == "WilcoxonPruner"
