"""Networks that this project did not write: found, replaced everywhere, trained a step."""

from collections import Counter

import pytest
import torch
from network_strategies import slaf
from torch import nn
from torch.nn import functional as F

from slaf_automl.activations import SLAF
from slaf_automl.errors import SlafError
from slaf_automl.networks.slots import find_slots, replace
from slaf_automl.spaces import SearchSpace

IMAGES = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 0, 1])


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def images(name, function, **options):
    return getattr(pytest.importorskip(f"pytorchcv.models.{name}"), function)(**options)


def bert(**options):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, max_position_embeddings=16,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **options,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config)


def vit():
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        image_size=32, patch_size=8,
    )  # fmt: skip
    return transformers.ViTForImageClassification(config)


TEXT = {
    "input_ids": torch.tensor([[2, 7, 9, 4, 0], [2, 5, 4, 0, 0], [2, 9, 9, 4, 0], [2, 6, 6, 6, 4]]),
    "attention_mask": torch.tensor(
        [[1, 1, 1, 1, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    ),
}


def logits(model, example):
    if isinstance(example, dict):
        output = model(**example)
    else:
        output = model(*example) if isinstance(example, tuple) else model(example)
    return output if isinstance(output, torch.Tensor) else output.logits


def checked(model, example, spec, **options):
    """Replace all slots, see that each is hit once a pass, and that a step lowers the loss."""
    slots = find_slots(model, example)
    new = replace(model, dict.fromkeys(slots, spec), **options)
    assert type(new) is type(model)
    calls = Counter()
    for path, module in new.named_modules():
        if isinstance(module, SLAF):
            module.register_forward_hook(lambda m, *_: calls.update([m.slot]))
            assert module.slot == path
    new.train()
    losses = []
    optimiser = torch.optim.SGD(new.parameters(), 0.02)
    for _ in range(2):
        loss = F.cross_entropy(logits(new, example), LABELS)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[1] < losses[0]
    assert len(calls) == len(slots)
    assert set(calls.values()) == {2}
    assert all(
        p.grad is not None for m in new.modules() if isinstance(m, SLAF) for p in m.parameters()
    )
    return slots, new


def test_a_residual_network():
    model = images("resnet_cifar", "resnet20_cifar10")
    slots, _ = checked(model, IMAGES, slaf())
    # One after the first convolution, two in each of nine units.
    assert [slot.id for slot in slots[:3]] == [
        "features.init_block.activ#0",
        "features.stage1.unit1.body.conv1.activ#0",
        "features.stage1.unit1.activ#0",
    ]
    widths = [16] * 7 + [32] * 6 + [64] * 6
    assert [slot.channels for slot in slots] == widths
    assert [slot.values for slot in slots] == [width * (32 * 16 // width) ** 2 for width in widths]
    assert {(slot.channel_dim, slot.calls, slot.uses, slot.in_place) for slot in slots} == {
        (1, 1, 1, False)
    }


def test_a_densely_connected_network():
    model = images("densenet_cifar", "densenet40_k12_bc_cifar10")
    slots, _ = checked(model, IMAGES, slaf(normaliser="input", degree=2))
    # 16 channels twice the growth rate of 12 in front; 3 stages of 6 units of two activations,
    # 2 transitions, and one at the end.
    assert len(slots) == 3 * 6 * 2 + 2 + 1
    assert [slot.channels for slot in slots[:6]] == [24, 48, 36, 48, 48, 48]
    assert {slot.channel_dim for slot in slots} == {1}


def test_a_preactivation_network():
    # Shortcuts take what was before or what came out, never what an activation has overwritten.
    slots = find_slots(images("preresnet_cifar", "preresnet20_cifar10"), IMAGES)
    assert [slot.channels for slot in slots] == [16] * 7 + [32] * 6 + [64] * 6
    assert not any(slot.in_place for slot in slots)


@pytest.mark.parametrize("act", ["gelu", "relu", "gelu_new"])
def test_bert(act):
    slots, _ = checked(bert(hidden_act=act), TEXT, slaf(normaliser="none", start="gelu"))
    inner = "bert.encoder.layer.{}.intermediate.intermediate_act_fn#0"
    assert [slot.id for slot in slots] == [
        inner.format(0),
        inner.format(1),
        "bert.pooler.activation#0",
    ]
    assert [(slot.channels, slot.channel_dim, slot.values) for slot in slots] == [
        (24, -1, 5 * 24),
        (24, -1, 5 * 24),
        (16, 1, 16),
    ]
    expected = act.removesuffix("_new")  # the same function but for 0.001
    assert [slot.activation for slot in slots] == [expected, expected, "tanh"]


def test_vision_transformer():
    slots, _ = checked(vit(), IMAGES, slaf(normaliser="none", start="gelu"))
    # 16 patches and the class token.
    assert [(slot.channels, slot.channel_dim, slot.values) for slot in slots] == [
        (24, -1, 17 * 24)
    ] * 2


class Encoder(nn.Module):
    """nn.TransformerEncoder with a classifier."""

    def __init__(self, **options):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True, **options)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.classify = nn.Linear(8, 2)

    def forward(self, x):
        return self.classify(self.encoder(x).mean(1))


@pytest.mark.parametrize("options", [{}, {"activation": "gelu", "norm_first": True}])
def test_torchs_transformer_encoder(options):
    x = torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(1))
    slots, _ = checked(Encoder(**options), x, slaf(normaliser="none"))
    assert [slot.id for slot in slots] == [f"encoder.layers.{i}.activation#0" for i in range(3)]
    assert {(slot.form, slot.channels, slot.channel_dim) for slot in slots} == {
        ("attribute", 12, -1)
    }


def test_torchs_whole_transformer():
    model = nn.Transformer(8, 2, 1, 2, 12, dropout=0.0, batch_first=True)
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1))
    slots = find_slots(model, (x, x[:, :3]))
    assert [(slot.id, slot.values) for slot in slots] == [
        ("encoder.layers.0.activation#0", 60),
        ("decoder.layers.0.activation#0", 36),
        ("decoder.layers.1.activation#0", 36),
    ]
    new = replace(model, dict.fromkeys(slots, slaf(normaliser="none"))).eval()
    assert new(x, x[:, :3]).shape == (2, 3, 8)


