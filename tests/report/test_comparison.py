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


@pytest.mark.parametrize("count", [15, 16, 20])
def test_more_seeds_than_are_listed_against_every_pattern(count):
    values = np.random.default_rng(count).normal(0.4, 1.0, count)
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    wanted = (np.abs(sums) >= abs(values.sum()) * (1 - 1e-9)).mean()
    found = compared(values.tolist())["p"]
    assert wanted <= found <= wanted + 1e-3


def test_many_seeds():
    values = np.random.default_rng(0).normal(0.3, 1.0, 48).tolist()
    assert compared(values)["p"] == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue, abs=0.01)
    assert 0.0 < compared([1.0] * 30)["p"] == pytest.approx(2 / 2**30)


@pytest.mark.parametrize("repeats", [1, 3])
def test_ties_survive_the_rounding_of_float32(repeats):
    """Shares of 2,199 rows, as metrics come: whole numbers have the same p."""
    wrong = np.array([8, -1, 2, -1, 7, 2, 1, 3] * repeats)
    first = (np.float32(1) - np.float32(40 + wrong) / np.float32(2199)).astype(np.float32)
    second = (np.float32(1) - np.float32(40) / np.float32(2199)).astype(np.float32)
    found = compared((first.astype(float) - float(second)).tolist())["p"]
    sums = {0: 1.0}
    for one in wrong.tolist():
        sums = {
            s: sums.get(s - one, 0.0) + sums.get(s + one, 0.0)
            for s in {t + k for t in sums for k in (one, -one)}
        }
    patterns = 2.0 ** len(wrong)
    wanted = sum(n for s, n in sums.items() if abs(s) >= abs(wrong.sum())) / patterns
    assert found == pytest.approx(wanted, abs=1e-12 if repeats == 1 else 2e-4)


def test_no_difference_and_a_single_seed():
    assert compared([0.0] * 8)["p"] == 1.0
    alone = compared([0.4])
    assert (alone["spread"], alone["interval"], alone["p"]) == (None, None, 1.0)
