"""Rows of one source, epoch after epoch without end, each epoch in an order of its own.

An epoch's rows are always the same (fixed copies), or made anew (dropout drawn afresh); then epochs may be of unlike
lengths, and where one begins is known when those before it have been made once. Holds the rows of two epochs.
"""

import bisect
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from elusive.pretraining.rows import Row, Rows


class RowStream:
    """Rows by their number in the order in which they are shown.

    Args:
        rows_of: gives the rows of an epoch, from 0; the same at each call.
        seed: of the orders.
        source: tells the orders of sources apart.
    """

    def __init__(self, rows_of: Callable[[int], Rows], *, seed: int, source: int) -> None:
        self._key = (seed, 1 + source)
        self._epoch = lru_cache(maxsize=2)(rows_of)  # a batch may span two epochs
        self._order = lru_cache(maxsize=2)(self._permutation)
        self._ends: list[int] = []

    def row(self, number: int) -> Row:
        """The row that is shown after `number` others."""
        epoch, within = self._place(number)
        return self._epoch(epoch)[int(self._order(epoch)[within])]

    def length(self, number: int) -> int:
        """Tokens of that row."""
        epoch, within = self._place(number)
        place = int(self._order(epoch)[within])
        bounds = self._epoch(epoch).bounds
        return int(bounds[place + 1] - bounds[place])

    def n_rows(self, epochs: int) -> int:
        """Rows of the first epochs together."""
        while len(self._ends) < epochs:
            before = self._ends[-1] if self._ends else 0
            self._ends.append(before + len(self._epoch(len(self._ends))))
        return self._ends[epochs - 1]

    def epochs(self, n_shown: int) -> float:
        """How many epochs so many rows are."""
        if n_shown == 0:
            return 0.0
        epoch, within = self._place(n_shown - 1)
        return epoch + (within + 1) / (self._ends[epoch] - self._begin(epoch))

    def _place(self, number: int) -> tuple[int, int]:
        """Epoch, and place in its order."""
        while not self._ends or number >= self._ends[-1]:
            self.n_rows(len(self._ends) + 1)
        epoch = bisect.bisect_right(self._ends, number)
        return epoch, number - self._begin(epoch)

    def _begin(self, epoch: int) -> int:
        return self._ends[epoch - 1] if epoch else 0

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((*self._key, epoch)).permutation(len(self._epoch(epoch)))
