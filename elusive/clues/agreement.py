"""How far two rankings of the same tokens of a text agree.

Agreement is taken inside a text, since only there are tokens ranked against one another; `elusive.statistics` averages
it over texts. It knows neither models nor files.
"""

import numpy as np
from numpy.typing import NDArray

from elusive.clues.contrast import rank
from elusive.statistics import spearman

_FEWEST = 3
"""Two tokens are always ranked alike or the other way round."""


def rank_correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Spearman's ρ of two scores of the same tokens, equal scores at their mean rank.

    Args:
        a: scores of one text, [token]; tokens where either is NaN do not count.
        b: other scores of the same tokens.

    Returns:
        NaN where fewer than three tokens have both, or where either is the same for all of them.
    """
    both = _ranked_by_both(a, b)
    return np.nan if both is None else spearman(a[both], b[both])


def top_tenth_overlap(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """The share of the ⌈n / 10⌉ largest of `a` that are also among the ⌈n / 10⌉ largest of `b`.

    By chance it is ⌈n / 10⌉ / n: a tenth for long texts, a third for three tokens.
    Arguments and exclusions as in `rank_correlation`; equal scores in order of position, as clues are ranked.
    """
    both = _ranked_by_both(a, b)
    if both is None:
        return np.nan
    n_top = -(-int(both.sum()) // 10)
    return int(((rank(a[both]) < n_top) & (rank(b[both]) < n_top)).sum()) / n_top


def is_silent(scores: NDArray[np.floating]) -> bool:
    """Whether the scores of a text rank nothing: fewer than two are defined, or all are the same."""
    defined = scores[~np.isnan(scores)]
    return len(defined) < 2 or bool(np.ptp(defined) == 0)


def _ranked_by_both(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.bool_] | None:
    """The tokens with both scores; None where they are too few, or one of the scores ranks nothing."""
    both = ~(np.isnan(a) | np.isnan(b))
    if int(both.sum()) < _FEWEST or is_silent(a[both]) or is_silent(b[both]):
        return None
    return np.asarray(both)
