"""Exact scores of candidates, and their order: best first, of equal ones the lower place.

A score depends on its query and vector alone, not on what else is in the batch, as that of a matrix product would. Pure
functions of arrays; memory is a query's or a file's vectors.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elusive.retrieval.index_shards import Vectors

Places = NDArray[np.int64]
_ROUNDING: Final = 4e-6  # of a dot product in fp32, as a share of the two lengths' product


def scores(query: Vectors, vectors: Vectors) -> Vectors:
    """Dot products of `query` [width] with `vectors` [n, width], summed pairwise along each row: [n]."""
    found: Vectors = (vectors * query).sum(axis=1, dtype=np.float32)
    return found


def best(places: Places, found: Vectors, k: int) -> tuple[Places, Vectors]:
    """The best `k` of places and their scores, in order."""
    order = np.lexsort((places, -found))[:k]
    return places[order], found[order]


def is_settled(query: Vectors, vectors: Vectors, ordered: Vectors, k: int) -> bool:
    """Whether no vector that was not looked at can be among the best `k`.

    Args:
        query: [width].
        vectors: those that were looked at, the best by a sum with another rounding: [n, width].
        ordered: their scores, best first.
        k: fewer than n.
    """
    lengths = np.linalg.norm(query) * np.linalg.norm(vectors, axis=1).max()
    return bool(ordered[k - 1] - ordered[-1] > _ROUNDING * lengths)


def exhaustive(queries: Vectors, blocks: Iterable[Vectors], k: int) -> list[tuple[Places, Vectors]]:
    """The best `k` of all vectors for each query, file by file."""
    found = [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
    start = 0
    for block in blocks:
        here = np.arange(start, start + len(block))
        found = [
            best(np.append(places, here), np.append(so_far, scores(query, block)), k)
            for query, (places, so_far) in zip(queries, found, strict=True)
        ]
        start += len(block)
    return found
