"""Means with intervals, paired differences and ρ: against slow oracles, and how often an interval holds the truth."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from elusive.errors import OptionError
from elusive.statistics import (
    over_examples,
    over_groups,
    over_strata,
    over_sums,
    paired_difference,
    spearman,
    t_interval,
)

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


# -- groups ----------------------------------------------------------------------------------------------------------


def test_groups_of_one_value_each_give_what_examples_give() -> None:
    values = [*np.random.default_rng(0).random(30), NAN]
    assert over_groups(values, range(31), seed=3) == over_examples(values, seed=3)


def test_a_group_is_drawn_whole_and_weighs_as_much_as_it_has_values() -> None:
    values, groups = [1.0, 1.0, 1.0, 0.0], ["a", "b", "b", "c"]
    found = over_groups(values, groups)
    assert (found.mean, found.n) == (0.75, 4)
    assert found.sd == pytest.approx(0.5)
    whole = over_sums(np.array([1.0, 2.0, 0.0]), np.array([1, 2, 1]))
    assert (whole.mean, whole.low, whole.high, whole.n) == (found.mean, found.low, found.high, 4)


def test_equal_values_in_a_group_make_the_interval_as_wide_as_that_of_the_groups() -> None:
    means = np.random.default_rng(1).random(40)
    by_group = over_groups(np.repeat(means, 6), np.repeat(np.arange(40), 6).tolist())
    assert (by_group.low, by_group.high) == pytest.approx((over_examples(means).low, over_examples(means).high))
    assert over_examples(np.repeat(means, 6)).high < by_group.high, "as if each value were a person"


def test_the_interval_over_groups_holds_the_truth_in_95_of_100_simulations() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 4).tolist()
    simulations = [over_groups(np.repeat(rng.normal(size=60), 4) + rng.normal(size=240), groups) for _ in range(200)]
    covered = np.mean([s.low <= 0 <= s.high for s in simulations])
    assert 0.95 - 0.06 <= covered <= 0.95 + 0.04, covered


def test_fewer_than_two_groups_have_no_interval_and_unlike_lengths_are_refused() -> None:
    one = over_groups([1.0, 0.0], ["a", "a"])
    assert (one.mean, one.low, one.high) == (0.5, None, None)
    nothing = over_groups([NAN, NAN], ["a", "b"])
    assert (nothing.mean, nothing.low, nothing.n, nothing.left_out) == (None, None, 0, 2)
    with pytest.raises(OptionError, match="2 values and 1 groups"):
        over_groups([1.0, 2.0], ["a"])


def test_strata_weigh_the_same_whatever_their_size_and_one_alone_is_over_groups() -> None:
    large, small = ([0.0] * 30, list(range(30))), ([1.0, NAN, 1.0], ["a", "a", "b"])
    both = over_strata([large, small])
    assert (both.mean, both.low, both.high, both.n, both.left_out) == (0.5, 0.5, 0.5, 32, 1)
    values = np.random.default_rng(4).random(40)
    alone, grouped = (
        over_strata([(values, [i % 9 for i in range(40)])]),
        over_groups(values, [i % 9 for i in range(40)]),
    )
    assert (alone.mean, alone.interval) == (grouped.mean, grouped.interval)


def test_strata_narrow_the_interval_as_their_number_does() -> None:
    strata = [(np.random.default_rng(i).normal(size=50), range(50)) for i in range(16)]
    widths = [np.ptp(over_strata(strata[:n]).interval) for n in (1, 4, 16)]
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.25)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.25)


def test_the_same_people_in_each_stratum_are_no_more_people() -> None:
    values, people, others = np.random.default_rng(0).random(30), range(30), range(30, 60)
    alone = over_strata([(values, people)])
    assert over_strata([(values, people)] * 3).interval == pytest.approx(alone.interval)
    between = over_strata([(values, people), (values, others), (values, people)])
    assert np.ptp(between.interval) == pytest.approx(np.ptp(alone.interval) * math.sqrt(5) / 3, rel=0.1)


def test_the_interval_over_people_whom_strata_share_holds_the_truth_in_95_of_100_simulations() -> None:
    rng = np.random.default_rng(1)
    simulations = []
    for _ in range(200):
        people = rng.normal(size=60)
        simulations.append(over_strata([(people + rng.normal(size=60) / 2, range(60)) for _ in range(3)]))
    covered = np.mean([s.low <= 0 <= s.high for s in simulations])
    assert 0.95 - 0.06 <= covered <= 0.95 + 0.04, covered


@pytest.mark.parametrize("strata", [[], [([1.0, 0.0], "ab"), ([NAN], "a")], [([1.0, 0.0], "ab"), ([1.0], "a")]])
def test_a_stratum_without_groups_to_draw_gives_no_interval(strata: list) -> None:
    assert over_strata(strata).interval is None


def test_a_few_values_have_students_interval_which_holds_the_truth_in_95_of_100() -> None:
    low, high = t_interval([1.0, 2.0, 3.0])
    assert (low, high) == (
        pytest.approx(2 - 4.3027 / math.sqrt(3), abs=1e-3),
        pytest.approx(2 + 4.3027 / math.sqrt(3), abs=1e-3),
    )
    assert t_interval([1.0, 2.0]) is None
    found = [t_interval(values) for values in np.random.default_rng(5).normal(1, size=(800, 3))]
    assert np.mean([low <= 1 <= high for low, high in found]) == pytest.approx(0.95, abs=0.025)
