"""Attention sinks that do not fall on the prefix: tokens of a text that take what is no sign of content.

A model whose prefix is no sink puts it on the first word or the first full stop. That token receives more than any
other, is no clue, and which token it is can change with the precision. It is reported and left out of the ranks.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST_SHARE: Final = 0.25
"""A sink takes a quarter of the later tokens' attention; words stayed below .21 in every model we tried."""

_LEAST_FOLLOWERS: Final = 16
"""Near the end of a text a token can receive as much from its few followers without being a sink."""

_LEAST_OF_PREFIX: Final = 0.5
"""A second sink is one that takes half of what the prefix takes, or more."""


def displaced_sinks(
    received: NDArray[np.float32], *, n_followers: NDArray[np.int64], prefix_share: float
) -> NDArray[np.bool_]:
    """Which tokens of a text are attention sinks.

    Args:
        received: received attention in one model, [token]; NaN where undefined.
        n_followers: tokens of the text that can attend to each token, [token].
        prefix_share: mean share of attention that the prefix takes in this text (`TextScores.sink_mass`).

    Returns:
        [token].

    Example:
        >>> received = np.full(40, 0.01, dtype=np.float32)
        >>> received[3] = 0.35
        >>> np.flatnonzero(displaced_sinks(received, n_followers=np.arange(40)[::-1], prefix_share=0.03))
        array([3])
    """
    least = max(LEAST_SHARE, _LEAST_OF_PREFIX * prefix_share)
    return (np.nan_to_num(received) >= least) & (n_followers >= _LEAST_FOLLOWERS)
