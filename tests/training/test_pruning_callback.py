"""PruningCallback: what is reported at which step, who prunes, and what is refused."""

import math
from types import SimpleNamespace

import optuna
import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from optuna.pruners import NopPruner
from pruned_line import BATCHES, Line, PruneAt, ask, make_trainer, rank, reported, rows, train

from slaf_automl import PruningCallback, SlafError

# Lightning gives advice on tiny loaders, which says nothing of the callback.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning")


class Blind(Line):
    """A module that validates nothing."""

    validation_step = LightningModule.validation_step


def weights(*steps):
    """Return the weight after so many optimiser steps, by number of the validation."""
    return {n: pytest.approx(0.9**step, rel=1e-5) for n, step in enumerate(steps, 1)}


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, (8, 16, 24)),
        ({"num_sanity_val_steps": 0}, (8, 16, 24)),
        ({"val_check_interval": 0.5}, (4, 8, 12, 16, 20, 24)),
        ({"check_val_every_n_epoch": 2, "max_epochs": 4}, (16, 32)),
        (
            {"max_epochs": -1, "max_steps": 20, "val_check_interval": 6}
            | {"check_val_every_n_epoch": None},
            (6, 12, 18),
        ),
        # Two validations of one optimiser step: both count, though the weights are the same.
        (
            {"max_epochs": 1, "val_check_interval": 0.25, "accumulate_grad_batches": 4},
            (0, 1, 1, 2),
        ),
    ],
)
def test_each_validation_is_a_step_whatever_ends_epochs_and_training(options, steps):
    trial = ask()
    train(trial, **options)
    assert reported(trial) == weights(*steps)


def test_every_so_many_validations_keep_their_numbers():
    trial = ask(pruner=PruneAt())
    train(trial, every=2, val_check_interval=0.5)
    assert list(reported(trial)) == [2, 4, 6] == trial.study.pruner.asked


def test_validation_outside_a_training_is_not_reported():
    trial = ask()
    trainer = make_trainer([PruningCallback(trial, "weight")], max_epochs=1)
    module = Line()
    trainer.validate(module, rows(), verbose=False)
    assert reported(trial) == {}
    trainer.fit(module, rows(), rows())
    trainer.validate(module, rows(), verbose=False)
    assert list(reported(trial)) == [1]


def test_a_pruned_trial_ends_at_its_validation_and_keeps_its_last_value():
    study = optuna.create_study(pruner=PruneAt(2))
    study.optimize(train, n_trials=1)
    (trial,) = study.trials
    assert trial.state.name == "PRUNED"
    assert trial.intermediate_values == weights(8, 16)
    assert trial.value == trial.intermediate_values[2]


def test_trials_of_other_batch_sizes_meet_at_equal_steps():
    # Steps of the optimiser would be 8, 16, … and 3, 6, …: a median pruner compares equal ones.
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=1))
    study.optimize(lambda trial: train(trial), n_trials=1)
    study.optimize(lambda trial: train(trial, limit_train_batches=3), n_trials=1)
    assert [t.state.name for t in study.trials] == ["COMPLETE", "PRUNED"]
    assert list(study.trials[1].intermediate_values) == [1]


STORAGES = {
    "memory": lambda folder: None,
    "sqlite": lambda folder: f"sqlite:///{folder}/study.db",
    "journal": lambda folder: optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(folder / "journal.log"))
    ),
}


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("sampler", [optuna.samplers.TPESampler, optuna.samplers.GPSampler])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_nan_is_stored_and_prunes_under_any_pruner_and_storage(storage, sampler, tmp_path):
    study = optuna.create_study(
        storage=STORAGES[storage](tmp_path),
        sampler=sampler(n_startup_trials=1, seed=0),
        pruner=NopPruner(),
    )

    def objective(trial):
        rate = trial.suggest_float("rate", 0, 1)
        return train(trial, module=Line(math.nan if trial.number < 2 else rate), max_epochs=1)

    study.optimize(objective, n_trials=4)
    assert [t.state.name for t in study.trials] == ["PRUNED"] * 2 + ["COMPLETE"] * 2
    first = study.trials[0]
    assert first.value is None
    assert list(first.intermediate_values) == [1]
    assert math.isnan(first.intermediate_values[1])


def test_infinity_is_left_to_the_pruner():
    trial = ask(pruner=PruneAt())
    train(trial, module=Line(math.inf), max_epochs=2)
    assert reported(trial) == {1: math.inf, 2: math.inf}
    assert trial.study.pruner.asked == [1, 2]


def test_a_resumed_training_counts_on_in_a_new_trial_and_repeats_nothing_in_the_same(tmp_path):
    first = ask(pruner=PruneAt(5))
    kept = ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1)
    halves = {"val_check_interval": 0.5}
    with pytest.raises(optuna.TrialPruned):
        train(first, extra=[kept], **halves)
    assert reported(first) == weights(4, 8, 12, 16, 20)
    path = tmp_path / "step=12.ckpt"
    second = ask()
    train(second, path=path, **halves)
    assert reported(second) == {n: v for n, v in weights(4, 8, 12, 16, 20, 24).items() if n > 3}
    # The same trial goes on behind its last step; Optuna would warn of a repeated one.
    first.study.pruner = PruneAt()
    train(first, path=path, **halves)
    assert reported(first) == weights(4, 8, 12, 16, 20, 24)
    assert first.study.pruner.asked == [6]


def test_a_missing_metric_is_an_error_that_lists_those_there_are():
    with pytest.raises(SlafError) as caught:
        train(ask(), monitor="val_acc")
    assert str(caught.value) == (
        "no metric 'val_acc' after validation 1; expected one of other, weight; "
        "log it in validation_step or on_validation_epoch_end"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [(torch.ones(2), r"is a Tensor of shape \(2,\)"), ({"a": 1.0}, r"is a dict"), (1j, "complex")],
)
def test_a_metric_that_is_no_single_number_is_refused(value, said):
    trial = ask()
    with pytest.raises(SlafError, match=said):
        PruningCallback(trial, "weight").on_validation_end(rank(0, weight=value), None)
    assert reported(trial) == {}


@pytest.mark.parametrize(
    ("module", "options"), [(Blind, {}), (Line, {"limit_val_batches": 0})], ids=["step", "rows"]
)
def test_a_training_without_validation_is_refused_at_its_start(module, options):
    trial = ask()
    with pytest.raises(SlafError, match=r"^a training without validation has no 'weight'"):
        train(trial, module=module(), **options)
    assert reported(trial) == {}


def test_several_objectives_are_refused_before_any_training():
    trial = optuna.create_study(directions=["minimize", "maximize"]).ask()
    with pytest.raises(SlafError, match=r"^a study of 2 objectives; expected one objective"):
        PruningCallback(trial, "weight")


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2"])
def test_a_rhythm_that_is_no_positive_integer_is_refused(every):
    with pytest.raises(SlafError, match=r"PruningCallback\.every"):
        PruningCallback(None, "weight", every=every)


def test_what_is_no_trial_is_refused():
    with pytest.raises(SlafError, match="a trial of type SimpleNamespace; expected an optuna"):
        PruningCallback(SimpleNamespace(report=print), "weight")


def test_rank_0_needs_a_trial():
    with pytest.raises(SlafError, match="no trial on rank 0"):
        train(None)


def test_fixed_and_frozen_trials_never_prune():
    study = optuna.create_study(pruner=PruneAt(2))
    study.optimize(train, n_trials=1)
    last = pytest.approx(0.9 ** (3 * BATCHES), rel=1e-5)
    assert train(study.trials[0]) == last
    assert train(optuna.trial.FixedTrial({})) == last
