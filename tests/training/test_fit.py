"""One candidate trained from start to end: seeds, best epoch, patience, divergence, refits."""

import math
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

from slaf_automl.errors import DataError
from slaf_automl.training import METRICS, SlafModule, Supervision, TableData, fit
from slaf_automl.training.baselines import constant_value
from slaf_automl.training.callbacks import BestWeights
from slaf_automl.training.data import TensorBatches
from slaf_automl.training.metrics import evaluate


def train(candidate, data, **options):
    return fit(candidate, data, accelerator="cpu", **options)


def value_of(module, data, part=None):
    x, y = part or data.validation
    with torch.no_grad():
        return evaluate(module.metric, data.info, module(x), y)


@pytest.fixture(scope="module")
def data():
    return make_data("regression")


SMOOTH = (slaf(normaliser="none"), relu("input"))


@pytest.fixture(scope="module")
def overfitted(data):
    """Return a candidate, a seed and its fit, whose best epoch comes well before the last."""
    candidate = make_candidate(data, (slaf(degree=6), slaf()), epochs=30, learning_rate=0.05)
    for seed in range(10):
        fitted = train(candidate, data, seed=seed)
        if 3 < fitted.best_epoch < 27:
            return candidate, seed, fitted
    raise AssertionError("no seed overfits; choose another candidate")


@pytest.mark.parametrize("routine", ["joint", "alternate", "two_speed"])
def test_same_seed_gives_the_same_weights_bit_for_bit(data, routine):
    candidate = make_candidate(data, routine=routine, coefficient_rate=3.0)
    first = train(candidate, data, seed=5)
    torch.manual_seed(321)  # The global state is nobody's business.
    second = train(candidate, make_data("regression"), seed=5)
    assert same_state(first.module, second.module)
    assert first.result == replace(second.result, seconds=first.result.seconds)


def test_different_seeds_give_different_weights(data):
    candidate = make_candidate(data)
    modules = [train(candidate, data, seed=seed).module for seed in (0, 1)]
    assert not torch.equal(*(m.network.layers[0].weight for m in modules))


def test_seed_of_the_data_module_does_not_matter(data):
    candidate = make_candidate(data)
    other = TableData(data.table, seed=77, batch_size=3)
    assert same_state(train(candidate, data).module, train(candidate, other).module)


def test_training_touches_neither_test_rows_nor_global_random_state(data):
    before = torch.random.get_rng_state()
    train(make_candidate(data), data)
    assert data.test_openings == 0
    assert torch.equal(torch.random.get_rng_state(), before)


