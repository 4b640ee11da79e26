"""Placements and architectures that every test of the networks draws from."""

import math

import torch
from hypothesis import settings
from hypothesis import strategies as st

from slaf_automl.activations import BASES, find_kind
from slaf_automl.activations.fixed import NORMALISERS
from slaf_automl.activations.projection import TARGETS
from slaf_automl.activations.sharing import SHARING
from slaf_automl.spec import FAMILIES, HEADS, POOLINGS, Architecture

HYBRIDS = (0.0, 0.25, 0.5, 0.75)
LEAST_WIDTH = 2
"""The narrowest layer that has a SLAF channel at every share in `HYBRIDS`."""


def modest(examples):
    """Return the settings of a property: few examples, the same ones in every run."""
    return settings(deadline=None, max_examples=examples, derandomize=True)


def relu(normaliser="none"):
    return find_kind("relu").spec(normaliser=normaliser)


def slaf(**parameters):
    return find_kind("slaf").spec(**parameters)


@st.composite
def specs(draw, most_degree=16, most_unclipped=16):
    """Draw a ReLU or a SLAF, every parameter free.

    Without a clip range nothing bounds a polynomial's input, so its degree may be limited apart.
    """
    normaliser = draw(st.sampled_from(NORMALISERS))
    if draw(st.booleans()):
        return relu(normaliser)
    clip = draw(st.sampled_from((None, 2.0, 3.0)))
    return slaf(
        basis=draw(st.sampled_from(sorted(BASES))),
        degree=draw(st.integers(1, most_degree if clip else most_unclipped)),
        sharing=draw(st.sampled_from(SHARING)),
        normaliser=normaliser,
        hybrid=draw(st.sampled_from(HYBRIDS)),
        clip=clip,
        start=draw(st.sampled_from(sorted(TARGETS))),
    )


ANY = specs()
_SIDE = st.integers(8, 11)


@st.composite
def architectures(draw, slots=ANY, most_width=20, families=FAMILIES):
    """Draw an architecture of a family: a table's networks of one to four hidden layers, images'
    and series' networks of one to two convolutions or stages."""
    family = draw(st.sampled_from(families))
    width = st.integers(LEAST_WIDTH, most_width)
    common = {"family": family, "outputs": draw(st.integers(1, 6))}
    common["centred_inputs"] = draw(st.booleans())
    if family == "mlp":
        placement = draw(st.lists(slots, min_size=1, max_size=4))
        widths = tuple(draw(width) for _ in placement)
        if len(widths) > 1 and draw(st.booleans()):
            common["residual"], widths = True, widths[:1] * len(widths)
        inputs = draw(st.integers(1, 12))
        return Architecture(inputs=inputs, widths=widths, placement=tuple(placement), **common)
    sides = (1, draw(st.integers(14, 24))) if family == "conv1d" else (draw(_SIDE), draw(_SIDE))
    image = (draw(st.integers(1, 3)), *sides)
    common |= {"image": image, "inputs": math.prod(image)}
    widths = tuple(draw(width) for _ in range(draw(st.integers(1, 2))))
    if family in ("cnn", "conv1d"):
        common |= {"widths": widths, "placement": tuple(draw(slots) for _ in widths)}
        common["pooling"] = draw(st.sampled_from(POOLINGS))
        if family == "conv1d":
            common["kernel"] = draw(st.integers(2, 5))
            common["head"] = draw(st.sampled_from(HEADS))
        return Architecture(**common)
    blocks = draw(st.integers(1, 2))
    placement = tuple(draw(slots) for _ in range(1 + 2 * blocks * len(widths)))
    return Architecture(widths=widths, placement=placement, blocks=blocks, **common)


def generator(seed):
    """Return a generator of its own: tests leave the global random state alone."""
    return torch.Generator().manual_seed(seed)
