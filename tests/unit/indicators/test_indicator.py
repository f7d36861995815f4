"""One indicator of one example: cases worked by hand, a slow oracle, and what must hold whatever the scores."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

import elusive
from elusive.errors import ModelError, OptionError
from elusive.indicators.indicator import Indicator, indicator, n_nearest


def slow_indicator(scores: list[float], similarity: list[float], percentile: int) -> tuple[float, float, float]:
    n = len(scores)
    wanted = max(2, math.ceil(Fraction(100 - percentile, 100) * n))
    nearest = sorted(range(n), key=lambda t: (-similarity[t], t))[:wanted]
    total = math.fsum(scores)
    attention = math.fsum(scores[t] / total for t in nearest) / len(nearest) if total else math.nan
    a, b = [scores[t] for t in nearest], [similarity[t] for t in nearest]
    rho = spearmanr(a, b).statistic if len(set(a)) > 1 and len(set(b)) > 1 else math.nan
    return attention, attention * n, float(rho)


def figures(found: Indicator) -> tuple[float, float, float]:
    return found.attention, found.lift, found.spearman


def test_by_hand_the_nearest_three_of_six() -> None:
    found = indicator([1, 4, 0, 3, 2, 0], [0.1, 0.9, 0.2, 0.8, 1.0, 0.0], 50)
    # Nearest: tokens 4, 1, 3 with 2, 4, 3 of 10. Ranks of scores 1, 3, 2; of similarities 3, 2, 1: ρ = 1 - 6·6/(3·8).
    assert figures(found) == pytest.approx((0.3, 1.8, -0.5))
    assert (found.n_nearest, found.n_tokens) == (3, 6)


def test_equally_near_tokens_go_by_position() -> None:
    found = indicator([1, 2, 3, 4], [0.5, 0.5, 0.5, 0.5], 50)
    assert found.attention == pytest.approx(0.15), "the first two, with 1 and 2 of 10"
    assert math.isnan(found.spearman), "all as near"


def test_equal_scores_have_their_mean_rank() -> None:
    found = indicator([2, 2, 1, 0], [0.9, 0.8, 0.7, 0.1], 25)
    # Ranks 2.5, 2.5, 1 against 3, 2, 1: ρ = 1.5 / √(1.5 · 2).
    assert found.spearman == pytest.approx(1.5 / math.sqrt(3))


def test_uniform_attention_has_lift_1_and_no_rank() -> None:
    found = indicator(np.full(300, 0.01), np.random.default_rng(0).normal(size=300), 95)
    assert found.lift == pytest.approx(1, abs=1e-12)
    assert math.isnan(found.spearman)


@pytest.mark.parametrize(
    ("n", "percentile", "expected"),
    [
        *((100, 90, 10), (1000, 99, 10), (101, 90, 11), (100, 95, 5), (40, 97.5, 2), (300, np.int64(70), 90)),
        *((1000, 99.3, 7), (10_000, 99.9, 10), (100, np.float64(90), 10)),
        *((7, 0, 7), (10, 95, 2), (2, 95, 2), (1, 95, 1), (0, 95, 0)),
    ],
)
def test_the_nearest_are_counted_exactly(n: int, percentile: float, expected: int) -> None:
    assert n_nearest(n, percentile) == expected


def test_tiny_contexts_have_what_is_defined_of_them() -> None:
    two = indicator([1, 3], [0.2, 0.4], 95)
    assert figures(two) == pytest.approx((0.5, 1, 1))
    one = indicator([0.2], [0.4], 95)
    assert figures(one) == pytest.approx((1, 1, math.nan), nan_ok=True)
    none = indicator([], [], 95)
    assert all(map(math.isnan, figures(none)))
    assert (none.n_nearest, none.n_tokens) == (0, 0)


def test_scores_that_are_all_0_have_no_shares() -> None:
    assert all(map(math.isnan, figures(indicator([0, 0, 0], [1, 0.5, 0], 90))))


EXAMPLES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.float32, n, elements=st.sampled_from([0, 0.125, 0.5, 1, 3])),
        arrays(np.float32, n, elements=st.sampled_from([-0.5, 0, 0.25, 0.75, 1])),
    )
)


@settings(deadline=None)
@given(EXAMPLES, st.sampled_from([0, 50, 90, 95]))
def test_it_is_its_definition(example: tuple[np.ndarray, np.ndarray], percentile: int) -> None:
    scores, similarity = example
    expected = slow_indicator(scores.tolist(), similarity.tolist(), percentile)
    assert figures(indicator(scores, similarity, percentile)) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(EXAMPLES, st.floats(1e-6, 1e6))
def test_the_unit_of_the_scores_makes_no_difference(example: tuple[np.ndarray, np.ndarray], unit: float) -> None:
    scores, similarity = example
    there, here = indicator(scores, similarity, 90), indicator(scores.astype(np.float64) * unit, similarity, 90)
    assert figures(here) == pytest.approx(figures(there), rel=1e-9, nan_ok=True)


def test_attention_planted_on_the_nearest_tokens_raises_both_figures() -> None:
    rng = np.random.default_rng(1)
    scores, similarity = rng.random(400), rng.random(400)
    before = indicator(scores, similarity, 95)
    after = indicator(scores + np.maximum(0, 20 * (similarity - 0.9)), similarity, 95)
    assert after.lift > 2 * before.lift
    assert after.spearman > before.spearman + 0.3


@pytest.mark.parametrize("percentile", [-1, 100, float("nan")])
def test_a_percentile_that_takes_nothing_is_refused(percentile: float) -> None:
    with pytest.raises(OptionError, match="percentile"):
        indicator([1, 2], [1, 2], percentile)


def test_what_cannot_be_a_share_is_refused() -> None:
    with pytest.raises(OptionError, match=r"\(2,\), similarities \(3,\)"):
        indicator([1, 2], [1, 2, 3], 90)
    with pytest.raises(OptionError, match="passage token 1 is -2"):
        indicator([1, -2], [1, 2], 90)
    with pytest.raises(ModelError, match="token score of passage token 0 is nan"):
        indicator([math.nan, 2], [1, 2], 90)
    with pytest.raises(ModelError, match="similarity of passage token 1 is inf"):
        indicator([1, 2], [1, math.inf], 90)


def test_it_is_public_and_frozen() -> None:
    found = elusive.indicator(token_scores=[1, 2], similarity=[1, 0], percentile=90)
    with pytest.raises(AttributeError):
        found.lift = 2.0
