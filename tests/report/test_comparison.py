"""Paired differences: interval and test, by hand and against scipy."""

import itertools

import numpy as np
import pytest
from scipy import stats

from slaf_automl.report.comparison import compared


def test_by_hand():
    # Mean 2, spread 1, Student's quantile of two degrees of freedom 4.3027.
    found = compared([1.0, 2.0, 3.0])
    half = 4.302653 / 3**0.5
    assert found["interval"] == pytest.approx([2 - half, 2 + half], rel=1e-6)
    # Of eight sign patterns only those of the sample and its mirror reach so far.
    assert (found["p"], found["least_p"]) == (0.25, 0.25)


def test_every_pattern_counts_once():
    values = [0.3, -0.1, 0.4, 0.2, 0.2]
    seen = abs(np.mean(values))
    means = [np.mean(np.multiply(s, values)) for s in itertools.product((1, -1), repeat=5)]
    share = np.mean([abs(mean) >= seen - 1e-12 for mean in means])
    assert compared(values)["p"] == pytest.approx(share)


@pytest.mark.parametrize("count", [6, 8, 12])
def test_against_scipy(count):
    values = np.random.default_rng(count).normal(0.5, 1.0, count)
    wanted = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert compared(values.tolist())["p"] == pytest.approx(wanted.pvalue)
    interval = stats.ttest_1samp(values, 0.0).confidence_interval()
    assert compared(values.tolist())["interval"] == pytest.approx([interval.low, interval.high])


def test_many_seeds_are_sampled_the_same_way_each_time():
    values = np.random.default_rng(0).normal(0.3, 1.0, 30).tolist()
    found = compared(values)
    assert found == compared(values)
    assert found["p"] == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue, abs=0.03)
    assert compared([1.0] * 30)["p"] > 0.0


def test_no_difference_and_a_single_seed():
    assert compared([0.0] * 8)["p"] == 1.0
    alone = compared([0.4])
    assert (alone["spread"], alone["interval"], alone["p"]) == (None, None, 1.0)
