"""How far two rankings agree: against slow oracles, and what must hold whatever the scores."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from elusive.clues.agreement import is_silent, rank_correlation, top_tenth_overlap

NAN = float("nan")


def slow_spearman(a: list[float], b: list[float]) -> float:
    pairs = [(x, y) for x, y in zip(a, b, strict=True) if not math.isnan(x) and not math.isnan(y)]

    def mean_ranks(values: list[float]) -> list[float]:
        return [sum(v < x for v in values) + (sum(v == x for v in values) + 1) / 2 for x in values]

    x, y = mean_ranks([p[0] for p in pairs]), mean_ranks([p[1] for p in pairs])
    mean = (len(pairs) + 1) / 2
    both = sum((i - mean) * (j - mean) for i, j in zip(x, y, strict=True))
    return both / math.sqrt(sum((i - mean) ** 2 for i in x) * sum((j - mean) ** 2 for j in y))


def slow_overlap(a: list[float], b: list[float]) -> float:
    shared = [i for i in range(len(a)) if not math.isnan(a[i]) and not math.isnan(b[i])]
    n_top = math.ceil(len(shared) / 10)
    tops = [set(sorted(shared, key=lambda i: (-scores[i], i))[:n_top]) for scores in (a, b)]
    return len(tops[0] & tops[1]) / n_top


# Few values, so that ties are common.
SCORES = arrays(np.float32, 30, elements=st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0, 3.0, NAN]))


def _comparable(a: np.ndarray, b: np.ndarray) -> bool:
    both = ~(np.isnan(a) | np.isnan(b))
    return both.sum() >= 3 and np.ptp(a[both]) > 0 and np.ptp(b[both]) > 0


@settings(deadline=None)
@given(SCORES, SCORES)
def test_both_measures_equal_their_definitions(a: np.ndarray, b: np.ndarray) -> None:
    if _comparable(a, b):
        assert rank_correlation(a, b) == pytest.approx(slow_spearman(a.tolist(), b.tolist()), abs=1e-12)
        assert top_tenth_overlap(a, b) == pytest.approx(slow_overlap(a.tolist(), b.tolist()))
    else:
        assert math.isnan(rank_correlation(a, b))
        assert math.isnan(top_tenth_overlap(a, b))


@settings(deadline=None)
@given(SCORES, SCORES)
def test_both_measures_are_symmetric_and_see_ranks_alone(a: np.ndarray, b: np.ndarray) -> None:
    for measure in (rank_correlation, top_tenth_overlap):
        assert measure(a, b) == pytest.approx(measure(b, a), abs=1e-12, nan_ok=True)
        assert measure(a, b) == pytest.approx(measure(np.exp(a), 3 * b - 1), abs=1e-12, nan_ok=True)


def test_a_score_agrees_with_itself_and_not_with_its_reverse() -> None:
    scores = np.random.default_rng(0).normal(size=41)
    assert (rank_correlation(scores, scores), top_tenth_overlap(scores, scores)) == (1, 1)
    assert (rank_correlation(scores, -scores), top_tenth_overlap(scores, -scores)) == (-1, 0)


@pytest.mark.parametrize(("n", "n_top"), [(3, 1), (10, 1), (11, 2), (30, 3), (31, 4)])
def test_a_tenth_is_rounded_up(n: int, n_top: int) -> None:
    a = np.arange(n, dtype=float)
    b = a.copy()
    b[-1] = -1  # the strongest of `a` is the weakest of `b`
    assert top_tenth_overlap(a, b) == pytest.approx((n_top - 1) / n_top)


@pytest.mark.parametrize(
    ("scores", "silent"),
    [([], True), ([1.0], True), ([NAN, NAN], True), ([0, 0, NAN, 0], True), ([0, 1e-30], False), ([NAN, 1, 2], False)],
)
def test_a_text_is_silent_where_nothing_is_ranked(scores: list[float], silent: bool) -> None:
    assert is_silent(np.array(scores, dtype=np.float32)) is silent
