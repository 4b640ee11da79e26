"""The counter says what the deployed network stores, tensor by tensor."""

import pytest
import torch
from hypothesis import given
from network_strategies import architectures, modest, relu, slaf

from slaf_automl.errors import ActivationError
from slaf_automl.networks import DeployedNetwork, count_cost
from slaf_automl.spec import ActivationSpec, Architecture


@given(architecture=architectures())
@modest(150)
def test_the_count_is_the_state_of_the_deployed_network(architecture):
    cost = count_cost(architecture)
    state = DeployedNetwork(architecture).state_dict()
    for part, count in cost.parts:
        tensors = [t for name, t in state.items() if name == part or name.startswith(f"{part}.")]
        assert sum(tensor.numel() for tensor in tensors) == count
    assert cost.parameters == sum(tensor.numel() for tensor in state.values())


# 4 inputs, 5 hidden units, 3 outputs: 4·5 + 5 and 5·3 + 3 make 43 without the slot.
@pytest.mark.parametrize(
    ("spec", "stored"),
    [
        (relu(), 0),
        (relu("input"), 0),
        (relu("element"), 0),
        (slaf(degree=3), 15),
        (slaf(degree=16), 80),
        (slaf(degree=1, clip=None), 5),
        (slaf(degree=3, sharing="layer", normaliser="none"), 3),
        (slaf(degree=3, sharing="layer", normaliser="input"), 3),
        # Statistics per channel turn the shared row into one row per channel.
        (slaf(degree=3, sharing="layer", normaliser="element"), 15),
        # Of 5 channels, 5·(1 − h) rounded half up are SLAF: 4, 3 and 1.
        (slaf(degree=3, hybrid=0.25), 12),
        (slaf(degree=3, hybrid=0.5), 9),
        (slaf(degree=3, hybrid=0.75), 3),
        (slaf(degree=3, hybrid=0.5, sharing="layer", normaliser="none"), 3),
    ],
)
def test_a_slot_stores_its_rows_of_coefficients(spec, stored):
    assert count_cost(Architecture("mlp", 4, 3, (5,), (spec,))).parameters == 43 + stored
    centred = Architecture("mlp", 4, 3, (5,), (spec,), centred_inputs=True)
    assert count_cost(centred).parameters == 43 + stored + 4


def test_the_parts_of_a_deep_network_by_hand():
    placement = (slaf(degree=2), relu("element"), slaf(degree=4, hybrid=0.5))
    architecture = Architecture("mlp", 6, 2, (3, 4, 7), placement, centred_inputs=True)
    assert count_cost(architecture).parts == (
        ("centre", 6),
        ("layers.0.weight", 18),
        ("layers.0.bias", 3),
        ("slots.0.coefficients", 6),
        ("layers.1.weight", 12),
        ("layers.1.bias", 4),
        ("layers.2.weight", 28),
        ("layers.2.bias", 7),
        ("slots.2.coefficients", 16),
        ("layers.3.weight", 14),
        ("layers.3.bias", 2),
    )


def test_counting_allocates_nothing():
    # 10¹² weights: any attempt to build the network would end the test run.
    architecture = Architecture("mlp", 10**6, 1, (10**6,), (relu(),))
    assert count_cost(architecture).parameters == 10**12 + 2 * 10**6 + 1


def test_an_unknown_kind_is_refused():
    architecture = Architecture("mlp", 1, 1, (1,), (ActivationSpec("spline", {}),))
    with pytest.raises(ActivationError, match=r"'spline'.*relu, .*slaf"):
        count_cost(architecture)


def test_a_deployed_network_is_ready_to_use_and_not_to_train():
    deployed = DeployedNetwork(Architecture("mlp", 4, 3, (5,), (slaf(),), centred_inputs=True))
    assert not deployed.training
    assert not any(parameter.requires_grad for parameter in deployed.parameters())
    assert all(tensor.dtype == torch.float32 for tensor in deployed.state_dict().values())
