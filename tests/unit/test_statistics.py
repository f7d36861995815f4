"""Means with intervals, paired differences and ρ: against slow oracles, and how often an interval holds the truth."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from elusive.errors import OptionError
from elusive.statistics import over_examples, paired_difference, spearman

NAN = float("nan")


def test_examples_without_a_value_are_left_out_and_counted() -> None:
    estimate = over_examples([0.5, NAN, 0.7, NAN, NAN])
    assert (estimate.mean, estimate.n, estimate.left_out) == (pytest.approx(0.6), 2, 3)
    assert estimate.sd == pytest.approx(math.sqrt(0.02))
    nothing = over_examples([NAN])
    assert (nothing.mean, nothing.sd, nothing.low, nothing.high, nothing.n, nothing.left_out) == (*[None] * 4, 0, 1)
    assert over_examples([]).mean is None


def test_one_example_has_a_mean_and_no_interval() -> None:
    one = over_examples([0.3])
    assert (one.mean, one.sd, one.low, one.high) == (0.3, None, None, None)
    assert (one.is_positive, one.is_negative) == (False, False)


def test_the_interval_is_that_of_the_mean_and_repeats_with_its_seed() -> None:
    values = np.random.default_rng(1).normal(0.4, 0.2, size=400)
    estimate = over_examples(values)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert estimate.low == pytest.approx(values.mean() - half, abs=half / 5)
    assert estimate.high == pytest.approx(values.mean() + half, abs=half / 5)
    assert estimate == over_examples(values)
    assert estimate != over_examples(values, seed=1)


def test_the_interval_holds_the_truth_in_95_of_100_simulations() -> None:
    rng = np.random.default_rng(0)
    simulations = [over_examples(rng.exponential(size=80), seed=i) for i in range(250)]
    covered = np.mean([s.low <= 1 <= s.high for s in simulations])
    assert 0.95 - 0.05 <= covered <= 0.95 + 0.03, covered  # of 80 skewed values, some 94 %; ± 1.4 % by chance


@pytest.mark.parametrize(("values", "sign"), [([1, 2, 3], 1), ([-1, -2, -3], -1), ([-1, 1, 0], 0), ([1e-16, 2e-16], 0)])
def test_an_interval_has_a_sign_where_it_leaves_0_out(values: list[float], sign: int) -> None:
    estimate = over_examples(values)
    assert (estimate.is_positive, estimate.is_negative) == (sign > 0, sign < 0)


def test_a_difference_is_over_the_examples_that_have_both() -> None:
    difference = paired_difference([3.0, NAN, 5.0, 1.0], [1.0, 2.0, NAN, 0.0])
    assert (difference.mean, difference.n, difference.left_out) == (1.5, 2, 2)


def test_pairing_shows_what_the_spread_of_examples_hides() -> None:
    rng = np.random.default_rng(2)
    easy_or_hard = rng.normal(0, 5, size=60)
    better = easy_or_hard + rng.normal(0.3, 0.1, size=60)
    assert paired_difference(better, easy_or_hard).is_positive
    assert not paired_difference(better, rng.permutation(easy_or_hard)).is_positive


def test_a_difference_turned_round_has_its_interval_turned_round() -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 30))
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))


def test_a_difference_of_other_examples_is_refused() -> None:
    with pytest.raises(OptionError, match="2 values and 3 of the reference"):
        paired_difference([1.0, 2.0], [1.0, 2.0, 3.0])


@settings(deadline=None)
@given(*[arrays(np.float64, 12, elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0]))] * 2)
def test_spearman_is_that_of_scipy_with_mean_ranks_and_nan_where_constant(a: np.ndarray, b: np.ndarray) -> None:
    if np.ptp(a) and np.ptp(b):
        assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    else:
        assert math.isnan(spearman(a, b))


def test_spearman_of_two_is_1_or_minus_1_and_of_one_undefined() -> None:
    assert spearman(np.array([1.0, 2.0]), np.array([5.0, 6.0])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2.0]), np.array([6.0, 5.0])) == pytest.approx(-1)
    assert math.isnan(spearman(np.array([1.0]), np.array([1.0])))
    assert math.isnan(spearman(np.array([]), np.array([])))
