"""From token scores to passage scores and the target distribution (METHOD 2.2). Pure; knows neither models nor prompts.

    share     S_i / Σ_k S_k, the paper's p_ATTN
    softmax   of the S_i, standardised over the passages, over a temperature
    atlas     softmax(S_i / 2.56), each S_i with the question that was encoded with its passage
    fid-kd    softmax of the mean product before the softmax, over a passage's tokens

A passage without a token has a share of 0 in `share` and `fid-kd`.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elusive.errors import InputError

_ATLAS_TEMPERATURE: Final = 2.56
Floats = NDArray[np.float64]


def sums_by_passage(scores: ArrayLike, passage: NDArray[np.int64], *, n_passages: int) -> Floats:
    """Add up token scores, [..., token], over each passage's tokens: [..., passage].

    Args:
        scores: of every token.
        passage: which passage each token belongs to; -1 is none, and not counted.
        n_passages: how many there are.
    """
    belongs = (passage[:, None] == np.arange(n_passages)).astype(np.float64)
    return np.asarray(np.asarray(scores, np.float64) @ belongs)


def means_by_passage(scores: ArrayLike, passage: NDArray[np.int64], *, n_passages: int) -> Floats:
    """The same divided by each passage's number of tokens; -∞ where it has none."""
    n_tokens = np.bincount(passage[passage >= 0], minlength=n_passages)
    sums = sums_by_passage(scores, passage, n_passages=n_passages)
    return np.where(n_tokens > 0, sums / np.maximum(n_tokens, 1), -np.inf)


def share(passage_scores: Floats) -> Floats:
    """Each passage's part of the whole.

    Raises:
        InputError: there is nothing to share.
    """
    total = passage_scores.sum()
    if not total > 0:
        raise InputError(f"the {len(passage_scores)} passages get no attention at all, so none has a share of it")
    return np.asarray(passage_scores / total)


def softmax(passage_scores: Floats, *, temperature: float) -> Floats:
    """Softmax of scores / temperature.

    Raises:
        InputError: every score is -∞.
    """
    highest = passage_scores.max()
    if not np.isfinite(highest):
        raise InputError(f"the {len(passage_scores)} passages have no tokens, so none can be told from another")
    weights = np.exp((passage_scores - highest) / temperature)
    return np.asarray(weights / weights.sum())


def softmax_of_standardised(passage_scores: Floats, *, temperature: float) -> Floats:
    """Softmax of (S - mean) / sd / temperature; even where all scores are the same."""
    centred = passage_scores - passage_scores.mean()
    spread = centred.std()
    return softmax(centred / spread if spread > 0 else np.zeros_like(centred), temperature=temperature)


def atlas(passage_scores_with_question: Floats) -> Floats:
    """Softmax of scores / 2.56."""
    return softmax(passage_scores_with_question, temperature=_ATLAS_TEMPERATURE)


def fid_kd(mean_logits: Floats) -> Floats:
    """Softmax of mean products before the softmax."""
    return softmax(mean_logits, temperature=1.0)
