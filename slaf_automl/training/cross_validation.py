"""The evaluator that trains each candidate on every fold, and stops those that cannot win."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from slaf_automl.spec import Desk, Evaluator, Job, Report, TrialResult
from slaf_automl.training.data import TableData


@dataclass(frozen=True)
class FoldsEvaluator:
    """Trains jobs fold by fold; a job's value is the mean over the folds.

    After every fold each job reports its value there, as the step of the fold's number, so that a
    pruner can compare it with the best trial fold by fold (Optuna's WilcoxonPruner). A job that is
    interrupted begins anew.

    Args:
        folds: the data, once a fold.
        evaluator: data ↦ what trains candidates on them, without rungs.
        places: jobs at once.
    """

    folds: Sequence[TableData]
    evaluator: Callable[[TableData], Evaluator]
    places: int

    def __call__(self, desk: Desk) -> None:
        """Work until the desk has no more jobs."""
        while jobs := desk.pull(self.places):
            self._evaluate(jobs, desk)

    def _evaluate(self, jobs: list[Job], desk: Desk) -> None:
        found: dict[int, list[TrialResult]] = {id(job): [] for job in jobs}
        for number, data in enumerate(self.folds, start=1):
            inner = _FoldDesk(jobs, desk.stopping)
            self.evaluator(data)(inner)
            for job, result in inner.results:
                found[id(job)].append(result)
            if any(result.state == "interrupted" for _, result in inner.results):
                desk.finish([(job, _together(found[id(job)], "interrupted")) for job in jobs])
                return
            going = desk.report([Report(job, number, found[id(job)][-1].value) for job in jobs])
            if number < len(self.folds):
                pruned = [job for job, goes_on in zip(jobs, going, strict=True) if not goes_on]
                desk.finish([(job, _together(found[id(job)], "pruned")) for job in pruned])
                jobs = [job for job, goes_on in zip(jobs, going, strict=True) if goes_on]
                if not jobs:
                    return
        desk.finish([(job, _together(found[id(job)], "complete")) for job in jobs])


def _together(results: list[TrialResult], state: str) -> TrialResult:
    """Return one result of those of several folds."""
    return TrialResult(
        state,
        statistics.fmean(result.value for result in results),
        sum(result.epochs for result in results),
        any(result.diverged for result in results),
        sum(result.seconds for result in results),
    )


@dataclass
class _FoldDesk:
    """Hands the same jobs out once, on one fold, and keeps how they ended."""

    waiting: list[Job]
    stop: Callable[[], bool]
    results: list[tuple[Job, TrialResult]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waiting = list(self.waiting)

    def pull(self, count: int = 1) -> list[Job]:
        """Return up to `count` jobs that were not handed out yet."""
        jobs, self.waiting = self.waiting[:count], self.waiting[count:]
        return jobs

    def report(self, reports: Sequence[Report]) -> list[bool]:
        """Let all go on: what is compared is whole folds."""
        return [True] * len(reports)

    def finish(self, results: Sequence[tuple[Job, TrialResult]]) -> None:
        """Keep how jobs ended."""
        self.results += results

    def stopping(self) -> bool:
        """Say whether the search is ending."""
        return self.stop()
