"""A supervised training: rungs, pruning, interruption, and resuming bit for bit."""

from dataclasses import replace

import pytest
import torch
from small_tables import (
    HOPELESS,
    make_candidate,
    make_contrary_data,
    make_data,
    relu,
    same_state,
    slaf,
)

from slaf_automl.training import METRICS, Supervision, fit
from slaf_automl.training.baselines import constant_value

RUNGS = (2, 4)
EPOCHS = 7


class Watcher:
    """Notes what is reported, and stops some batches after a rung."""

    def __init__(self, stop_after=None, batches=9):
        self.reports = []
        self.stop_after, self.batches = stop_after, batches

    def report(self, epoch, value):
        self.reports.append((epoch, value))
        return True

    def stopping(self):
        if self.stop_after is None or not any(e >= self.stop_after for e, _ in self.reports):
            return False
        self.batches -= 1
        return self.batches < 0

    def supervision(self, **options):
        return Supervision(rungs=RUNGS, report=self.report, stopping=self.stopping, **options)


def train(candidate, data, supervision, seed=3):
    return fit(candidate, data, seed=seed, accelerator="cpu", supervision=supervision)


@pytest.fixture(scope="module")
def data():
    return make_data("regression")


def make_resumable(data, **recipe):
    # Running statistics, tracked ranges and Adam's moments all have to come back.
    placement = (slaf(), slaf(normaliser="input", hybrid=0.5), relu("element"))
    return make_candidate(data, placement, epochs=EPOCHS, **recipe)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("routine", ["joint", "alternate", "warm_start"])
def test_interrupted_and_resumed_equals_uninterrupted_bit_for_bit(data, tmp_path, routine, rung):
    candidate = make_resumable(data, routine=routine)
    whole_watcher = Watcher()
    whole = train(candidate, data, whole_watcher.supervision())
    path = tmp_path / "rung.ckpt"
    first = Watcher(stop_after=rung)
    cut = train(candidate, data, first.supervision(checkpoint=path))
    assert cut.result.state == "interrupted"
    assert rung < cut.result.epochs < EPOCHS
    second = Watcher()
    resumed = train(candidate, data, second.supervision(checkpoint=path, resume_from=path))
    assert same_state(resumed.module, whole.module)
    assert resumed.result == replace(whole.result, seconds=resumed.result.seconds)
    assert resumed.best_epoch == whole.best_epoch
    # Values of rungs already passed are reported again, for the trial's new number.
    assert second.reports == whole_watcher.reports


def test_a_warm_start_resumes_at_the_very_step_of_its_projection(data, tmp_path):
    # 30% of 10 epochs are three: the fourth begins with the projection.
    candidate = make_candidate(data, (slaf(), relu()), epochs=10, routine="warm_start")
    whole = train(candidate, data, Supervision(rungs=(3,)))
    path, reported = tmp_path / "rung.ckpt", []
    first = Supervision(
        rungs=(3,),
        report=lambda epoch, value: not reported.append(epoch),
        stopping=lambda: bool(reported),
        checkpoint=path,
    )
    assert train(candidate, data, first).result.state == "interrupted"
    resumed = train(candidate, data, Supervision(rungs=(3,), resume_from=path))
    assert same_state(resumed.module, whole.module)


def test_last_weights_resume_bit_for_bit_too(data, tmp_path):
    # The best epoch may lie before the cut; the last weights never do.
    candidate, path = make_resumable(data), tmp_path / "rung.ckpt"

    def exactly(supervision):
        return fit(
            candidate, data, seed=3, accelerator="cpu", supervision=supervision, epochs=EPOCHS
        ).module

    whole = exactly(None)
    exactly(Watcher(stop_after=RUNGS[0]).supervision(checkpoint=path))
    assert same_state(exactly(Watcher().supervision(resume_from=path)), whole)


