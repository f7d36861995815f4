"""Which examples a step trains on: a fixed function of seed and step, so that a resumed run goes on where it was."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def batch_at(step: int, *, n: int, size: int, seed: int, rank: int = 0, world: int = 1) -> list[int]:
    """The examples of a step, each once an epoch, in another order each epoch.

    Args:
        step: from 0.
        n: how many examples there are.
        size: of the batch of all processes together; a multiple of `world`.
        seed: of the orders.
        rank: of this process, which has its own share of the one batch.
        world: how many processes there are.
    """
    share = size // world
    first = step * size + rank * share
    return [_example(place, n, seed) for place in range(first, first + share)]


def _example(place: int, n: int, seed: int) -> int:
    epoch, within = divmod(place, n)
    return int(_order(n, seed, epoch)[within])


@lru_cache(maxsize=2)  # a batch may span two epochs
def _order(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(n)
