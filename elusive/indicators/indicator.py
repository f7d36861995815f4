"""One indicator of one example: do the passage tokens nearest to a target get the reader's attention (METHOD 2.3)?

The target is the answer (indicator 1) or the nouns of the question (indicator 2); `similarity` says how near a token
is to it, this only ranks. Pure: a sort of as many numbers as the passages have tokens.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elusive.errors import ModelError, OptionError
from elusive.statistics import spearman

FEW_TOKENS: Final = 10
"""With fewer nearest tokens than this, ρ within them says little."""


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """What the nearest tokens of one example get.

    Attributes:
        attention: mean share of the token scores among the nearest tokens; all passage tokens together have 1.
        lift: `attention` times the number of passage tokens: 1 where the nearest get what any token gets. Comparable
            between readers and prompt lengths, as `attention` is not.
        spearman: ρ of token score and similarity among the nearest tokens; NaN where either is the same for all.
        n_nearest: how many tokens these are.
        n_tokens: how many the passages have.

    `attention` and `lift` are NaN where the scores sum to 0, or there are none.
    """

    attention: float
    lift: float
    spearman: float
    n_nearest: int
    n_tokens: int


def indicator(token_scores: ArrayLike, similarity: ArrayLike, percentile: float) -> Indicator:
    """The attention that the passage tokens nearest to a target get.

    Args:
        token_scores: what each passage token of an example is given, [token], not negative, in any unit.
        similarity: how near each is to the target, [token] (`elusive.indicators.similarity`).
        percentile: of similarity; 95 takes the nearest ⌈5 %⌉, two at least, equally near ones by position.

    Raises:
        OptionError: shapes that differ, a negative score, or a percentile outside 0 … 100.
        ModelError: a score or similarity that is NaN or infinite.
    """
    scores, nearness = _checked(token_scores, similarity)
    nearest = nearest_tokens(nearness, percentile)
    total = scores.sum()
    attention = float(scores[nearest].mean() / total) if total > 0 else np.nan
    return Indicator(
        attention=attention,
        lift=attention * len(scores),
        spearman=spearman(scores[nearest], nearness[nearest]),
        n_nearest=len(nearest),
        n_tokens=len(scores),
    )


def nearest_tokens(similarity: ArrayLike, percentile: float) -> NDArray[np.int64]:
    """Which tokens these are, the nearest first; of equally near ones the first come first."""
    nearness = np.asarray(similarity, np.float64)
    return np.argsort(-nearness, kind="stable")[: n_nearest(len(nearness), percentile)]


def n_nearest(n_tokens: int, percentile: float) -> int:
    """max(2, ⌈(1 - p / 100) · n⌉) of n tokens, in exact arithmetic; both where there are only two, one of one.

    Raises:
        OptionError: a percentile outside 0 … 100.
    """
    if not 0 <= percentile < 100:
        raise OptionError(f"percentile {percentile} is not at least 0 and below 100")
    # By its decimal digits: (1 - 90 / 100) * 100 is 9.999… in floats, and 99.9 is no binary fraction.
    share = 1 - Fraction(str(percentile)) / 100
    return min(n_tokens, max(2, ceil(share * n_tokens)))


def _checked(token_scores: ArrayLike, similarity: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scores, nearness = np.asarray(token_scores, np.float64), np.asarray(similarity, np.float64)
    if scores.ndim != 1 or scores.shape != nearness.shape:
        raise OptionError(
            f"token scores have shape {scores.shape}, similarities {nearness.shape}; expected one of each for each "
            "passage token"
        )
    for name, values in (("token score", scores), ("similarity", nearness)):
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ModelError(
                f"the {name} of passage token {at} is {values[at]}; load the model as float32 and try again"
            )
    if scores.min(initial=0) < 0:
        at = int(scores.argmin())
        raise OptionError(
            f"the score of passage token {at} is {scores[at]:g}; the indicators are shares of attention, which is not "
            "negative: use scores after the softmax"
        )
    return scores, nearness
