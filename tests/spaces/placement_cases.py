"""Networks, placement files, limits and trials that the tests of placement spaces draw from."""

import functools
import json

import optuna
import torch
import yaml
from hypothesis import strategies as st
from torch import nn

from slaf_automl.networks.model_cost import measure_model
from slaf_automl.networks.slots import find_slots
from slaf_automl.spaces.files import find_space_file
from slaf_automl.spaces.placement_file import parse_placement
from slaf_automl.spaces.placement_space import PlacementSpace
from slaf_automl.spec import Budget

CHANNELS = (1, 2, 3, 8)
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "prelu": nn.PReLU, "hardswish": nn.Hardswish}


def document(encoding="slots", **dimensions):
    """Return the shipped document with another encoding and some other dimensions.

    Words are given as `slot_basis` for `slot.basis`; a list is choices, anything else a value.
    """
    found = yaml.safe_load(find_space_file("placement").read_text(encoding="utf-8"))
    found["encoding"] = encoding
    given = found["dimensions"]
    if encoding != "slots":
        del given["slot.activation"]
    if encoding == "pattern":
        given["pattern"] = {"choices": ["none", "all", "first", "last", "alternate"]}
    for name, values in dimensions.items():
        given[name.replace("slot_", "slot.")] = (
            values
            if isinstance(values, dict)
            else {"choices" if isinstance(values, list) else "value": values}
        )
    return found


def network(widths, activations):
    """Return a stack of linear layers, each with an activation."""
    layers, inputs = [], 4
    for width, name in zip(widths, activations, strict=True):
        layers += [nn.Linear(inputs, width), ACTIVATIONS[name]()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 2))


@functools.cache
def measured(widths, activations):
    model, x = network(widths, activations), torch.ones(1, 4)
    slots = find_slots(model, x)
    return slots, measure_model(model, x, slots)


def space_of(widths, given=None, activations=None, order=None, prefix=""):
    """Return a placement space of a stack of layers, ReLU all of them unless told otherwise."""
    slots, cost = measured(tuple(widths), tuple(activations or ("relu",) * len(widths)))
    file = parse_placement(document() if given is None else given, "space.yaml")
    order = tuple(range(len(slots))) if order is None else order
    return PlacementSpace(file, slots, cost, order, prefix)


def ask(space, seed=0, budget=None, extra=None):
    """Let a random trial suggest; return the trial and its placement."""
    sampler = optuna.samplers.RandomSampler(seed=seed)
    trial = optuna.create_study(sampler=sampler).ask()
    return trial, space.suggest(trial, budget, extra=extra)


def within(space, placement, budget, extra):
    """Say whether a placement is within limits, from its costs alone."""
    whole, alone = space.costs(placement), space.costs()
    fits = budget is None or budget.allows(whole)
    more = {n: whole.totals[n] - alone.totals[n] for n in ("parameters", "macs")}
    return fits and (extra is None or not extra.exceeded(more))


def through_json(values):
    return json.loads(json.dumps(values))


def choices(*values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=len(values), unique=True)


@st.composite
def documents(draw):
    """Draw placement files of every encoding, with constants, choices and ranges."""
    encoding = draw(st.sampled_from(("slots", "pattern", "share")))
    dimensions = {
        "slot_basis": draw(choices("chebyshev", "legendre", "gaussian")),
        "slot_degree": draw(st.sampled_from((3, [2, 5], {"low": 1, "high": 4}))),
        "slot_hybrid": draw(st.sampled_from((0.0, 0.75, [0.5, 0.0], [0.75, 0.5]))),
        "sharing": draw(choices("channel", "layer")),
        "normaliser": draw(choices("none", "input", "element")),
        "start": draw(choices("own", "relu", "tanh")),
        "clip": draw(st.sampled_from((None, 3.0, [None, 3.0], [2.0, None]))),
    }
    if encoding == "slots":
        dimensions["slot_activation"] = draw(choices("keep", "relu", "slaf"))
    if encoding == "pattern":
        dimensions["pattern"] = draw(choices("none", "all", "first", "last", "alternate"))
    return document(encoding, **dimensions)


@st.composite
def spaces(draw):
    """Draw spaces of one to five slots with few and many channels."""
    widths = draw(st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=5))
    names = draw(st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=5, max_size=5))
    order = draw(st.permutations(range(len(widths))))
    prefix = draw(st.sampled_from(("", "net.")))
    return space_of(widths, draw(documents()), names[: len(widths)], tuple(order), prefix)


@st.composite
def limits(draw, space):
    """Draw limits of the whole and of additions, each from too tight to wide."""
    alone = space.costs()
    total = {
        "parameters": st.integers(alone.parameters - 2, alone.parameters + 60),
        "macs": st.integers(alone.macs - 2, alone.macs + 60),
        "relus": st.integers(0, alone.relus + 10),
        "depth": st.integers(len(space.slots) + 1, 4 * len(space.slots) + 3),
    }
    extra = {"parameters": st.integers(1, 60), "macs": st.integers(1, 60)}
    found = []
    for among, size in ((total, 2), (extra, 1)):
        names = draw(st.lists(st.sampled_from(sorted(among)), max_size=size, unique=True))
        values = {name: max(1, draw(among[name])) for name in names}
        found.append(Budget(**values) if values else None)
    return tuple(found)
