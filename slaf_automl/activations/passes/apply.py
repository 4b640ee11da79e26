"""Chooses how one SLAF is evaluated, and lets its running statistics take the batch in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function

from slaf_automl.activations.channels import Moments
from slaf_automl.activations.passes.beside import Beside, FusedBeside
from slaf_automl.activations.passes.compiler import kernel
from slaf_automl.activations.passes.fixed import RECTIFIED
from slaf_automl.activations.passes.form import Form, Source
from slaf_automl.activations.passes.fused import Buffers, Call, Fused, dense, evaluate
from slaf_automl.activations.passes.plan import Plan
from slaf_automl.activations.passes.recomputed import Recomputed
from slaf_automl.activations.passes.written import Parameters, Settled, written_out
from slaf_automl.activations.statistics import RunningMoments


class Statistics(NamedTuple):
    """Where the statistics of the input and of the elements come from, and their running ones.

    Args:
        sources: of the input's and of the elements'.
        running: moments `(C,)` and `(C, degree)`; None under `Source.NONE`.
    """

    sources: tuple[Source, Source]
    running: tuple[RunningMoments | None, RunningMoments | None]

    @staticmethod
    def of(
        running: tuple[RunningMoments | None, RunningMoments | None],
        input_source: Source,
        slot: str,
        *,
        training: bool,
    ) -> Statistics:
        """Return where statistics come from in a pass.

        Args:
            running: moments of the input and of the elements.
            input_source: of the input's in training.
            slot: what to call the layer in messages.
            training: whether it trains.

        Raises:
            ActivationError: statistics that are needed and were never set.
        """
        sources = []
        for moments, source in zip(running, (input_source, Source.BATCH), strict=True):
            if moments is None:
                source = Source.NONE
            elif not training or moments.idle:
                moments.require_set(slot)
                source = Source.CONSTANT
            sources.append(source)
        return Statistics((sources[0], sources[1]), running)

    @property
    def pairs(self) -> tuple[tuple[Source, RunningMoments | None], ...]:
        """Source and running moments of input and elements."""
        return tuple(zip(self.sources, self.running, strict=True))


NO_STATISTICS = Statistics((Source.NONE, Source.NONE), (None, None))
"""Of a SLAF that normalises nothing."""


class Rectifier(NamedTuple):
    """A ReLU that stands beside a SLAF: its passes, channels, gain and offset, and statistics."""

    passes: Passes
    channels: int
    affine: tuple[Tensor | None, Tensor | None]
    statistics: Statistics


@dataclass
class Passes:
    """Evaluates SLAFs of one form; remembers the compiled passes it has asked for.

    * Under torch.compile, torch.export and torch.func the formula is written out, for them to fuse
      and transform. Functions under torch.func are pure, so running statistics stay there.
    * Polynomial families on a CPU run in the compiled passes.
    * All else runs written out, and once more in the backward pass rather than keeping it.
    """

    form: Form
    _plans: dict[tuple[tuple[Source, Source], torch.dtype], Plan | None] = field(
        default_factory=dict
    )

    def __getstate__(self) -> dict[str, object]:
        """Leave out the compiled passes: they belong to the process."""
        return {"form": self.form, "_plans": {}}

    def __call__(
        self, x: Tensor, channel_dim: int, parameters: Parameters, statistics: Statistics
    ) -> tuple[Tensor, bool]:
        """Evaluate, and move the running statistics.

        Args:
            x: `(N, C, *)`, channels at `channel_dim` ≥ 0, of the parameters' dtype.
            channel_dim: where the channels are.
            parameters: what is learned.
            statistics: of input and elements.

        Returns:
            f(x), and False where it is known not to be finite. It is not known under a transform,
            nor on an accelerator, for which the host would have to wait.
        """
        if torch.compiler.is_compiling():
            return self._written(x, channel_dim, parameters, statistics, observe=True), True
        if torch._C._are_functorch_transforms_active() or torch._C._get_tracing_state() is not None:
            return self._written(x, channel_dim, parameters, statistics, observe=False), True
        plan = self._plan(x, statistics)
        if plan is not None:
            x = dense(x, channel_dim)
            return _compiled(plan, x, channel_dim, parameters, statistics)
        y = self._recomputed(x, channel_dim, parameters, statistics)
        return y, y.device.type != "cpu" or bool(torch.isfinite(y.detach()).all())

    def beside(
        self,
        x: Tensor,
        channel_dim: int,
        parameters: Parameters,
        statistics: Statistics,
        other: Rectifier,
    ) -> tuple[Tensor, bool] | None:
        """Evaluate on the first channels, and a rectifier on the others, without a copy.

        Args:
            x: `(N, C, *)`, channels at `channel_dim` ≥ 0, of the parameters' dtype.
            channel_dim: where the channels are.
            parameters: what is learned.
            statistics: of input and elements.
            other: the rectifier.

        Returns:
            Both parts, and False where they are known not to be finite; None where only the two
            evaluated apart will do.
        """
        if (
            torch.compiler.is_compiling()
            or torch._C._are_functorch_transforms_active()
            or torch._C._get_tracing_state() is not None
        ):
            return None
        both = statistics.running + other.statistics.running
        if any(running is not None and running.pooling for running in both):
            return None
        plan = self._plan(x, statistics)
        other_plan = None if plan is None else other.passes._plan(x, other.statistics)
        if plan is None or other_plan is None:
            return None
        x = dense(x, channel_dim)
        learned = x.shape[channel_dim] - other.channels
        buffers = _buffers(statistics), _buffers(other.statistics)
        call = Beside((plan, other_plan), channel_dim, learned, buffers)
        y: Tensor = FusedBeside.apply(x, *parameters, *other.affine, call)  # type: ignore[no-untyped-call]
        return y, call.finite

    def _plan(self, x: Tensor, statistics: Statistics) -> Plan | None:
        if x.device.type != "cpu" or type(x) not in (Tensor, nn.Parameter):
            return None
        for running in statistics.running:  # The passes write the buffers in x's own precision.
            if running is not None and running.buffers_of()[0].dtype != x.dtype:
                return None
        key = (statistics.sources, x.dtype)
        if key in self._plans:
            return self._plans[key]
        form = self.form
        moments = statistics.running[0] or statistics.running[1]
        rectified = form == RECTIFIED
        found = kernel(form.degree, x.dtype) if form.basis.polynomial or rectified else None
        momentum, settle = (0.0, 0) if moments is None else (moments.momentum, moments.settle)
        sources, make = statistics.sources, Plan.rectified if rectified else Plan.of
        plan = None if found is None else make(found, form, sources, momentum, settle)
        self._plans[key] = plan
        return plan

    def _written(
        self,
        x: Tensor,
        channel_dim: int,
        parameters: Parameters,
        statistics: Statistics,
        *,
        observe: bool,
    ) -> Tensor:
        settled = _settled(x, channel_dim, statistics)
        y, *batches = written_out(
            x, channel_dim, self.form, statistics.sources, parameters, *settled
        )
        if observe:
            _observe(x, channel_dim, statistics, batches)
        return y

    def _recomputed(
        self, x: Tensor, channel_dim: int, parameters: Parameters, statistics: Statistics
    ) -> Tensor:
        settled = _settled(x, channel_dim, statistics)
        batches: list[Moments | None] = []
        y: Tensor = Recomputed.apply(  # type: ignore[no-untyped-call]
            x, *parameters, *settled, self.form, statistics.sources, channel_dim, batches
        )
        _observe(x, channel_dim, statistics, batches)
        return y


def _settled(
    x: Tensor, channel_dim: int, statistics: Statistics
) -> tuple[Settled | None, Settled | None]:
    """Return the statistics that do not come from the batch."""
    found: list[Settled | None] = []
    for source, running in statistics.pairs:
        if running is None or source in (Source.NONE, Source.BATCH):
            found.append(None)
            continue
        mean, variance = running.snapshot()
        if source is Source.FOLLOW:  # The first batch has nothing before it to follow.
            batch = running.moments_of(x, channel_dim)
            first = running.rows == 0
            mean = torch.where(first, batch.mean, mean)
            variance = torch.where(first, batch.variance, variance)
        mean, variance = mean.to(x.dtype), variance.to(x.dtype)
        found.append(Settled(mean, torch.rsqrt(variance + running.epsilon)))
    return found[0], found[1]


def _observe(
    x: Tensor, channel_dim: int, statistics: Statistics, batches: list[Moments | None]
) -> None:
    count = x.numel() // x.shape[channel_dim]
    for (source, running), batch in zip(statistics.pairs, batches, strict=True):
        if running is None or source in (Source.NONE, Source.CONSTANT):
            continue
        found = running.moments_of(x, channel_dim) if source is Source.FOLLOW else batch
        if found is not None:
            running.observe(found, count)


def _compiled(
    plan: Plan, x: Tensor, channel_dim: int, parameters: Parameters, statistics: Statistics
) -> tuple[Tensor, bool]:
    inputs, elements = statistics.running
    if (inputs is not None and inputs.pooling) or (elements is not None and elements.pooling):
        return _pooled(plan, x, channel_dim, parameters, statistics)
    buffers = _buffers(statistics)
    if torch.is_grad_enabled():
        call = Call(plan, channel_dim, buffers)
        # Function.apply itself only serves torch.func, which __call__ has turned away; going past
        # it saves a small layer a tenth of its time.
        y: Tensor = super(Function, Fused).apply(x, *parameters, call)  # type: ignore[no-untyped-call]
        return y, call.finite
    y, _, good = evaluate(plan, x, channel_dim, parameters, buffers)
    return y, good


def _buffers(statistics: Statistics) -> Buffers:
    inputs, elements = statistics.running
    return (
        None if inputs is None else inputs.buffers_of(),
        None if elements is None else elements.buffers_of(),
    )


@torch.no_grad()
def _pooled(
    plan: Plan, x: Tensor, channel_dim: int, parameters: Parameters, statistics: Statistics
) -> tuple[Tensor, bool]:
    """Evaluate within `pooled_statistics`, which averages batches in its own way."""
    pooled = [m if source is Source.BATCH else None for source, m in statistics.pairs]
    inputs, elements = (
        None if m is None or m in pooled else m.buffers_of() for m in statistics.running
    )
    y, table, good = evaluate(plan, x, channel_dim, parameters, (inputs, elements))
    degree, count = plan.form.degree, x.numel() // x.shape[channel_dim]
    starts = ((0, 1, 1), (6 + degree, 6 + 2 * degree, degree))
    for running, (mean, inverse, width) in zip(pooled, starts, strict=True):
        if running is not None:
            means = table[:, mean : mean + width].reshape(running.mean.shape)
            inverses = table[:, inverse : inverse + width].reshape(running.mean.shape)
            variances = (inverses**-2 - running.epsilon).clamp_min(0.0)
            running.observe(Moments(means, variances), count)
    return y, good
