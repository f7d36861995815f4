"""Eq. 1, relative ranks, the rate over a corpus, and β solved for a rate."""

import math

import numpy as np
import pytest
from clue_cases import examples
from hypothesis import assume, given
from hypothesis import strategies as st

from elusive.clues.dropout import RankHistogram, drop_probability, relative_rank
from elusive.errors import OptionError

alphas = st.floats(0.01, 1)
betas = st.floats(1e-6, 10)
texts_of_ranks = st.lists(st.lists(st.integers(0, 300), max_size=20), max_size=6)


def equation_1(rank: float, *, alpha: float, beta: float) -> float:
    return alpha * (1 - math.exp(-beta * rank))


def histogram_of(texts: list[list[float]]) -> RankHistogram:
    histogram = RankHistogram()
    for ranks in texts:
        histogram.add(np.array(ranks, dtype=float))
    return histogram


@given(rank=st.integers(0, 5000), alpha=st.floats(0, 1), beta=betas)
@examples(200)
def test_probability_is_equation_1(rank, alpha, beta):
    [found] = drop_probability([rank], alpha=alpha, beta=beta)
    assert math.isclose(found, equation_1(rank, alpha=alpha, beta=beta), rel_tol=1e-9, abs_tol=1e-12)


def test_defaults_are_alpha_20_and_beta_5_percent():
    np.testing.assert_allclose(drop_probability([0, 1, 20]), [0, 0.00975412, 0.1264241], rtol=1e-5)


@given(alpha=st.floats(0, 1), beta=betas | st.just(math.inf))
@examples(100)
def test_rank_zero_is_never_dropped_and_alpha_is_the_ceiling(alpha, beta):
    p = drop_probability(np.arange(400), alpha=alpha, beta=beta)
    assert p[0] == 0
    assert (np.diff(p) >= 0).all()
    assert p.max() <= alpha


def test_infinite_beta_drops_all_but_rank_zero_at_alpha():
    np.testing.assert_array_equal(drop_probability([0, 1, 0.1, 9], alpha=0.3, beta=math.inf), [0, 0.3, 0.3, 0.3])


def test_a_small_beta_keeps_its_precision():
    [found] = drop_probability([1], alpha=1, beta=1e-18)
    assert math.isclose(found, 1e-18, rel_tol=1e-12)


@pytest.mark.parametrize("alpha", [-0.1, 1.01, math.nan, math.inf])
def test_an_alpha_that_is_no_probability_is_refused(alpha):
    with pytest.raises(OptionError, match=r"alpha is .*expected a probability, 0 to 1"):
        drop_probability([1], alpha=alpha)


@pytest.mark.parametrize("beta", [0, -0.05, math.nan, -math.inf])
def test_a_beta_that_is_not_positive_is_refused(beta):
    with pytest.raises(OptionError, match=r"beta is .*expected a number above 0"):
        drop_probability([1], beta=beta)


def test_relative_ranks_are_absolute_on_a_text_of_64_units_and_scale_with_length():
    np.testing.assert_array_equal(relative_rank([0, 1, 63], n_units=64), [0, 1, 63])
    np.testing.assert_array_equal(relative_rank([0, 16, 1984], n_units=2048), [0, 0.5, 62])
    np.testing.assert_array_equal(relative_rank([], n_units=0), [])


@given(texts=texts_of_ranks, alpha=alphas, beta=betas)
@examples(100)
def test_mean_rate_is_the_mean_probability_over_all_units(texts, alpha, beta):
    histogram = histogram_of(texts)
    every = [equation_1(rank, alpha=alpha, beta=beta) for ranks in texts for rank in ranks]
    assert histogram.n_units == len(every)
    expected = sum(every) / len(every) if every else 0
    assert math.isclose(histogram.mean_rate(alpha=alpha, beta=beta), expected, rel_tol=1e-9, abs_tol=1e-12)


@given(texts=texts_of_ranks, alpha=alphas, share=st.floats(1e-9, 1 - 1e-9), relative=st.booleans())
@examples(100)
def test_the_solved_beta_gives_the_target_rate(texts, alpha, share, relative):
    if relative:
        texts = [[rank * 64 / max(len(ranks), 1) for rank in ranks] for ranks in texts]
    histogram = histogram_of(texts)
    target = share * histogram.mean_rate(alpha=alpha, beta=math.inf)
    assume(target > 0)
    beta = histogram.solve_beta(target, alpha=alpha)
    assert abs(histogram.mean_rate(alpha=alpha, beta=beta) - target) < 1e-9


@pytest.mark.parametrize("target", [1e-14, 1e-30])
def test_a_target_next_to_nothing_is_solved_too(target):
    histogram = histogram_of([list(range(100))])
    found = histogram.mean_rate(alpha=0.7, beta=histogram.solve_beta(target, alpha=0.7))
    assert math.isclose(found, target, rel_tol=1e-6)


@pytest.mark.parametrize("target", [0, -0.1, 0.35, 0.5, 1, math.nan])
def test_a_target_that_alpha_cannot_reach_is_refused_with_its_bound(target):
    histogram = histogram_of([[0, 1], [0, 5]])  # one unit of two can be dropped: at most α/2
    with pytest.raises(OptionError, match=r"cannot be reached with alpha 0\.7: .* less than 0\.35 .*raise --alpha"):
        histogram.solve_beta(target, alpha=0.7)


def test_alpha_at_its_boundaries():
    histogram = histogram_of([[0, 1, 2, 3]])
    assert abs(histogram.mean_rate(alpha=1, beta=histogram.solve_beta(0.749, alpha=1)) - 0.749) < 1e-9
    with pytest.raises(OptionError, match="cannot be reached with alpha 0:"):
        histogram.solve_beta(0.1, alpha=0)
    with pytest.raises(OptionError, match="expected a probability"):
        histogram.solve_beta(0.1, alpha=1.2)


def test_a_corpus_with_nothing_to_drop_has_rate_zero_and_no_beta():
    assert RankHistogram().mean_rate(alpha=0.7, beta=0.05) == 0
    with pytest.raises(OptionError, match="cannot be reached"):
        RankHistogram().solve_beta(0.1, alpha=0.7)
    with pytest.raises(OptionError, match="cannot be reached"):
        histogram_of([[0], [0]]).solve_beta(0.1, alpha=0.7)
