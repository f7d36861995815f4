"""Which texts share a forward pass: those of about one length, so that little of it is padding."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def batches_by_length(lengths: Sequence[int], *, max_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Places of texts, each once, longest first: what does not fit into memory is found out at the start.

    Args:
        lengths: tokens of each text.
        max_tokens: of a batch, padding included; a text that is longer is a batch alone.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    while start < len(order):
        n_texts = max(1, max_tokens // lengths[order[start]])
        yield order[start : start + n_texts]
        start += n_texts
