"""An activation deployed where its neighbours cannot take its affine maps: it stores them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from slaf_automl.activations.channels import along, by_channel
from slaf_automl.activations.expansion import Expansion
from slaf_automl.activations.folding import Affine
from slaf_automl.activations.kinds import Foldable, find_kind
from slaf_automl.activations.passes import FIXED
from slaf_automl.activations.polynomial import Polynomial
from slaf_automl.activations.sharing import deployed_rows, require_sharing
from slaf_automl.activations.slaf import learned_channels, require_hybrid
from slaf_automl.errors import ActivationError
from slaf_automl.spec import ActivationSpec

_MAPS = ("input_scale", "input_shift", "output_scale", "output_shift")


@dataclass(frozen=True)
class Absorbed:
    """Which affine maps of a slot the layers around take.

    Args:
        before: the map of the input.
        scale: the scale of the output.
        shift: the constants of the output.
    """

    before: bool = False
    scale: bool = False
    shift: bool = False

    @property
    def maps(self) -> tuple[str, ...]:
        """Names of the absorbed maps."""
        return (*_MAPS[: 2 * self.before], *_MAPS[2:3][: self.scale], *_MAPS[3:][: self.shift])


ALL_ABSORBED = Absorbed(before=True, scale=True, shift=True)
"""The slot is its plain function alone."""

NONE_ABSORBED = Absorbed()
"""The slot stores all its maps itself."""


class Standalone(nn.Module):
    """The deployed form of one slot of any network, s_out·g(s_in·x + t_in) + t_out per channel.

    g is the kind's deployed function (`Polynomial`, `Expansion`, ReLU). Affine maps that the layers
    around cannot take are stored here, each only as long as the spec needs it: nothing for an
    identity, one number for a clip range without statistics, a row's constant, one per channel for
    statistics. Input and output `(N, C, *)`.

    Args:
        spec: what fills the slot, of kind `relu` or `slaf`.
        channels: C.
        channel_dim: where the channels are.
        absorbed: what the layers around take; nothing in a network that is not this package's.

    Raises:
        ActivationError: another kind.

    Example:
        >>> from slaf_automl.activations import find_kind
        >>> slot = Standalone(find_kind("slaf").spec(degree=3, normaliser="none"), 8)
        >>> sum(t.numel() for t in slot.state_dict().values())  # 8 × (3 + constant), clip range
        33
    """

    def __init__(
        self,
        spec: ActivationSpec,
        channels: int,
        *,
        channel_dim: int = 1,
        absorbed: Absorbed = NONE_ABSORBED,
    ) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        parts = _parts(spec, channels)
        self.sizes = [count for _, count in parts]
        self.parts = nn.ModuleList(
            _Part(part, count, channel_dim, absorbed) for part, count in parts
        )
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation."""
        if len(self.parts) == 1:
            found: Tensor = self.parts[0](x)
            return found
        pieces = torch.split(x, self.sizes, self.channel_dim)
        return torch.cat(
            [part(piece) for part, piece in zip(self.parts, pieces, strict=True)], self.channel_dim
        )


