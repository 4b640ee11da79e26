"""From ReLU to SLAF: exact where the basis can, and as close as least squares elsewhere."""

import pytest
import torch
from slaf_reference import normal
from torch import nn

from slaf_automl import SLAF
from slaf_automl.activations.warm_start import project_rectified, rectify
from slaf_automl.errors import ActivationError


def network(**parameters):
    torch.manual_seed(0)
    slots = [SLAF(6, **parameters), SLAF(5, **parameters)]
    layers = [nn.Linear(4, 6), slots[0], nn.Linear(6, 5), slots[1], nn.Linear(5, 2)]
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize("normaliser", ["none", "input", "frozen", "element"])
def test_a_rectified_network_is_the_relu_network(normaliser):
    slaf = network(normaliser=normaliser)
    rectify(slaf)
    x = normal(50, 4)
    wanted = x
    for module in slaf:
        if isinstance(module, SLAF):
            before = module.before
            if before is not None:
                batch = wanted.var(0, correction=0), wanted.mean(0)
                wanted = (wanted - batch[1]) / torch.sqrt(batch[0] + 1e-5)
            wanted = torch.relu(wanted)
        else:
            wanted = module(wanted)
    torch.testing.assert_close(slaf(x), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("normaliser", ["none", "input", "frozen", "element"])
@pytest.mark.parametrize("sharing", ["channel", "layer"])
def test_the_switch_errs_by_what_the_projection_errs(normaliser, sharing):
    slaf = network(normaliser=normaliser, sharing=sharing, degree=8, clip=None)
    rectify(slaf)
    x = normal(500, 4)
    slaf(x)
    outputs = []
    for slot in (slaf[1], slaf[3]):
        slot.register_forward_hook(lambda m, i, y: outputs.append(y.detach()))
    errors = project_rectified(slaf, [x])
    # The last pass of the ReLU network, before the switch, and the first of the SLAF network.
    relu_first = outputs[-2]
    slaf.eval()(x)
    difference = (outputs[-2] - relu_first).square().mean().sqrt().item()
    assert difference == pytest.approx(errors["1"], rel=1e-6)
    assert 0.0 < errors["1"] < 0.2
    assert not any(m.rectified for m in slaf.modules() if isinstance(m, SLAF))


def test_hat_functions_hold_relu_exactly():
    slot = SLAF(2, basis="hat", degree=2, normaliser="none", clip=3.0).double()
    rectify(slot)
    x = normal(200, 2).clamp(-3, 3)
    errors = project_rectified(slot, [x])
    assert errors[""] < 1e-12
    torch.testing.assert_close(slot(x), torch.relu(x), rtol=0, atol=1e-12)


def test_a_dead_channel_stays_finite():
    slot = SLAF(2, degree=5).double()
    rectify(slot)
    x = normal(100, 2)
    x[:, 1] = -2.0
    project_rectified(slot, [x])
    assert all(bool(torch.isfinite(p).all()) for p in slot.parameters())
    torch.testing.assert_close(slot.eval()(x)[:, 1], torch.zeros(100).double(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("batches", [[], [torch.full((5, 2), torch.nan)]])
def test_without_finite_inputs_there_is_one_clear_line(batches):
    slot = nn.Sequential(SLAF(2))
    rectify(slot)
    with pytest.raises(ActivationError, match="0: no finite inputs to project ReLU on; give"):
        project_rectified(slot, batches)