def test_best_epoch_and_patience_survive_a_resumption(tmp_path):
    # The first epochs are the best, so the cut falls into the wait for a better one.
    data = make_contrary_data()
    candidate = make_candidate(data, (slaf(normaliser="none"),), epochs=30, patience=9)
    whole = train(candidate, data, Supervision(rungs=RUNGS))
    assert whole.result.epochs == whole.best_epoch + 9 < 30
    path = tmp_path / "rung.ckpt"
    train(candidate, data, Watcher(stop_after=RUNGS[1]).supervision(checkpoint=path))
    resumed = train(candidate, data, Watcher().supervision(resume_from=path))
    assert resumed.result.epochs == whole.result.epochs
    assert resumed.best_epoch == whole.best_epoch
    assert same_state(resumed.module, whole.module)


def test_rungs_report_the_best_value_so_far(data):
    candidate = make_candidate(data, epochs=EPOCHS, learning_rate=3e-3)
    watcher = Watcher()
    result = train(candidate, data, watcher.supervision()).result
    assert [epoch for epoch, _ in watcher.reports] == list(RUNGS)
    values = [value for _, value in watcher.reports]
    assert values == sorted(values, reverse=True)
    assert result.value <= values[-1]


@pytest.mark.parametrize("epochs", [2, 3, 4])
def test_end_of_the_training_is_no_rung(data, epochs):
    watcher = Watcher()
    train(make_candidate(data, epochs=epochs), data, watcher.supervision())
    assert [epoch for epoch, _ in watcher.reports] == [r for r in RUNGS if r < epochs]


@pytest.mark.parametrize("rung", RUNGS)
def test_pruned_training_stops_at_its_rung(data, rung):
    asked = []

    def report(epoch, value):
        asked.append(epoch)
        return epoch < rung

    watch = Supervision(rungs=RUNGS, report=report)
    result = train(make_candidate(data, epochs=EPOCHS), data, watch).result
    assert (result.state, result.epochs) == ("pruned", rung)
    assert asked == [r for r in RUNGS if r <= rung]
    assert not result.diverged


def test_resumed_training_that_is_no_longer_wanted_trains_no_further(data, tmp_path):
    candidate, path = make_resumable(data), tmp_path / "rung.ckpt"
    train(candidate, data, Watcher(stop_after=RUNGS[0]).supervision(checkpoint=path))
    asked = []

    def report(epoch, value):
        asked.append(epoch)
        return False

    watch = Supervision(rungs=RUNGS, report=report, resume_from=path)
    result = train(candidate, data, watch).result
    assert result.state == "pruned"
    assert asked == [RUNGS[0]]
    assert result.epochs <= RUNGS[0] + 1


@pytest.mark.parametrize("batches", [0, 3, 8, 20])
def test_stopping_ends_as_interrupted_wherever_it_comes(data, batches):
    left = iter(range(batches))
    watch = Supervision(stopping=lambda: next(left, None) is None)
    result = train(make_candidate(data, epochs=EPOCHS), data, watch).result
    assert result.state == "interrupted"
    assert result.epochs <= batches // 6 + 1


def test_rung_of_a_hopeless_training_reports_the_constant(data):
    watcher = Watcher()
    candidate = make_candidate(data, (relu(), relu()), epochs=EPOCHS, **HOPELESS)
    train(candidate, data, watcher.supervision())
    constant = constant_value(data, METRICS["rmse"], data.validation)
    assert watcher.reports == [(rung, constant) for rung in RUNGS]


def test_rung_in_the_epoch_of_a_divergence_is_not_reported(data):
    watcher = Watcher()
    watch = Supervision(rungs=(1, 2, 3), report=watcher.report)
    candidate = make_candidate(data, epochs=EPOCHS, learning_rate=1e30, gradient_clip=None)
    result = train(candidate, data, watch).result
    assert result.diverged
    assert [epoch for epoch, _ in watcher.reports] == list(range(1, result.epochs))


def test_only_the_checkpoint_is_written_and_it_holds_no_pickles(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kept" / "rung.ckpt"
    path.parent.mkdir()
    train(make_resumable(data), data, Watcher().supervision(checkpoint=path))
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]
    stored = torch.load(path, weights_only=True)
    assert stored["epoch"] == RUNGS[-1] - 1