class _Part(nn.Module):
    """Channels of one function: SLAF alone, or ReLU alone."""

    def __init__(
        self, spec: ActivationSpec, channels: int, channel_dim: int, absorbed: Absorbed
    ) -> None:
        super().__init__()
        self.channels = channels
        self.channel_dim = channel_dim
        self.function = find_kind(spec.kind).deployed(spec, channels)
        if isinstance(self.function, (Polynomial, Expansion)):
            self.function.channel_dim = channel_dim
        lengths = _lengths(spec, channels, absorbed)
        for name in _MAPS:
            length = lengths.get(name, 0)
            self.register_buffer(name, torch.zeros(length) if length else None)

    def forward(self, x: Tensor) -> Tensor:
        x = self._mapped(x, self.input_scale, self.input_shift)
        return self._mapped(self.function(x), self.output_scale, self.output_shift)

    def _mapped(self, x: Tensor, scale: Tensor | None, shift: Tensor | None) -> Tensor:
        if scale is not None:
            x = x * along(by_channel(scale, self.channels), x, self.channel_dim)
        if shift is not None:
            x = x + along(by_channel(shift, self.channels), x, self.channel_dim)
        return x

    input_scale: Tensor | None
    input_shift: Tensor | None
    output_scale: Tensor | None
    output_shift: Tensor | None

    def take(self, inner: Affine, outer: Affine) -> None:
        """Copy the maps of all channels into what is stored of them."""
        values = (inner.scale, inner.shift, outer.scale, outer.shift)
        for name, full in zip(_MAPS, values, strict=True):
            stored: Tensor | None = getattr(self, name)
            if stored is not None:
                count = len(stored)
                first = [-(-row * self.channels // count) for row in range(count)]
                stored.copy_(full.cpu()[first])


def deploy_alone(
    module: nn.Module,
    spec: ActivationSpec,
    channels: int,
    *,
    channel_dim: int = 1,
    absorbed: Absorbed = NONE_ABSORBED,
    before: Affine | None = None,
) -> Standalone:
    """Return the deployed form of a trained activation, folded in float64, in float32 on the CPU.

    Args:
        module: what the spec's kind built, its statistics set.
        spec: what it was built from.
        channels: number of channels.
        channel_dim: where they are.
        absorbed: what the layers around take.
        before: a map of the input that was not applied yet, which joins the slot's own.

    Raises:
        ActivationError: statistics that were never set, or an activation that cannot be folded.
    """
    if not isinstance(module, Foldable):
        raise ActivationError(f"a {type(module).__name__} to deploy", expected="a SLAF or its ReLU")
    folded = module.fold()
    alone = Standalone(spec, channels, channel_dim=channel_dim, absorbed=absorbed)
    first = folded.input if before is None else folded.input.after(before)
    start = 0
    for part in alone.parts:
        assert isinstance(part, _Part)
        end = start + part.channels
        inner = Affine(first.scale[start:end], first.shift[start:end])
        outer = Affine(folded.output.scale[start:end], folded.output.shift[start:end])
        if absorbed.scale:  # s·g + t = s·(g + t/s), and s is applied later
            outer = Affine(outer.scale, outer.shift / outer.scale)
        part.take(inner, outer)
        if state := part.function.state_dict():
            trained = folded.function.state_dict()
            part.function.load_state_dict({name: trained[name].cpu() for name in state})
        start = end
    return alone


def standalone_values(
    spec: ActivationSpec, channels: int, absorbed: Absorbed = NONE_ABSORBED
) -> int:
    """Return how many values `Standalone` stores, without building it.

    Example:
        >>> from slaf_automl.activations import find_kind
        >>> standalone_values(find_kind("slaf").spec(degree=3), 8)  # and scale, shift, constant
        48
    """
    return sum(
        find_kind(part.kind).stored_values(part, count)
        + sum(_lengths(part, count, absorbed).values())
        for part, count in _parts(spec, channels)
    )


def _parts(spec: ActivationSpec, channels: int) -> list[tuple[ActivationSpec, int]]:
    """Return the specs of the SLAF channels and of the ReLU channels, with their numbers."""
    if spec.kind not in (*FIXED, "slaf"):
        raise ActivationError(
            f"activation kind {spec.kind!r} in a network that is not this package's",
            expected="one of " + ", ".join((*FIXED, "slaf")),
        )
    hybrid = require_hybrid(spec["hybrid"]) if spec.kind == "slaf" else 0.0
    if hybrid == 0.0:
        return [(spec, channels)]
    learned = learned_channels(channels, hybrid)
    alone = find_kind("slaf").spec(**{**spec.parameters, "hybrid": 0.0})
    rest = find_kind("relu").spec(normaliser=spec["normaliser"])
    parts = [(alone, learned), (rest, channels - learned)]
    return parts if channels > learned else parts[:1]


def _lengths(spec: ActivationSpec, channels: int, absorbed: Absorbed) -> dict[str, int]:
    """Return how many numbers of each affine map one part stores."""
    lengths = _all_lengths(spec, channels)
    return {name: count for name, count in lengths.items() if name not in absorbed.maps}


def _all_lengths(spec: ActivationSpec, channels: int) -> dict[str, int]:
    normaliser = str(spec["normaliser"])
    before = dict.fromkeys(_MAPS[:2], channels)
    if spec.kind in FIXED:
        if normaliser == "none":
            return {}
        return dict.fromkeys(_MAPS[2:], channels) if normaliser == "element" else before
    rows = deployed_rows(require_sharing(spec["sharing"]), normaliser, channels)
    constants = {"output_shift": rows}
    if normaliser in ("input", "frozen"):
        return {**before, **constants}
    if spec["clip"] is None:
        return constants
    return {**(before if normaliser == "element" else {"input_scale": 1}), **constants}


def scaled_channels(spec: ActivationSpec, channels: int, absorbed: Absorbed = NONE_ABSORBED) -> int:
    """Return how many channels `Standalone` scales, before or after: a multiplication each.

    Example:
        >>> from slaf_automl.activations import find_kind
        >>> scaled_channels(find_kind("slaf").spec(normaliser="element"), 8)
        8
    """
    total = 0
    for part, count in _parts(spec, channels):
        lengths = _lengths(part, count, absorbed)
        total += count * sum(name in lengths for name in ("input_scale", "output_scale"))
    return total
