"""Which row stands where in which optimizer step: a fixed function of the options, so that a run goes on at any step.

Rows of several sources are interleaved as evenly as can be: the j-th row of a source with share s is due at time
(j + ½) / s, and slots are filled in the order of these times. Knows numbers only. Costs nine bytes a row shown.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAIN: Final = 0
"""The source that epochs and steps are counted by; the others are replayed."""

EMPTY: Final = -1
"""Source of a slot of the last step that no row is left for."""


@dataclass(frozen=True, eq=False)
class Order:
    """The slots of all steps.

    Attributes:
        sources: of each slot's row, [step, slot]; `EMPTY` where there is none.
        numbers: how many rows of that source stand before it, [step, slot].
    """

    sources: NDArray[np.int8]
    numbers: NDArray[np.int64]

    @property
    def n_steps(self) -> int:
        """Optimizer steps."""
        return len(self.sources)

    @property
    def batch_size(self) -> int:
        """Slots of a step."""
        return int(self.sources.shape[1])

    def slot(self, number: int) -> tuple[int, int] | None:
        """Source and number of the row in a slot, counted over all steps; None where it is empty."""
        source = int(self.sources.flat[number])
        return None if source == EMPTY else (source, int(self.numbers.flat[number]))

    def first(self, n_steps: int) -> "Order":
        """The slots of the first steps."""
        return Order(self.sources[:n_steps], self.numbers[:n_steps])

    def n_shown(self, source: int) -> int:
        """Rows of a source, each showing counted."""
        return int((self.sources == source).sum())


def order_of_epochs(n_rows: int, *, batch_size: int, shares: Sequence[float], seed: int) -> Order:
    """The order in which all of `n_rows` main rows are shown, and rows replayed beside them.

    Args:
        n_rows: main rows of all epochs together.
        batch_size: rows of an optimizer step.
        shares: of the replayed sources in all rows; together less than 1.
        seed: of the order within a step.
    """
    replayed = [round(n_rows * share / _main_share(shares)) for share in shares]
    return _order([n_rows, *replayed], batch_size, shares, seed)


def order_of_steps(n_steps: int, *, batch_size: int, shares: Sequence[float], seed: int) -> Order:
    """Likewise the order in which rows are shown for so many steps, all of them full."""
    n_slots = n_steps * batch_size
    enough = [math.ceil(n_slots * share) + 1 for share in (_main_share(shares), *shares)]
    return _order(enough, batch_size, shares, seed, n_slots=n_slots)


def _main_share(shares: Sequence[float]) -> float:
    return 1 - sum(shares)


def _order(
    n_rows: Sequence[int], batch_size: int, shares: Sequence[float], seed: int, *, n_slots: int | None = None
) -> Order:
    sources = np.concatenate([np.full(n, source, dtype=np.int8) for source, n in enumerate(n_rows)])
    numbers = np.concatenate([np.arange(n) for n in n_rows])
    due = (numbers + 0.5) / np.array([_main_share(shares), *shares])[sources]
    chosen = np.argsort(due, kind="stable")[:n_slots]
    n_steps = -(-len(chosen) // batch_size)
    missing = n_steps * batch_size - len(chosen)
    by_slot = np.pad(sources[chosen], (0, missing), constant_values=EMPTY).reshape(n_steps, batch_size)
    number_by_slot = np.pad(numbers[chosen], (0, missing)).reshape(n_steps, batch_size)
    # Else replayed rows would stand in the same slots of each step: all in one process, or in one part of it.
    places = np.random.default_rng((seed, 0)).random((n_steps, batch_size)).argsort(axis=1)
    return Order(np.take_along_axis(by_slot, places, axis=1), np.take_along_axis(number_by_slot, places, axis=1))
