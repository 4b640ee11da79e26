"""Networks whose activations sit in modules, attributes and bare calls, and what to run them on."""

import torch
from network_strategies import slaf
from torch import nn
from torch.nn import functional as F

from slaf_automl.networks.slots import find_slots, replace

ROWS = torch.linspace(-1, 1, 8).reshape(2, 4)
IMAGES = torch.linspace(-1, 1, 2 * 3 * 25).reshape(2, 3, 5, 5)
TANH = slaf(normaliser="none", start="tanh")


class Calls(nn.Module):
    """A linear layer, and what a function makes of its output."""

    def __init__(self, function, **attributes):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.function = [function]  # in a list, so that no attribute holds it
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x):
        return self.function[0](self, self.linear(x))


class Mixed(nn.Module):
    """A module, a held function and a module under a name of another order."""

    def __init__(self):
        super().__init__()
        self.last = nn.Tanh()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.first, self.held = nn.ReLU(inplace=True), F.gelu
        self.linear = nn.Linear(4, 5)

    def forward(self, x):
        x = self.held(self.first(self.bn(self.conv(x))))
        return self.last(self.linear(x.mean((2, 3))))


class BareCalls(nn.Module):
    """Two bare ReLUs, a tanh and a module."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 6)
        self.act = nn.GELU()

    def forward(self, x, scale=2.0):
        """Say so."""
        x = F.relu(self.first(x)) * scale
        return self.act(self.second(x).relu_()).tanh()


class Code(nn.Module):
    """Runs the method that a subclass has."""

    def __init__(self):
        super().__init__()
        self.linear, self.drop = nn.Linear(4, 4), nn.Dropout(0.5)
        self.register_buffer("count", torch.zeros(()))
        self.scale = nn.Parameter(torch.ones(4))
        self.held = F.relu


def rewritten(model, spec=TANH, which=None):
    slots = [slot for slot in find_slots(model, ROWS) if which is None or slot.id in which]
    return replace(model, dict.fromkeys(slots, spec), rewrite_calls=True)


def code(function, **attributes):
    """Return a module whose class has this `forward`."""
    model = type("Mine", (Code,), {"forward": function})()
    for name, value in attributes.items():
        setattr(model, name, value)
    return model
