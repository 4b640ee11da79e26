"""What a recipe changes on the way: warm starts, held statistics, elements taken away."""

import copy

import pytest
import torch
from lightning.pytorch import Callback
from small_tables import make_candidate, make_data, relu, same_state, slaf
from step_recorder import plain_trainer
from torch.utils.data import DataLoader, TensorDataset

from slaf_automl.activations import SLAF
from slaf_automl.errors import SlafError, SpecError
from slaf_automl.networks import count_cost
from slaf_automl.spec import Recipe
from slaf_automl.training import SlafModule, fit
from slaf_automl.training.routines import WARM_START

NORMALISERS = ("none", "input", "frozen", "element")


class Watch(Callback):
    """Notes at every step whether slots are ReLU, and the loss just before and after."""

    def __init__(self):
        self.rectified, self.losses = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.rectified.append(pl_module.rectified)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.losses.append(float(outputs["loss"]))


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_a_warm_start_is_relu_for_its_share_of_the_steps(tmp_path, normaliser):
    data = make_data("regression")
    placement = (slaf(normaliser=normaliser, degree=6), relu(normaliser))
    module = SlafModule(make_candidate(data, placement, routine="warm_start"), data)
    watch = Watch()
    trainer = plain_trainer(tmp_path, watch, epochs=5, enable_checkpointing=False)
    trainer.fit(module, datamodule=data)
    steps = len(watch.rectified)
    switch = -(-steps * WARM_START // 1)
    # The callback runs before the module's own hook, so the switch shows one step later.
    assert watch.rectified == [step <= switch for step in range(steps)]
    assert not module.network.slots[0].rectified


def test_the_loss_does_not_jump_at_the_switch(tmp_path):
    data = make_data("regression")
    placement = (slaf(normaliser="input", degree=8),) * 2
    module = SlafModule(make_candidate(data, placement, widths=(8, 8), routine="warm_start"), data)
    seen = []

    class AtSwitch(Callback):
        def on_before_zero_grad(self, trainer, pl_module, optimizer):
            x, y = data.training
            network = copy.deepcopy(pl_module).eval()
            with torch.no_grad():
                loss = network._loss(network._standardised(x), y)
            seen.append((pl_module.rectified, float(loss)))

    trainer = plain_trainer(tmp_path, AtSwitch(), epochs=20, enable_checkpointing=False)
    trainer.fit(module, datamodule=data)
    last = max(i for i, (rectified, _) in enumerate(seen) if rectified)
    before, after = seen[last][1], seen[last + 1][1]
    assert abs(after - before) < 0.25 * before


def test_a_warm_start_works_with_anyones_loader(tmp_path):
    data = make_data("regression")
    module = SlafModule(make_candidate(data, routine="warm_start"), data)
    loader = DataLoader(TensorDataset(*data.training), batch_size=16)
    trainer = plain_trainer(tmp_path, epochs=3, enable_checkpointing=False)
    trainer.fit(module, loader, loader)
    assert not module.rectified


def test_a_warm_start_needs_an_end(tmp_path):
    data = make_data("regression")
    module = SlafModule(make_candidate(data, routine="warm_start"), data)
    trainer = plain_trainer(tmp_path, epochs=-1, enable_checkpointing=False)
    with pytest.raises(SlafError, match="give the Trainer max_epochs or max_steps"):
        trainer.fit(module, datamodule=data)


def test_fit_returns_a_slaf_network_even_if_relu_was_better():
    data = make_data("regression")
    trained = fit(make_candidate(data, routine="warm_start", epochs=10), data)
    assert not trained.module.network.slots[0].rectified
    assert trained.best_epoch > 3
    x, _ = data.validation
    with torch.no_grad():
        torch.testing.assert_close(
            trained.module.deployed()(x), trained.module(x), rtol=1e-4, atol=1e-3
        )


@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_held_statistics_stay_and_train_what_is_deployed(tmp_path, normaliser):
    data = make_data("regression")
    placement = (slaf(normaliser=normaliser), relu(normaliser))
    module = SlafModule(make_candidate(data, placement, hold_statistics=0.5), data)
    states = []

    class Statistics(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            found = pl_module.network.state_dict()
            states.append({n: t.clone() for n, t in found.items() if n.endswith(".mean")})

    trainer = plain_trainer(tmp_path, Statistics(), epochs=4, enable_checkpointing=False)
    trainer.fit(module, datamodule=data)
    half = len(states) // 2
    assert all(not torch.equal(states[0][n], states[half - 1][n]) for n in states[0])
    assert all(torch.equal(states[half][n], states[-1][n]) for n in states[0])
    x, _ = data.training
    with torch.no_grad():
        training = module.train()(x)
        assert torch.equal(training, module.eval()(x))


def quadratic():
    """A table whose target one slot of degree 2 holds exactly."""
    data = make_data("regression", rows=300)
    for part in (data.training, data.validation):
        x, y = part
        y.copy_(x[:, 0] ** 2 + 0.5 * x[:, 1])
    return data


@pytest.mark.slow
def test_the_penalty_prunes_what_is_not_needed():
    data = quadratic()
    placement = (slaf(normaliser="input", degree=6, start="identity"),)
    options = {"widths": (4,), "epochs": 60, "learning_rate": 2e-2}
    plain = fit(make_candidate(data, placement, **options), data)
    pruned = fit(make_candidate(data, placement, coefficient_l1=0.2, **options), data, epochs=60)
    assert plain.module.network.slots[0].degree == 6
    degree = pruned.module.network.slots[0].degree
    assert 2 <= degree < 6
    stored = sum(t.numel() for t in pruned.module.deployed().state_dict().values())
    assert stored == count_cost(pruned.module.candidate.architecture).parameters
    whole = sum(t.numel() for t in plain.module.deployed().state_dict().values())
    assert whole - stored == 4 * (6 - degree)


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_a_pruned_module_is_the_same_function(normaliser):
    data = make_data("binary")
    placement = (slaf(normaliser=normaliser, degree=7, hybrid=0.4), relu(normaliser))
    module = fit(make_candidate(data, placement), data).module
    with torch.no_grad():
        module.network.slots[0].coefficients[:, 4:] = 0.0
    lower = module.pruned()
    assert lower.network.slots[0].degree == 4
    assert lower.candidate.architecture.placement[0]["degree"] == 4
    x, _ = data.validation
    with torch.no_grad():
        torch.testing.assert_close(lower(x), module(x), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(lower.deployed()(x), module(x), rtol=1e-4, atol=1e-4)
    assert lower.pruned() is lower


def test_nothing_to_prune_is_the_module_itself():
    data = make_data("binary")
    module = fit(make_candidate(data), data).module
    assert module.pruned() is module
    assert isinstance(module.network.slots[0], SLAF)
    assert same_state(module, module.pruned())


@pytest.mark.parametrize(
    ("field", "value"),
    [("coefficient_l1", -0.1), ("hold_statistics", -0.1), ("hold_statistics", 1.1)],
)
def test_out_of_range_is_refused(field, value):
    with pytest.raises(SpecError, match=field):
        Recipe(**{field: value})
