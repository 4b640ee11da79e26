"""The evaluator that trains one job at a time, at a desk that notes everything."""

import math

import pytest
from small_tables import make_candidate, make_data

from slaf_automl.spec import Job
from slaf_automl.training import SequentialEvaluator, fit


class NotingDesk:
    """Hands out jobs and notes what comes back."""

    def __init__(self, jobs, keep=lambda job, epoch: True, stop=lambda desk: False):
        self.jobs, self.keep, self.stop = list(jobs), keep, stop
        self.events = []
        self.results = {}
        self.batches = 0

    def pull(self, count=1):
        pulled, self.jobs = self.jobs[:count], self.jobs[count:]
        return pulled

    def report(self, reports):
        assert all(math.isfinite(one.value) for one in reports)
        self.events += [(one.job.number, one.epoch) for one in reports]
        return [self.keep(one.job, one.epoch) for one in reports]

    def finish(self, results):
        self.events += [(job.number, result.state) for job, result in results]
        self.results |= {job.number: result for job, result in results}

    def stopping(self):
        self.batches += 1
        return self.stop(self)


@pytest.fixture(scope="module")
def data():
    return make_data("regression")


@pytest.fixture
def jobs(data, tmp_path):
    candidate = make_candidate(data, epochs=5)
    return [
        Job("mix", number, candidate, seed=number, checkpoint=str(tmp_path / f"{number}.ckpt"))
        for number in range(3)
    ]


def work(data, desk, metric="rmse"):
    SequentialEvaluator(data, metric, (2, 4), accelerator="cpu")(desk)
    return desk


def test_jobs_are_trained_in_turn_with_their_own_seed_and_metric(data, jobs):
    desk = work(data, NotingDesk(jobs), metric="mae")
    assert desk.events == [(n, event) for n in range(3) for event in (2, 4, "complete")]
    for job in jobs:
        alone = fit(
            job.candidate, data, seed=job.seed, batch_seed=0, metric="mae", accelerator="cpu"
        )
        assert desk.results[job.number].value == alone.result.value


def test_job_told_to_stop_is_pruned_and_the_next_goes_on(data, jobs):
    desk = work(data, NotingDesk(jobs, keep=lambda job, epoch: job.number != 1))
    assert [desk.results[n].state for n in range(3)] == ["complete", "pruned", "complete"]
    assert desk.results[1].epochs == 2


def test_stopping_hands_the_running_job_in_as_interrupted(data, jobs):
    desk = work(data, NotingDesk(jobs[:1], stop=lambda desk: (0, 2) in desk.events))
    assert desk.events == [(0, 2), (0, "interrupted")]


def test_rungs_leave_a_checkpoint_that_another_job_resumes_from(data, jobs, tmp_path):
    work(data, NotingDesk(jobs[:1], stop=lambda desk: (0, 4) in desk.events))
    resumed = Job("mix", 7, jobs[0].candidate, 0, str(tmp_path / "7.ckpt"), jobs[0].checkpoint)
    desk = work(data, NotingDesk([resumed]))
    assert desk.events == [(7, 2), (7, 4), (7, "complete")]
    assert desk.batches == 6  # of the one epoch that was left
    assert desk.results[7].value == fit(jobs[0].candidate, data, accelerator="cpu").result.value


def test_desk_without_jobs_ends_the_work_at_once(data):
    assert work(data, NotingDesk([])).events == []
