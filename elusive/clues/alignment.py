"""Scores from one tokenizer's tokens onto another's, by the characters they share (METHOD 1.2).

    target[j] = Σ_k score[k] · |chars(k) ∩ chars(j)| / |chars(k)|        after scaling the text's scores to sum 1

The total is kept, and on equal tokens the projection is the identity. One departure: target tokens that share a
character (its bytes) share that character's part evenly, where the formula would give all of it to each. They are
one unit, and on equal tokens its mean score is unchanged.
"""

import numpy as np
from numpy.typing import NDArray

from elusive.tokenization import TokenizedText


def scaled_to_one(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """A text's scores with sum 1; NaN stays NaN."""
    total = np.nansum(scores, dtype=np.float64)
    return (scores / total).astype(np.float32) if total > 0 else scores


def project(scores: NDArray[np.float32], source: TokenizedText, target: TokenizedText) -> NDArray[np.float32]:
    """Spread each source token's score over the target tokens that share its characters.

    Tokens that share a character among themselves (the bytes of one character) share its score evenly.

    Args:
        scores: [source token]; NaN counts as no score.
        source: the tokens that were scored.
        target: the tokens to score.

    Returns:
        [target token]; NaN where no scored source token has a character in common.
    """
    n_chars = int(max(source.ends.max(initial=0), target.ends.max(initial=0)))
    defined = ~np.isnan(scores)
    per_char = np.zeros(n_chars)
    covered = np.zeros(n_chars, dtype=bool)
    widths = source.ends - source.starts
    for k in np.flatnonzero(defined & (widths > 0)):
        place = slice(source.starts[k], source.ends[k])
        per_char[place] += scores[k] / widths[k]
        covered[place] = True
    sharers = np.zeros(n_chars)
    for start, end in zip(target.starts, target.ends, strict=True):
        sharers[start:end] += 1
    share = np.divide(per_char, sharers, out=np.zeros(n_chars), where=sharers > 0)
    return np.array(
        [
            share[start:end].sum() if covered[start:end].any() else np.nan
            for start, end in zip(target.starts, target.ends, strict=True)
        ],
        dtype=np.float32,
    )
