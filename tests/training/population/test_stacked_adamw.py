"""Our AdamW against torch's, lane by lane."""

import math

import numpy as np
import pytest
import torch
from torch.nn.utils import clip_grad_norm_

from slaf_automl.training.population.adamw import GROUPS, Segment, StackedAdamW, step_rates

LIMITS = (math.inf, 0.5, 3.0)
RATES = (1e-2, 3e-3, 0.1)
DECAYS = (0.0, 0.1, 1.0)
SIZES = (600, 17, 1)


def layout():
    """Lanes in turn within each group, with unused places between them."""
    segments, start = [], 3
    for group, size in enumerate(SIZES):
        for lane in range(len(LIMITS)):
            segments.append(Segment(start, size, lane, group))
            start += size + (lane == 1)
    return segments, start + 5


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_lane_moves_as_torchs_does(compiled, dtype):
    generator = torch.Generator().manual_seed(0)
    segments, size = layout()
    values = torch.randn(size, generator=generator, dtype=dtype)
    vectors = (values.clone(), *(torch.zeros(size, dtype=dtype) for _ in range(3)))
    ours = StackedAdamW(segments, LIMITS, vectors, compiled=compiled)
    single = [
        [
            torch.nn.Parameter(values[s.start : s.start + s.length].clone())
            for s in segments
            if s.lane == lane
        ]
        for lane in range(len(LIMITS))
    ]
    theirs = [
        torch.optim.AdamW(
            [
                {"params": [p], "lr": RATES[lane], "weight_decay": d}
                for p, d in zip(ps, DECAYS, strict=True)
            ]
        )
        for lane, ps in enumerate(single)
    ]
    done = np.zeros((len(LIMITS), GROUPS), dtype=int)
    for step in range(30):
        gradient = torch.randn(size, generator=generator, dtype=dtype)
        vectors[1].copy_(gradient)
        table = np.array([[step_rates(math.nan, 0.0, 0)] * GROUPS] * len(LIMITS))
        for lane, parameters in enumerate(single):
            own = [s for s in segments if s.lane == lane]
            for s, parameter in zip(own, parameters, strict=True):
                rests = lane == 1 and (step + s.group) % 2 == 0
                parameter.grad = None if rests else gradient[s.start : s.start + s.length].clone()
                if not rests:
                    table[lane, s.group] = step_rates(
                        RATES[lane], DECAYS[s.group], done[lane, s.group]
                    )
                    done[lane, s.group] += 1
            if math.isfinite(LIMITS[lane]):
                clip_grad_norm_(parameters, LIMITS[lane])
            theirs[lane].step()
        ours.step(table)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    for lane, parameters in enumerate(single):
        own = [s for s in segments if s.lane == lane]
        for s, parameter in zip(own, parameters, strict=True):
            found = vectors[0][s.start : s.start + s.length]
            torch.testing.assert_close(found, parameter.detach(), rtol=tolerance, atol=tolerance)
    nobody = torch.ones(size, dtype=torch.bool)
    for s in segments:
        nobody[s.start : s.start + s.length] = False
    assert vectors[0][nobody].equal(values[nobody])


@pytest.mark.parametrize("compiled", [True, False])
def test_a_gradient_that_is_not_a_number_stays_in_its_lane(compiled):
    segments = [Segment(0, 40, 0, 0), Segment(40, 40, 1, 0)]
    vectors = (torch.ones(80), torch.ones(80), torch.zeros(80), torch.zeros(80))
    vectors[1][3] = math.nan
    ours = StackedAdamW(segments, (1.0, 1.0), vectors, compiled=compiled)
    ours.step(np.array([[step_rates(0.1, 0.0, 0)] * GROUPS] * 2))
    assert vectors[0][:40].isnan().all()
    assert vectors[0][40:].allclose(torch.tensor(0.9))
