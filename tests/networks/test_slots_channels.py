"""Where the channels of a slot's input are, followed through what made it."""

import ast

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slaf_automl.errors import SlafError
from slaf_automl.networks.slots import find_slots

IMAGES = (2, 3, 8, 8)
TOKENS = (2, 5, 4)


class Steps(nn.Module):
    """Runs `function(self, x)`; modules by name."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        return self.function(self, x)


def conv(outputs=6):
    return nn.Conv2d(3, outputs, 3, padding=1)


def places(model, shape, **options):
    """Return (channels, channel_dim) of every slot."""
    slots = find_slots(model, torch.zeros(shape), **options)
    return [(slot.channels, slot.channel_dim) for slot in slots]


def after_conv(function, **modules):
    """Return where the channels are after a convolution to 6 channels and a function."""
    model = Steps(lambda self, x: F.relu(function(self, self.conv(x))), conv=conv(), **modules)
    return places(model, IMAGES)


def after_linear(function, **modules):
    """Return where the channels are after a linear layer on tokens and a function."""
    model = Steps(
        lambda self, x: F.relu(function(self, self.linear(x))), linear=nn.Linear(4, 6), **modules
    )
    return places(model, TOKENS)


def unknown(model, shape):
    with pytest.raises(SlafError, match="cannot be followed") as caught:
        places(model, shape)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv1d(3, 6, 3), (2, 3, 8), (6, 1)),
        (nn.Conv2d(3, 6, 3), IMAGES, (6, 1)),
        (nn.Conv3d(3, 6, 3), (2, 3, 8, 8, 8), (6, 1)),
        (nn.ConvTranspose2d(3, 6, 3), IMAGES, (6, 1)),
        (nn.BatchNorm2d(3), IMAGES, (3, 1)),
        (nn.GroupNorm(1, 3), IMAGES, (3, 1)),
        (nn.InstanceNorm1d(3), (2, 3, 8), (3, 1)),
        (nn.Linear(4, 6), (2, 4), (6, 1)),  # (N, C): first and last are the same
        (nn.Linear(4, 6), TOKENS, (6, -1)),
        (nn.Linear(4, 6), (2, 3, 5, 4), (6, -1)),
        (nn.LayerNorm(4), TOKENS, (4, -1)),
        (nn.RMSNorm(4), TOKENS, (4, -1)),
        (nn.Conv1d(3, 6, 3), (3, 8), (6, 0)),  # no batch
        (nn.Conv2d(3, 6, 3), (3, 8, 8), (6, 0)),
        (nn.Linear(4, 6), (4,), (6, -1)),
    ],
)
def test_layers_say_where_their_channels_are(layer, shape, expected):
    assert places(nn.Sequential(layer, nn.ReLU()), shape) == [expected]


def test_embeddings_put_them_last():
    model = nn.Sequential(nn.Embedding(9, 6), nn.ReLU())
    (slot,) = find_slots(model, torch.zeros(2, 5, dtype=torch.long))
    assert (slot.channels, slot.channel_dim, slot.values) == (6, -1, 30)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_put_them_last(kind, batch_first):
    model = Steps(
        lambda self, x: F.relu(self.linear(F.relu(self.recurrent(x)[0]))),
        recurrent=kind(4, 6, batch_first=batch_first),
        linear=nn.Linear(6, 7),
    )
    assert places(model, TOKENS) == [(6, -1), (7, -1)]


def test_sequences_of_several_lengths():
    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 2]), batch_first=True)
        output, (hidden, _) = self.lstm(packed)
        padded, _ = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
        return F.relu(padded), torch.tanh(hidden[-1])

    model = Steps(forward, lstm=nn.LSTM(4, 6, batch_first=True))
    assert places(model, TOKENS) == [(6, -1), (6, 1)]


@pytest.mark.parametrize("batch_first", [False, True])
def test_attention_puts_them_last(batch_first):
    attention = nn.MultiheadAttention(4, 2, batch_first=batch_first)
    model = Steps(lambda self, x: F.relu(self.attention(x, x, x)[0]), attention=attention)
    assert places(model, TOKENS) == [(4, -1)]


FIRST = (6, 1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: F.max_pool2d(x, 2), FIRST),
        (lambda x: F.max_pool2d(x, 2, return_indices=True)[0], FIRST),
        (lambda x: F.avg_pool2d(x, 2), FIRST),
        (lambda x: F.adaptive_avg_pool2d(x, 1), FIRST),
        (lambda x: F.adaptive_max_pool2d(x, 2), FIRST),
        (lambda x: F.interpolate(x, scale_factor=2), FIRST),
        (lambda x: F.pad(x, (1, 1, 1, 1)), FIRST),
        (lambda x: x + torch.ones(6, 1, 1), FIRST),
        (lambda x: 1 - x, FIRST),
        (lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(), FIRST),
        (lambda x: F.dropout(x, 0.5).float().contiguous().clone().detach(), FIRST),
        (lambda x: F.layer_norm(x, (6, 8, 8)), FIRST),  # over everything: it moves nothing
        (lambda x: x.mean((2, 3)), FIRST),
        (lambda x: x.mean([-1, -2]), FIRST),
        (lambda x: torch.amax(x, dim=(2, 3)), FIRST),
        (lambda x: x.max(3)[0], FIRST),
        (lambda x: x.sum(dim=-1), FIRST),
        (lambda x: x[:, :, 0], FIRST),
        (lambda x: x[..., 0], FIRST),
        (lambda x: x[:, None, :, 0], (6, 2)),
        (lambda x: x[:, 2:5], (3, 1)),
        (lambda x: x.select(2, 0), FIRST),
        (lambda x: x.unbind(-1)[0], FIRST),
        (lambda x: x[0], (6, 0)),
        (lambda x: x.chunk(2, 1)[0], (3, 1)),
        (lambda x: torch.cat([x, x], 1), (12, 1)),
        (lambda x: torch.stack([x, x], 1).sum(1), FIRST),
        (lambda x: torch.stack([x, x], -1), FIRST),
        (lambda x: x.permute(0, 2, 3, 1), (6, -1)),
        (lambda x: torch.permute(input=x, dims=(0, 2, 3, 1)), (6, -1)),
        (lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2), FIRST),
        (lambda x: x.transpose(1, -1), (6, -1)),
        (lambda x: torch.transpose(x, dim0=1, dim1=3), (6, -1)),
        (lambda x: x.transpose_(1, 3), (6, -1)),
        (lambda x: x.flatten(2).mT, (6, -1)),
        (lambda x: x.flatten(2).transpose(1, 2), (6, -1)),
        (lambda x: x.flatten(2).transpose(1, 2)[:, 0], FIRST),
        (lambda x: x.view(2, 6, 64), FIRST),
        (lambda x: x.flatten(1), (384, 1)),
        (lambda x: x.reshape(2, -1), (384, 1)),
        (lambda x: x.mean((2, 3)).view(2, 6, 1, 1), FIRST),
        (lambda x: x.mean((2, 3)).unsqueeze(-1), FIRST),
        (lambda x: x.mean((2, 3))[:, :, None].expand(-1, -1, 4), FIRST),
        (lambda x: x[0].expand(3, 6, 8, 8), FIRST),
        (lambda x: F.pixel_shuffle(x[:, :4], 2), (1, 1)),
        (lambda x: torch.matmul(torch.ones(7, 6), x.flatten(2)), (7, 1)),
        (lambda x: x.flatten(2) @ torch.ones(64, 9), FIRST),
        (lambda x: x.mean((2, 3)).t().t(), FIRST),
        (lambda x: x.mean((2, 3)).t(), (6, 0)),
        (lambda x: x.mean((2, 3)).T, (6, 0)),
    ],
)
def test_channels_after_a_convolution(function, expected):
    assert after_conv(lambda self, x: function(x)) == [expected]


LAST = (6, -1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x + torch.ones(1, 5, 6), LAST),
        (lambda x: torch.cat([torch.zeros(2, 1, 6), x], 1), LAST),
        (lambda x: torch.cat([x, x], -1), (12, -1)),
        (lambda x: x[:, 0], (6, 1)),
        (lambda x: x.mean(1), (6, 1)),
        (lambda x: x.mean(axis=1), (6, 1)),
        (lambda x: x.view(10, 6), (6, 1)),
        (lambda x: x.reshape(2, 5, 1, 6), LAST),
        (lambda x: x.transpose(1, 2), (6, 1)),
        (lambda x: x @ torch.ones(6, 9), (9, -1)),
        (lambda x: torch.softmax(x @ x.mT, -1) @ x, LAST),
        (lambda x: F.scaled_dot_product_attention(x, x, x), LAST),
        (lambda x: torch.baddbmm(torch.zeros(1), x, torch.ones(2, 6, 9)), (9, -1)),
    ],
)
def test_channels_after_a_linear_layer_on_tokens(function, expected):
    assert after_linear(lambda self, x: function(x)) == [expected]


def test_a_block_that_goes_to_channels_last_and_back():
    """As in ConvNeXt."""

    def block(self, x):
        y = self.depthwise(x).permute(0, 2, 3, 1)
        y = self.down(self.gelu(self.up(self.norm(y))))
        return self.relu(x + y.permute(0, 3, 1, 2))

    model = Steps(
        block,
        depthwise=nn.Conv2d(3, 3, 7, padding=3, groups=3),
        norm=nn.LayerNorm(3),
        up=nn.Linear(3, 12),
        gelu=nn.GELU(),
        down=nn.Linear(12, 3),
        relu=nn.ReLU(),
    )
    assert places(model, IMAGES) == [(12, -1), (3, 1)]


def test_activations_themselves_keep_them():
    model = nn.Sequential(conv(), *(nn.ReLU(inplace=True) for _ in range(3)), nn.GELU())
    assert places(model, IMAGES) == [(6, 1)] * 4


def test_a_head_used_on_tokens_and_on_rows_has_its_channels_last():
    head = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
    model = Steps(lambda self, x: self.head(x).mean() + self.head(x[:, 0]).mean(), head=head)
    assert places(model, TOKENS) == [(6, -1)]


def test_a_plain_matrix_is_rows_of_features():
    assert places(nn.Sequential(nn.ReLU()), (5, 4)) == [(4, 1)]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.einsum("nchw->nhwc", x),
        lambda x: x.movedim(1, 3),
        lambda x: torch.moveaxis(x, 2, 3),  # the same shape, another order
        lambda x: x.reshape(2, 3, 2, 8, 8),
        lambda x: x.mean(1),
        lambda x: x.unsqueeze(1).squeeze_(),
        lambda x: x[:, 0],
        lambda x: x[:, [0, 1]],
        lambda x: x[:, :, :6] + x[:, :, :6].transpose(1, 2),  # two answers
    ],
)
def test_what_cannot_be_followed_is_unknown_rather_than_guessed(function):
    model = Steps(lambda self, x: F.relu(function(self.conv(x))), conv=conv())
    unknown(model, IMAGES)


def test_scores_of_attention_have_no_channels():
    model = Steps(lambda self, x: F.relu((y := self.linear(x)) @ y.mT), linear=nn.Linear(4, 6))
    unknown(model, TOKENS)


def test_the_suggested_argument_mends_an_unknown_place():
    class Moved(nn.Module):
        def forward(self, x):
            return x.movedim(1, 2)[:, None]

    model = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1), nn.ReLU(), Moved(), nn.Tanh())
    message = unknown(model, IMAGES)
    assert "'0#0' with its input (2, 3, 8, 8), '4#0' with its input (2, 1, 8, 3, 8)" in message
    suggested = message.partition("channel_dims=")[2].rstrip(")")
    assert suggested == "{'0#0': 1, '4#0': 1}"
    assert places(model, IMAGES, channel_dims=ast.literal_eval(suggested)) == [
        (3, 1),
        (3, 1),
        (1, 1),
    ]
    with pytest.raises(SlafError) as caught:
        places(model, IMAGES, channel_dims={"4#0": 3})
    assert "{'4#0': 3, '0#0': 1}" in str(caught.value)


def test_a_given_place_counts_from_either_end_and_overrules():
    model = nn.Sequential(conv(), nn.ReLU())
    for given, expected in {1: (6, 1), -3: (6, 1), 3: (8, -1), -1: (8, -1), 0: (2, 0)}.items():
        assert places(model, IMAGES, channel_dims={"1#0": given}) == [expected]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"1#0": 4}, r"channel_dims\['1#0'\] = 4 .*expected a dimension from -4 to 3"),
        ({"1#0": -5}, r"= -5 for an input of shape \(2, 6, 8, 8\)"),
        ({"1#0": "last"}, "= 'last'"),
        ({"1#0": True}, "= True"),
        ({"2#0": 1}, "channel_dims names '2#0'; expected ids of slots: 1#0"),
    ],
)
def test_a_given_place_that_cannot_be_is_refused(given, named):
    with pytest.raises(SlafError, match=named):
        places(nn.Sequential(conv(), nn.ReLU()), IMAGES, channel_dims=given)


def test_two_uses_that_disagree_are_unknown():
    model = Steps(
        lambda self, x: self.block(x) + self.block(x.transpose(1, 2)),
        block=nn.Sequential(nn.ReLU()),
    )
    model = nn.Sequential(nn.Conv1d(4, 4, 1), model)
    unknown(model, (2, 4, 4))
