"""Expected received attention by followers, lift, and how much of a score is position."""

import itertools
import math

import numpy as np
import pytest

from elusive.attention.windows import TextScores, windows_of
from elusive.clues.position import ExpectedReceived, auc, end_auc, followers_of

RNG = np.random.default_rng(5)


def decaying(n: int, *, scale: float = 1.0) -> TextScores:
    """A text whose tokens receive what their place gives them: 1 / followers, the last one undefined."""
    followers = np.arange(n)[::-1]
    received = np.divide(scale, followers, out=np.full(n, np.nan), where=followers > 0).astype(np.float32)
    return TextScores(received, np.log(received), 1.0, float(n))


def texts(n: int = 30) -> list[tuple[TextScores, np.ndarray]]:
    made = []
    for length in RNG.integers(20, 90, size=n):
        scores = decaying(int(length))
        noise = RNG.lognormal(size=length).astype(np.float32)
        noisy = TextScores(scores.received * noise, scores.log_received + np.log(noise), 1.0, 1.0)
        made.append((noisy, followers_of(int(length), window=128)))
    return made


@pytest.mark.parametrize(("n", "window"), [(1, 8), (6, 8), (7, 8), (20, 8), (33, 5), (100, 16)])
def test_followers_are_the_counted_rows_that_can_see_a_token(n, window):
    expected = np.zeros(n, dtype=int)
    for piece in windows_of(0, n, window=window):
        for i in range(piece.first_counted, piece.stop):
            for j in range(piece.start, i):
                expected[j] += 1
    assert followers_of(n, window=window).tolist() == expected.tolist()


def test_expected_values_do_not_depend_on_order_or_on_how_work_is_shared():
    given = texts()
    whole = ExpectedReceived.of(given)
    for order in itertools.islice(itertools.permutations(range(3)), 4):
        parts = [ExpectedReceived.of(given[k::3]) for k in order]
        shared = parts[0] + parts[1] + parts[2]
        for name in ("n", "received", "log_received"):
            assert getattr(shared, name).tobytes() == getattr(whole, name).tobytes()
        scores, followers = given[0]
        assert shared.lifted(scores, followers).received.tobytes() == whole.lifted(scores, followers).received.tobytes()


def test_the_expected_value_is_the_mean_over_like_numbers_of_followers():
    """With more than enough tokens a bin is joined with its two neighbours alone."""
    given = [(decaying(200, scale=k), followers_of(200, window=256)) for k in range(1, 40)]
    expected = ExpectedReceived.of(given)
    scores, followers = given[0]
    lifted = expected.lifted(scores, followers)
    bin_of = np.floor(np.log2(np.maximum(followers, 1)) * 4)
    for j in (0, 60, 150):
        near = np.abs(bin_of - bin_of[j]) <= 1
        near &= followers > 0
        mean = np.mean([other.received[near].astype(np.float64).mean() for other, _ in given])
        log_mean = np.mean([other.log_received[near].astype(np.float64).mean() for other, _ in given])
        assert lifted.received[j] == pytest.approx(scores.received[j] / mean, rel=1e-4)
        assert lifted.log_received[j] == pytest.approx(scores.log_received[j] - log_mean, abs=1e-4)


def test_lift_takes_out_what_place_alone_explains():
    given = texts(200)
    expected = ExpectedReceived.of(given)
    raw = np.nanmean([end_auc(scores.received, last=True) for scores, _ in given])
    lifted = np.nanmean([end_auc(expected.lifted(*one).received, last=True) for one in given])
    assert raw > 0.8
    assert abs(lifted - 0.5) < 0.06


def test_a_token_without_followers_has_no_lift():
    given = texts(3)
    lifted = ExpectedReceived.of(given).lifted(*given[0])
    assert math.isnan(lifted.received[-1])
    assert not np.isnan(lifted.received[:-1]).any()
    assert (lifted.sink, lifted.rows) == (given[0][0].sink, given[0][0].rows)


def slow_auc(scores: list[float], positive: list[bool]) -> float:
    pairs = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, up in zip(scores, positive, strict=True)
        for b, other in zip(scores, positive, strict=True)
        if up and not other and not math.isnan(a) and not math.isnan(b)
    ]
    return sum(pairs) / len(pairs) if pairs else math.nan


@pytest.mark.parametrize("seed", range(8))
def test_auc_is_the_share_of_pairs_in_order(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, size=25).astype(float)
    scores[rng.random(25) < 0.2] = np.nan
    positive = rng.random(25) < 0.4
    assert auc(scores, positive, ~positive) == pytest.approx(slow_auc(scores.tolist(), positive.tolist()))


def test_auc_of_nothing_is_undefined():
    assert math.isnan(auc(np.array([1.0, 2.0]), np.array([False, False]), np.array([True, True])))


def test_the_ends_of_a_text_are_its_ten_first_and_last_tokens():
    rising = np.arange(40, dtype=float)
    assert (end_auc(rising, last=True), end_auc(rising, last=False)) == (1.0, 0.0)
    assert end_auc(np.zeros(40), last=True) == 0.5
    assert math.isnan(end_auc(np.arange(19.0), last=True))
