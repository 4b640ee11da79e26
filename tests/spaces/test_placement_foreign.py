"""Networks that this project did not write: asked for, replaced, trained a step, deployed."""

import optuna
import pytest
import torch
from placement_cases import ask, document, within
from space_cases import write
from torch.nn import functional as F

from slaf_automl.networks.slots import deploy_slots, replace
from slaf_automl.spaces import SearchSpace
from slaf_automl.spec import Budget

# Without clip a deep network trains for a step only if its slots are normalised.
TAME = {"clip": [None, 3.0], "slot_hybrid": [0.0, 0.5], "slot_degree": 2, "normaliser": "input"}


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def resnet():
    """ResNet-20 of few channels, 19 slots."""
    made = pytest.importorskip("pytorchcv.models.resnet_cifar")
    widths = [[4] * 3, [6] * 3, [8] * 3]
    return made.CIFARResNet(channels=widths, init_block_channels=4, bottleneck=False)


def bert():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=16, num_labels=3,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config)


IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
TOKENS = {"input_ids": torch.arange(24).reshape(4, 6), "attention_mask": torch.ones(4, 6)}
CASES = {
    "resnet": (resnet, IMAGES, {"budget": {"relus": 12_000}}),
    "bert": (bert, TOKENS, {"extra": {"parameters": 150}}),
}


def answer(model, example):
    return model(**example).logits if isinstance(example, dict) else model(example)


def stored(model):
    state = model.state_dict(keep_vars=True).values()
    return sum(t.numel() for t in {id(t): t for t in state}.values() if t.is_floating_point())


@pytest.mark.parametrize("encoding", ["slots", "pattern", "share"])
@pytest.mark.parametrize("name", CASES)
def test_from_suggestion_to_deployment(name, encoding, tmp_path):
    build, example, limits = CASES[name]
    model = build()
    file = write(tmp_path, document(encoding, **TAME))
    space = SearchSpace.for_model(model, example, space=file)
    budget, extra = (Budget(**limits[k]) if k in limits else None for k in ("budget", "extra"))
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=3, n_startup_trials=1))
    labels = torch.tensor([0, 1, 2, 0])
    filled = 0

    def objective(trial):
        nonlocal filled
        placement = space.suggest(trial, budget, extra=extra)
        assert within(space, placement, budget, extra)
        assert space.decode(space.encode(placement, budget, extra=extra), budget, extra=extra) == (
            placement
        )
        new = replace(model, placement).train()
        optimiser = torch.optim.SGD(new.parameters(), 1e-3)
        loss = F.cross_entropy(answer(new, example), labels)
        loss.backward()
        optimiser.step()
        filled += len(placement)
        deployed = deploy_slots(new, placement)
        assert stored(deployed) == space.costs(placement).parameters
        with torch.no_grad():
            difference = answer(deployed, example) - answer(new.eval(), example)
        assert difference.abs().max() < 1e-3
        return loss.item()

    study.optimize(objective, n_trials=3)
    assert filled > 0


def test_a_residual_network_by_hand():
    model = resnet()
    space = SearchSpace.for_model(model, IMAGES)
    # Maps of 32², 16² and 8² numbers: a first activation, three units of two in each stage.
    relus = 7 * 4 * 1024 + 6 * 6 * 256 + 6 * 8 * 64
    assert (len(space.slots), space.costs().relus) == (19, relus)
    assert space.costs().parameters == stored(model)
    conv = 9 * (3 * 4 + 6 * 16) * 1024 + 9 * (24 + 5 * 36) * 256 + 9 * (48 + 5 * 64) * 64
    short = 24 * 256 + 48 * 64
    assert space.costs().macs == conv + short + 8 * 10
    assert not set(space.cost.uncounted) & {"convolution", "addmm", "relu", "relu_"}


def test_a_residual_network_of_polynomials_has_a_depth(tmp_path):
    file = write(tmp_path, document(slot_basis="chebyshev", **TAME))
    space = SearchSpace.for_model(resnet(), IMAGES, space=file)
    # 19 convolutions and a linear layer on the longest path, and 19 slots of 2 levels.
    _, placement = ask(space, 0, Budget(depth=58))
    assert len(placement) == 19
    assert space.costs(placement).depth == 20 + 19 * 2
    assert space.cost.graph.unknown == ()


def test_bert_by_hand():
    space = SearchSpace.for_model(bert(), TOKENS)
    assert [slot.activation for slot in space.slots] == ["gelu"] * 2 + ["tanh"]
    # Per token and layer four projections and two layers; scores and sums; pooler and classifier.
    layer = 6 * (4 * 16 * 16 + 2 * 16 * 24) + 2 * 6 * 6 * 16
    assert space.costs().macs == 2 * layer + 16 * 16 + 16 * 3
    assert space.costs().depth == float("inf")
    assert "native_layer_norm" in space.cost.uncounted
