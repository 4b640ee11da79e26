"""The evaluator of many jobs: as one after the other, pruned together, resumed, interrupted."""

import math

import pytest
import torch
from small_tables import make_candidate, make_data, relu, slaf
from test_sequential_evaluator import NotingDesk

from slaf_automl.spec import Job
from slaf_automl.training import fit
from slaf_automl.training.population import PopulationEvaluator
from slaf_automl.training.population.fitting import fit_seeds

RUNGS = (2, 4)
STEADY = (slaf(), relu())
"""A placement that float32 follows. Under `relu("element")` a unit positive on a whole batch
has a bias whose gradient is rounding alone, and of that Adam makes whole steps."""


@pytest.fixture(scope="module")
def data():
    return make_data("regression")


@pytest.fixture
def jobs(data, tmp_path):
    candidate = make_candidate(data, STEADY, epochs=5)
    return [
        Job("mix", number, candidate, seed=number, checkpoint=str(tmp_path / f"{number}.ckpt"))
        for number in range(5)
    ]


def work(data, desk, places=3):
    PopulationEvaluator(data, "rmse", RUNGS, places, accelerator="cpu")(desk)
    return desk


def test_every_job_ends_as_it_would_alone(data, jobs):
    desk = work(data, NotingDesk(jobs))
    assert sorted(desk.results) == [0, 1, 2, 3, 4]
    for job in jobs:
        alone = fit(job.candidate, data, seed=job.seed, batch_seed=0, metric="rmse").result
        together = desk.results[job.number]
        assert together.state == "complete"
        assert together.epochs == alone.epochs == 5
        assert together.value == pytest.approx(alone.value, rel=1e-4)
        assert together.seconds > 0


def test_jobs_at_one_rung_are_reported_together_and_free_places_are_filled(data, jobs):
    together = []

    class Counting(NotingDesk):
        def report(self, reports):
            together.append([one.job.number for one in reports])
            return super().report(reports)

    desk = work(data, Counting(jobs, keep=lambda job, epoch: job.number != 1))
    assert desk.results[1].state == "pruned"
    assert desk.results[1].epochs == 2
    # Job 3 takes the place that 1 leaves after two epochs; 4 one that is free after five.
    assert together == [[0, 1, 2], [0, 2, 3], [3], [4], [4]]
    assert {n for n, r in desk.results.items() if r.state == "complete"} == {0, 2, 3, 4}


def test_an_interrupted_job_goes_on_from_its_rung_in_other_company(data, jobs, tmp_path):
    whole = work(data, NotingDesk(jobs[:3]))
    desk = work(data, NotingDesk(jobs[:3], stop=lambda desk: (0, 2) in desk.events))
    assert {result.state for result in desk.results.values()} == {"interrupted"}
    kept = jobs[0].checkpoint
    again = Job("mix", 7, jobs[0].candidate, 0, str(tmp_path / "7.ckpt"), resume_from=kept)
    resumed = work(data, NotingDesk([again]))
    # What it had reported is reported again under its new number.
    assert resumed.events == [(7, 2), (7, 4), (7, "complete")]
    assert resumed.results[7].value == pytest.approx(whole.results[0].value, rel=1e-5)


def test_old_values_may_end_a_resumed_job_at_once(data, jobs, tmp_path):
    work(data, NotingDesk(jobs[:1], stop=lambda desk: (0, 2) in desk.events))
    kept = jobs[0].checkpoint
    again = Job("mix", 7, jobs[0].candidate, 0, str(tmp_path / "7.ckpt"), resume_from=kept)
    desk = work(data, NotingDesk([again, jobs[1]], keep=lambda job, epoch: job.number != 7))
    assert desk.results[7].state == "pruned"
    assert desk.results[7].epochs == 2
    assert desk.results[1].state == "complete"


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_damaged_or_foreign_checkpoint_starts_the_job_anew(data, jobs, tmp_path, content):
    kept = tmp_path / "kept.ckpt"
    if content is None:
        torch.save({"callbacks": {}}, kept)
    else:
        kept.write_bytes(content)
    job = Job("mix", 0, jobs[0].candidate, 0, jobs[0].checkpoint, resume_from=str(kept))
    desk = work(data, NotingDesk([job]))
    assert desk.events[0] == (0, 2)
    assert desk.results[0].epochs == 5


def test_a_diverged_job_is_handed_in_and_the_others_go_on(data, jobs):
    wild = make_candidate(data, epochs=5, learning_rate=1e30, gradient_clip=None)
    jobs[1] = Job("mix", 1, wild, 1, jobs[1].checkpoint)
    desk = work(data, NotingDesk(jobs[:3]))
    assert desk.results[1].diverged
    assert math.isfinite(desk.results[1].value)
    assert not desk.results[0].diverged
    assert desk.results[2].epochs == 5


def test_a_desk_without_jobs_ends_at_once(data):
    assert work(data, NotingDesk([])).events == []


def test_torch_has_its_threads_back(data, jobs):
    before = torch.get_num_threads()
    work(data, NotingDesk(jobs[:2]))
    assert torch.get_num_threads() == before


def assert_fits_alone(data, candidate, tolerance):
    together = fit_seeds(candidate, data, [3, 11], metric="rmse", accelerator="cpu")
    for seed, one in zip((3, 11), together, strict=True):
        alone = fit(candidate, data, seed=seed, metric="rmse", accelerator="cpu")
        assert one.best_epoch == alone.best_epoch
        assert one.result.value == pytest.approx(alone.result.value, rel=tolerance)
        x = data.validation[0]
        assert torch.allclose(one.module(x), alone.module(x), rtol=tolerance, atol=tolerance)


def test_seeds_at_once_are_fits_alone(double):
    data = make_data("regression")
    assert_fits_alone(data, make_candidate(data, epochs=4), 1e-8)


def test_seeds_at_once_are_fits_alone_in_float32(data):
    assert_fits_alone(data, make_candidate(data, STEADY, epochs=4), 1e-4)


def test_every_epoch_is_noted(data):
    candidate = make_candidate(data, epochs=4)
    together = fit_seeds(candidate, data, [3, 11], metric="rmse", accelerator="cpu")
    for seed, one in zip((3, 11), together, strict=True):
        alone = fit(candidate, data, seed=seed, metric="rmse", accelerator="cpu")
        for trained in (one, alone):
            assert len(trained.curve) == 4
            best = trained.curve[trained.best_epoch - 1].value
            assert best == pytest.approx(trained.result.value)
            assert best == min(epoch.value for epoch in trained.curve)
        assert tuple(one.curve[0]) == pytest.approx(tuple(alone.curve[0]), rel=1e-2)


def test_seeds_at_once_stop_when_asked(data):
    candidate = make_candidate(data, epochs=50)
    fits = fit_seeds(candidate, data, [1, 2], metric="rmse", stopping=lambda: True)
    assert [one.result.state for one in fits] == ["interrupted"] * 2
