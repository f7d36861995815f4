"""Position in received attention: how much of it there is, and the correction that takes it out.

Attention decays with distance, so a token with few followers, which are all near, receives more from each of them than
an early one does. `lift` divides by what a token with as many followers receives on average over the corpus; E is
fixed before anything is ranked:

    lift[j] = received[j] / E[received | followers of j]

Sums are integers in fixed point, so E is the same for any number of processes and any order of the texts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elusive.attention.windows import TextScores, windows_of

_PER_OCTAVE: Final = 4
_N_BINS: Final = 20 * _PER_OCTAVE
"""Bins of the number of followers, four to a doubling; the last one is open (a million and more)."""
_FIXED_POINT: Final = 2**32
_LEAST_TOKENS: Final = 64
"""Bins are joined with their neighbours until they hold this many tokens."""

END_LEN: Final = 10
"""Tokens that count as a text's beginning or end."""


def followers_of(n_tokens: int, *, window: int) -> NDArray[np.int64]:
    """How many rows are counted that can attend to each token of a text in full causal attention, [token]."""
    followers = np.zeros(n_tokens, dtype=np.int64)
    for piece in windows_of(0, n_tokens, window=window):
        tokens = np.arange(piece.start, piece.stop)
        followers[tokens] += piece.stop - np.maximum(tokens + 1, piece.first_counted)
    return followers


@dataclass(eq=False)
class ExpectedReceived:
    """What a token with a given number of followers receives on average.

    Attributes:
        n: tokens counted, [bin].
        received: Σ of their received attention, in units of 2⁻³², [bin].
        log_received: Σ of their logarithms (`TextScores.log_received`), likewise.
    """

    n: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_N_BINS, dtype=np.int64))
    received: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_N_BINS, dtype=np.int64))
    log_received: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_N_BINS, dtype=np.int64))

    @classmethod
    def of(cls, texts: Iterable[tuple[TextScores, NDArray[np.int64]]]) -> "ExpectedReceived":
        """Count texts, each with its scores and its tokens' followers."""
        expected = cls()
        for scores, followers in texts:
            expected.add(scores, followers)
        return expected

    def add(self, scores: TextScores, followers: NDArray[np.int64]) -> None:
        """Count one text."""
        defined = (followers > 0) & ~np.isnan(scores.received)
        bins = _bins(followers[defined])
        np.add.at(self.n, bins, 1)
        np.add.at(self.received, bins, _fixed(scores.received[defined]))
        np.add.at(self.log_received, bins, _fixed(scores.log_received[defined]))

    def __add__(self, other: "ExpectedReceived") -> "ExpectedReceived":
        return ExpectedReceived(
            self.n + other.n, self.received + other.received, self.log_received + other.log_received
        )

    def lifted(self, scores: TextScores, followers: NDArray[np.int64]) -> TextScores:
        """A text's scores relative to what was expected: a quotient of attention, a difference of logarithms."""
        bins = _bins(np.maximum(followers, 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            received = scores.received / self._means(self.received)[bins]
        log_received = scores.log_received - self._means(self.log_received)[bins]
        return TextScores(received.astype(np.float32), log_received.astype(np.float32), scores.sink, scores.rows)

    def _means(self, sums: NDArray[np.int64]) -> NDArray[np.float64]:
        """Mean of each bin together with as many neighbours as it takes; integers up to the one division."""
        means = np.full(_N_BINS, np.nan)
        for at in np.flatnonzero(self.n):
            reach = 1
            while self.n[max(0, at - reach) : at + reach + 1].sum() < _LEAST_TOKENS and reach < _N_BINS:
                reach += 1
            near = slice(max(0, at - reach), at + reach + 1)
            means[at] = int(sums[near].sum()) / int(self.n[near].sum()) / _FIXED_POINT
        return means


def _bins(followers: NDArray[np.int64]) -> NDArray[np.intp]:
    places = np.floor(np.log2(followers) * _PER_OCTAVE).astype(np.intp)
    return np.asarray(np.minimum(places, _N_BINS - 1))


def _fixed(values: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.asarray(np.rint(values.astype(np.float64) * _FIXED_POINT), dtype=np.int64)


def auc(scores: NDArray[np.floating], positive: NDArray[np.bool_], negative: NDArray[np.bool_]) -> float:
    """The probability that a positive token scores above a negative one, ties counted half.

    Args:
        scores: [token]; NaN tokens do not count.
        positive: which tokens are positive, [token].
        negative: which are negative.

    Returns:
        0 to 1; NaN where either side is empty.

    Example:
        >>> auc(np.array([3.0, 1.0, 2.0]), np.array([True, False, False]), np.array([False, True, True]))
        1.0
    """
    from scipy.stats import rankdata

    defined = ~np.isnan(scores)
    above, below = positive & defined, negative & defined
    n_above, n_below = int(above.sum()), int(below.sum())
    if not n_above or not n_below:
        return float("nan")
    ranks = rankdata(np.concatenate([scores[above], scores[below]]))
    return float((ranks[:n_above].sum() - n_above * (n_above + 1) / 2) / (n_above * n_below))


def end_auc(scores: NDArray[np.floating], *, last: bool) -> float:
    """AUC of a text's first or last ten tokens against its others: .5 where position says nothing.

    NaN for texts of fewer than twice as many tokens.
    """
    n = len(scores)
    if n < 2 * END_LEN:
        return float("nan")
    places = np.arange(n)
    end = places >= n - END_LEN if last else places < END_LEN
    return auc(scores, end, ~end)
