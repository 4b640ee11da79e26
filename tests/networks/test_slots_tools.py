"""Replaced networks under pickle, torch.export, torch.compile and Lightning."""

import copy
import io
import pickle

import lightning
import pytest
import torch
from network_strategies import slaf
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from slaf_automl.activations import SLAF
from slaf_automl.networks.slots import find_slots, replace

IMAGES = torch.linspace(-1, 1, 4 * 3 * 36).reshape(4, 3, 6, 6)


class Net(nn.Module):
    """A ReLU called twice, and a held function."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.held = nn.ReLU(inplace=True), F.silu
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        x = self.relu(self.conv2(self.relu(self.conv1(x))))
        return self.linear(self.held(x).mean((2, 3)))


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(F.relu(self.conv(x)).mean((2, 3)))


class Lit(lightning.LightningModule):
    def __init__(self, width=4):
        super().__init__()
        self.save_hyperparameters()
        self.conv, self.linear = nn.Conv2d(3, width, 3), nn.Linear(width, 2)

    def forward(self, x):
        return self.linear(torch.relu(self.conv(x)).mean((2, 3)))

    def training_step(self, batch, index):
        return F.mse_loss(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def filled(model, **options):
    spec = slaf(normaliser="none")
    return replace(model, dict.fromkeys(find_slots(model, IMAGES), spec), **options)


def test_pickled_whole():
    new = filled(Net())
    again = pickle.loads(pickle.dumps(new))
    assert torch.equal(again(IMAGES), new(IMAGES))
    buffer = io.BytesIO()
    torch.save(new, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    assert torch.equal(loaded(IMAGES), new(IMAGES))


def test_rewritten_code_does_not_pickle():
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(filled(Bare(), rewrite_calls=True))


@pytest.mark.parametrize(("model", "options"), [(Net, {}), (Bare, {"rewrite_calls": True})])
def test_states_make_the_round_trip(model, options):
    new, other = filled(model(), **options), filled(model(), **options)
    other.load_state_dict(new.state_dict())
    assert torch.equal(other(IMAGES), new(IMAGES))
    assert torch.equal(copy.deepcopy(new)(IMAGES), new(IMAGES))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "options"), [(Net, {}), (Bare, {"rewrite_calls": True})])
def test_exported(model, options):
    new = filled(model(), **options).eval()
    program = torch.export.export(new, (IMAGES,))
    assert torch.allclose(program.module()(IMAGES), new(IMAGES), atol=1e-5)
    assert torch.equal(new(IMAGES), new(IMAGES))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "options"), [(Net, {}), (Bare, {"rewrite_calls": True})])
def test_compiled(model, options):
    new = filled(model(), **options)
    compiled = torch.compile(new, backend="aot_eager")
    for _ in range(2):
        assert torch.allclose(compiled(IMAGES), new(IMAGES), atol=1e-5)
    compiled(IMAGES).sum().backward()
    assert all(p.grad is not None for p in new.parameters())


@pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers")
@pytest.mark.filterwarnings("ignore:The number of training batches")
def test_a_lightning_module_trains():
    model = Lit(width=5)
    new = filled(model, rewrite_calls=True)
    assert isinstance(new, Lit)
    assert new.hparams == {"width": 5}
    assert isinstance(new.slaf_relu_0, SLAF)
    before = copy.deepcopy(new.state_dict())
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", enable_model_summary=False, **options
    )
    trainer.fit(new, DataLoader(TensorDataset(IMAGES, torch.ones(4, 2)), 4))
    assert not torch.equal(new.slaf_relu_0.coefficients, before["slaf_relu_0.coefficients"])
