"""Large minus small: which tokens a large model attends to and a small one overlooks (METHOD 1.2)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elusive.choices import ContrastKind
from elusive.errors import OptionError


def contrast(
    received_large: ArrayLike, received_small: ArrayLike, *, kind: ContrastKind = "difference"
) -> NDArray[np.float32]:
    """How much more a token receives from the large model than from the small one.

    Args:
        received_large: received attention, [..., token]; NaN where undefined. Tensors on the CPU are arrays too.
        received_small: the same tokens' scores from the small model.
        kind: `difference` (the paper's), `log-ratio` log(large / small), or `rank-difference`: the difference of the
            two ranks within a text, each scaled to 0 … 1. The kind `geometric` needs each layer's attention; see
            `elusive.clues.guides`.

    Returns:
        NaN where either score is.

    Raises:
        OptionError: shapes that differ, or an unknown kind.
    """
    large, small = np.asarray(received_large, np.float32), np.asarray(received_small, np.float32)
    if large.shape != small.shape:
        raise OptionError(
            f"large scores have shape {large.shape}, small scores {small.shape}; expected the same tokens"
        )
    match kind:
        case "difference":
            return large - small
        case "log-ratio":
            tiny = np.finfo(np.float32).tiny  # attention underflows to 0 long before it means "none"
            return np.log(np.maximum(large, tiny)) - np.log(np.maximum(small, tiny))
        case "rank-difference":
            return scaled_ranks(large) - scaled_ranks(small)
    raise OptionError(f"contrast {kind!r} is not one of 'difference', 'log-ratio', 'rank-difference'")


def compares_logarithms(kind: ContrastKind) -> bool:
    """Whether a kind of contrast compares logarithms, not shares of attention."""
    return kind in ("log-ratio", "geometric")


def rank(scores: ArrayLike) -> NDArray[np.int32]:
    """Rank from 0, largest first; equal scores in order of position; -1 where a score is NaN.

    Args:
        scores: [unit], of one text.
    """
    values = np.asarray(scores)
    order = np.argsort(-values, kind="stable")  # NaN sorts last
    ranks = np.empty(len(values), dtype=np.int32)
    ranks[order] = np.arange(len(values), dtype=np.int32)
    ranks[np.isnan(values)] = -1
    return ranks


def scaled_ranks(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Ranks within a text from 0, smallest, to 1, largest; equal scores at their mean rank; NaN stays NaN."""
    from scipy.stats import rankdata

    ranks = rankdata(scores, method="average", axis=-1, nan_policy="omit").astype(np.float32)
    defined = np.sum(~np.isnan(scores), axis=-1, keepdims=True)
    return np.asarray((ranks - 1) / np.maximum(defined - 1, 1), dtype=np.float32)
