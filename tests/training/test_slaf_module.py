"""SlafModule in anyone's Trainer: with the data module, with plain loaders, and from a study."""

import json
from dataclasses import replace

import optuna
import pytest
import torch
from small_tables import make_candidate, make_data, relu, same_state, slaf
from step_recorder import StepRecorder, plain_trainer
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from slaf_automl import SearchSpace, SlafModule
from slaf_automl.errors import DataError, SlafError
from slaf_automl.networks import count_cost
from slaf_automl.spec import ActivationSpec, Budget
from slaf_automl.training import METRICS
from slaf_automl.training.metrics import evaluate

TASKS = ["binary", "multiclass", "regression"]


def outputs(module, x):
    with torch.no_grad():
        return module.eval()(x)


@pytest.mark.parametrize("task", TASKS)
def test_trains_in_a_plain_trainer_with_the_data_module(task, tmp_path):
    data, recorder = make_data(task), StepRecorder()
    module = SlafModule(make_candidate(data, epochs=12), data)
    trainer = plain_trainer(tmp_path, recorder, epochs=12, enable_checkpointing=False)
    trainer.fit(module, datamodule=data)
    assert set(trainer.callback_metrics) == {"train_loss", "val_loss", f"val_{module.metric.name}"}
    assert recorder.losses[-1] < 0.9 * recorder.losses[0]
    assert data.test_openings == 0


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
@pytest.mark.parametrize("task", TASKS)
def test_trains_with_ordinary_loaders_under_the_default_sanity_check(task, normaliser, tmp_path):
    data, recorder = make_data(task), StepRecorder()
    placement = (slaf(normaliser=normaliser), relu(normaliser))
    module = SlafModule(make_candidate(data, placement), data)
    train = DataLoader(TensorDataset(*data.training), batch_size=16)
    validation = DataLoader(TensorDataset(*data.validation), batch_size=16)
    trainer = plain_trainer(tmp_path, recorder, epochs=8, enable_checkpointing=False)
    assert trainer.num_sanity_val_steps == 2
    trainer.fit(module, train, validation)
    assert recorder.losses[-1] < recorder.losses[0]


@pytest.mark.parametrize("task", TASKS)
def test_logged_validation_is_that_of_the_module_in_evaluation_mode(task, tmp_path):
    data = make_data(task)
    module = SlafModule(make_candidate(data), data)
    trainer = plain_trainer(tmp_path, enable_checkpointing=False)
    trainer.fit(module, datamodule=data)
    x, y = data.validation
    found = outputs(module, x)
    if task == "multiclass":
        loss = F.cross_entropy(found, y)
    elif task == "binary":
        loss = F.binary_cross_entropy_with_logits(found[:, 0], y.float())
    else:  # The error in spreads of the target.
        loss = ((found[:, 0] - y) / data.training[1].std(correction=0)).square().mean()
    name = module.metric.name
    wanted = {"val_loss": float(loss), f"val_{name}": evaluate(module.metric, data.info, found, y)}
    logged = {key: float(trainer.callback_metrics[key]) for key in wanted}
    assert logged == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("task", TASKS)
def test_trainer_s_test_logs_loss_and_metric_of_the_test_rows(task, tmp_path):
    data = make_data(task)
    module = SlafModule(make_candidate(data), data)
    trainer = plain_trainer(tmp_path, enable_checkpointing=False)
    trainer.fit(module, datamodule=data)
    (logged,) = trainer.test(module, datamodule=data, verbose=False)
    assert data.test_openings == 1
    name = module.metric.name
    assert set(logged) == {"test_loss", f"test_{name}"}
    x, y = data.open_test()
    wanted = evaluate(module.metric, data.info, outputs(module, x), y)
    assert logged[f"test_{name}"] == pytest.approx(wanted, rel=1e-4)