def test_no_files_are_left_behind(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(make_candidate(data), data)
    assert list(tmp_path.iterdir()) == []


def test_result_is_that_of_the_returned_module(data):
    fitted = train(make_candidate(data, SMOOTH, epochs=10), data)
    assert fitted.result.state == "complete"
    assert fitted.result.epochs == 10
    assert not fitted.module.training
    assert value_of(fitted.module, data) == pytest.approx(fitted.result.value, rel=1e-5)
    assert fitted.result.value < constant_value(data, METRICS["rmse"], data.validation)
    assert fitted.result.seconds > 0


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_any_metric_of_the_task_can_be_followed(data, metric):
    fitted = train(make_candidate(data, SMOOTH, epochs=10), data, metric=metric)
    assert value_of(fitted.module, data) == pytest.approx(fitted.result.value, rel=1e-5)


def test_metric_of_another_task_is_refused(data):
    with pytest.raises(DataError, match="unknown metric 'accuracy'"):
        train(make_candidate(data), data, metric="accuracy")


def test_weights_of_the_best_epoch_are_returned(data, overfitted, tmp_path):
    candidate, seed, fitted = overfitted
    last = train(candidate, data, seed=seed, epochs=30)
    assert value_of(fitted.module, data) < value_of(last.module, data)
    # The state written at the end of that very epoch, by another run of the same seed.
    watch = Supervision(rungs=(fitted.best_epoch,), checkpoint=tmp_path / "rung.ckpt")
    train(candidate, data, seed=seed, supervision=watch)
    stored = torch.load(watch.checkpoint, weights_only=True)["state_dict"]
    found = fitted.module.state_dict()
    assert stored.keys() == found.keys()
    assert all(torch.equal(stored[name], found[name]) for name in stored)


@pytest.mark.parametrize("patience", [1, 4])
def test_patience_ends_early(patience):
    data = make_contrary_data()
    candidate = make_candidate(data, SMOOTH, epochs=40, patience=patience)
    fitted = train(candidate, data)
    assert fitted.result.epochs == fitted.best_epoch + patience < 40
    assert fitted.result.state == "complete"


def test_exact_epochs_ignore_patience_and_keep_the_last_weights():
    data = make_contrary_data()
    candidate = make_candidate(data, SMOOTH, epochs=40, patience=1)
    early, exact = train(candidate, data), train(candidate, data, epochs=25)
    assert early.result.epochs < exact.result.epochs == 25
    assert value_of(exact.module, data) > 1.2 * value_of(early.module, data)


def test_exact_epochs_may_be_more_than_the_recipe_s(data):
    assert train(make_candidate(data, epochs=2), data, epochs=5).result.epochs == 5


def test_zero_exact_epochs_train_nothing(data):
    candidate = make_candidate(data, (relu(),))
    fitted = train(candidate, data, seed=3, epochs=0)
    assert (fitted.result.epochs, fitted.best_epoch) == (0, 0)
    assert same_state(fitted.module, SlafModule(candidate, data, seed=3))
    assert fitted.result.value == constant_value(data, METRICS["rmse"], data.validation)


def test_other_batches_are_what_is_trained_on():
    data = make_contrary_data()
    candidate = make_candidate(data, (relu("input"), relu("input")))
    x, y = (torch.cat(parts) for parts in zip(data.training, data.validation, strict=True))
    more = TensorBatches(x, y, candidate.recipe.batch_size, 0)
    refit = train(candidate, data, train=more, epochs=20).module
    plain = train(candidate, data, epochs=20).module
    assert int(refit.network.slots[0].before.moments.rows) == len(x)
    # The validation rows contradict the others; it learns them only if it sees them.
    assert value_of(refit, data) < 0.9 * value_of(plain, data)


DIVERGENT = {"learning_rate": 1e30, "gradient_clip": None, "epochs": 8}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("placement", [(slaf(),), (relu(), relu())])
def test_diverged_candidate_gets_the_constant_predictor_s_value(task, placement):
    data = make_data(task)
    result = train(make_candidate(data, placement, **DIVERGENT), data).result
    kind = METRICS["rmse" if task == "regression" else "accuracy"]
    assert result.diverged
    assert result.value == constant_value(data, kind, data.validation)
    assert result.state == "complete"
    assert result.epochs < 8


def test_candidate_worse_than_the_constant_is_floored_but_not_diverged(data):
    fitted = train(make_candidate(data, (relu(), relu()), **HOPELESS), data)
    constant = constant_value(data, METRICS["rmse"], data.validation)
    assert value_of(fitted.module, data) > 10 * constant
    assert fitted.result.value == constant
    assert not fitted.result.diverged


class FakeTrainer:
    """What `BestWeights` reads of a Trainer."""

    def __init__(self):
        self.callback_metrics, self.current_epoch, self.should_stop = {}, -1, False

    def end_epoch(self, callback, module, value, loss):
        self.current_epoch += 1
        metrics = {"val_accuracy": value, "val_loss": loss, "train_loss": 1.0}
        self.callback_metrics = metrics
        callback.on_train_epoch_end(self, module)


@pytest.mark.parametrize(
    ("history", "best"),
    [
        ([(0.5, 2.0), (0.7, 2.0), (0.6, 1.0)], 2),
        ([(0.5, 2.0), (0.5, 1.5), (0.5, 1.7)], 2),  # a tie goes to the lower loss
        ([(0.5, 2.0), (0.5, 2.0)], 1),  # and without one to the earlier epoch
        ([(0.5, 2.0), (0.9, math.nan), (0.8, math.inf)], 1),
        ([(math.nan, math.nan), (0.5, 2.0)], 2),
        ([(math.nan, 1.0)], 0),
    ],
)
def test_best_epoch_by_metric_then_loss(history, best):
    callback, trainer = BestWeights(METRICS["accuracy"], None), FakeTrainer()
    module = torch.nn.Linear(1, 1)
    for value, loss in history:
        trainer.end_epoch(callback, module, value, loss)
    assert callback.epoch == best
    assert bool(callback.weights) is (best > 0)
    assert not trainer.should_stop