def ft_transformer(**options):
    models = pytest.importorskip("rtdl_revisiting_models")
    return models.FTTransformer(
        n_cont_features=5, cat_cardinalities=[3], d_out=2, n_blocks=2, d_block=8,
        attention_n_heads=2, attention_dropout=0.0, ffn_d_hidden=12, ffn_d_hidden_multiplier=None,
        ffn_dropout=0.0, residual_dropout=0.0, **options,
    )  # fmt: skip


TABLE = (
    torch.linspace(-1, 1, 20).reshape(4, 5),
    torch.tensor([[0], [1], [2], [1]]),
)


def test_a_transformer_for_tables():
    space = SearchSpace.for_model(ft_transformer(ffn_activation="ReLU"), TABLE)
    slots, _ = checked(ft_transformer(ffn_activation="ReLU"), TABLE, slaf(normaliser="none"))
    assert space.slots == slots
    # A class token and six columns; the head looks at the token alone.
    assert [(slot.channels, slot.channel_dim, slot.values) for slot in slots] == [
        (12, -1, 7 * 12),
        (12, -1, 7 * 12),
        (8, 1, 8),
    ]


def test_a_rectified_gate_in_code_that_cannot_be_rewritten_is_left_or_refused():
    # ReGLU: a · relu(b) after a look at the shape, which torch.fx cannot follow.
    model = ft_transformer()
    slots = find_slots(model, TABLE)
    assert [(slot.form, slot.channels) for slot in slots] == [
        ("call", 12),
        ("call", 12),
        ("module", 8),
    ]
    space = SearchSpace.for_model(model, TABLE)
    assert space.slots == slots[-1:]
    assert space.costs().relus == 2 * 7 * 12 + 8
    with pytest.raises(SlafError, match=r"_ReGLU.*put nn modules in the place"):
        SearchSpace.for_model(model, TABLE, rewrite_calls=True)


@pytest.mark.parametrize(
    ("options", "number"),
    [
        ({}, 6),
        ({"use_norm": "batch_norm", "causal": False, "use_skip_connections": True}, 7),
        ({"use_norm": "layer_norm", "activation": "tanh", "use_gate": True}, 4),
    ],
)
def test_a_temporal_convolutional_network(options, number):
    tcn = pytest.importorskip("pytorch_tcn")
    x = torch.randn(4, 3, 9, generator=torch.Generator().manual_seed(1))
    body = tcn.TCN(3, [4, 6], 3, dropout=0.0, **options)
    model = nn.Sequential(body, nn.Flatten(), nn.Linear(6 * 9, 2))
    slots, _ = checked(model, x, slaf(normaliser="none"))
    assert len(slots) == number
    assert {slot.channel_dim for slot in slots} == {1}