def test_data_module_gives_the_normalisers_the_statistics_of_all_training_rows(tmp_path):
    data = make_data("regression")
    candidate = make_candidate(data, (relu("input"),), hold_statistics=None)
    module = SlafModule(candidate, data)
    plain_trainer(tmp_path, enable_checkpointing=False).fit(module, datamodule=data)
    moments = module.network.slots[0].before.moments
    x = (data.training[0] - module.mean) * module.scale
    with torch.no_grad():
        reached = module.network.layers[0](x)
    assert int(moments.rows) == len(x)
    torch.testing.assert_close(moments.mean, reached.mean(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(moments.variance, reached.var(0, correction=0))


@pytest.mark.parametrize(("task", "metric"), [("multiclass", "log_loss"), ("regression", None)])
def test_trainer_s_checkpoint_loads_without_pickles_and_gives_the_same_outputs(
    task, metric, tmp_path
):
    data = make_data(task, far=300.0)
    module = SlafModule(make_candidate(data), data, seed=4, metric=metric)
    trainer = plain_trainer(tmp_path)
    trainer.fit(module, datamodule=data)
    path = trainer.checkpoint_callback.best_model_path
    loaded = SlafModule.load_from_checkpoint(path, weights_only=True)
    assert same_state(loaded, module)
    assert torch.equal(outputs(loaded, data.validation[0]), outputs(module, data.validation[0]))
    assert (loaded.candidate, loaded.info) == (module.candidate, data.info)
    assert loaded.metric == module.metric


def test_hyperparameters_are_plain_json_that_rebuilds_the_module():
    data = make_data("binary")
    module = SlafModule(make_candidate(data), data, seed=5, metric="log_loss")
    rebuilt = SlafModule(**json.loads(json.dumps(dict(module.hparams))))
    assert (rebuilt.candidate, rebuilt.info) == (module.candidate, module.info)
    assert rebuilt.metric.name == "log_loss"
    assert same_state(rebuilt.network, module.network)


def test_raw_features_go_in_and_target_values_come_out():
    data = make_data("regression")
    module = SlafModule(make_candidate(data, (relu(),)), data).eval()
    x = data.validation[0]
    standardised = (x - data.training[0].mean(0)) / data.training[0].std(0, correction=0)
    y = data.training[1]
    with torch.no_grad():
        wanted = y.mean() + y.std(correction=0) * module.network(standardised)
    torch.testing.assert_close(outputs(module, x), wanted, rtol=1e-5, atol=1e-4)


def test_construction_leaves_the_global_random_state_alone():
    data = make_data("multiclass")
    before = torch.random.get_rng_state()
    SlafModule(make_candidate(data), data, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_initial_weights_are_a_function_of_the_seed_alone():
    data = make_data("regression")
    candidate = make_candidate(data)
    first = SlafModule(candidate, data, seed=3)
    torch.manual_seed(123)
    assert same_state(first, SlafModule(candidate, data, seed=3))
    assert not same_state(first, SlafModule(candidate, data, seed=4))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inputs": 4}, "inputs 4; expected 3 for this data"),
        ({"outputs": 2}, "outputs 2; expected 1 for this data"),
        ({"centred_inputs": True}, "centred_inputs True; expected False for this data"),
        ({"placement": (ActivationSpec("slaf", {"degree": 2}), relu())}, "slot 0: parameter"),
    ],
)
def test_candidate_that_does_not_fit_the_data_is_refused_at_construction(change, words):
    data = make_data("regression")
    candidate = make_candidate(data)
    other = replace(candidate, architecture=replace(candidate.architecture, **change))
    for given in (data, data.info.to_json()):
        with pytest.raises(SlafError, match=words) as caught:
            SlafModule(other, given)
        assert len(str(caught.value).splitlines()) == 1


def test_unknown_metric_is_refused_at_construction():
    data = make_data("regression")
    with pytest.raises(DataError, match="one of rmse, mae, r2"):
        SlafModule(make_candidate(data), data, metric="accuracy")


BUDGET = Budget(parameters=150)


def test_distributions_are_those_of_the_space():
    data, space = make_data("regression"), SearchSpace.load("mlp")
    found = SlafModule.distributions(data, BUDGET, space)
    assert found == space.distributions(data, BUDGET)
    assert {"depth", "slot0.activation", "learning_rate"} <= set(found)


def test_any_study_can_suggest_modules_that_train_within_the_budget(tmp_path):
    data, space = make_data("regression"), SearchSpace.load("mlp")
    distributions = SlafModule.distributions(data, BUDGET, space)

    def objective(trial):
        module = SlafModule.from_trial(trial, data, BUDGET, space, seed=1, metric="mae")
        assert count_cost(module.candidate.architecture).parameters <= BUDGET.parameters
        stored = optuna.trial.FixedTrial(trial.params)
        assert module.candidate == space.suggest(stored, data, BUDGET)
        trainer = plain_trainer(tmp_path, epochs=1, enable_checkpointing=False)
        trainer.fit(module, datamodule=data)
        return float(trainer.callback_metrics["val_mae"])

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=4)
    for trial in study.trials:
        assert all(distributions[name] == d for name, d in trial.distributions.items())
    y = data.validation[1]
    constant = torch.full((len(y), 1), float(data.training[1].mean()))
    # One epoch in, a hopeless module would be many spreads off.
    assert study.best_value < 3 * evaluate(METRICS["mae"], data.info, constant, y)
