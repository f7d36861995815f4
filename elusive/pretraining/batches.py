"""Slots of the order to padded tensors, as a causal language model takes them.

    rows of one text      `attention_mask` says what is padding, and what is hidden
    packed rows           no mask: positions begin anew at each text, which transformers reads as a border that
                          attention does not cross, whatever computes it (sdpa, eager, flash)

A row's first token, and the first of each text in it, has nothing before it to be predicted from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from torch.utils.data import Dataset

from elusive.pretraining.order import Order
from elusive.pretraining.rows import Row
from elusive.pretraining.streams import RowStream
from elusive.types import Tensor

IGNORED: Final = -100
"""The label of what is not learnt."""


NO_CACHE: Final[Mapping[str, bool]] = MappingProxyType({"use_cache": False})
"""Given to the model beside every batch: where it fills a cache, transformers looks for no borders in positions."""


class Slots(Dataset[Row | None]):
    """The rows of all steps, one after the other; None in an empty slot.

    Args:
        order: which row stands where.
        streams: of each source, by its number.
    """

    def __init__(self, order: Order, streams: Sequence[RowStream]) -> None:
        self._order, self._streams = order, streams

    def __len__(self) -> int:
        return self._order.sources.size

    def __getitem__(self, slot: int) -> Row | None:
        found = self._order.slot(slot)
        return None if found is None else self._streams[found[0]].row(found[1])

    def n_tokens(self, step: int) -> int:
        """Tokens of a step, from 0."""
        size = self._order.batch_size
        found = [self._order.slot(slot) for slot in range(step * size, (step + 1) * size)]
        return sum(self._streams[slot[0]].length(slot[1]) for slot in found if slot)


@dataclass(frozen=True)
class Collator:
    """Rows to a batch.

    Attributes:
        pad: any token id: what it pads is neither attended to nor learnt.
        packed: whether rows hold several texts.
        hides: whether rows may have hidden tokens.
    """

    pad: int
    packed: bool = False
    hides: bool = False

    def __call__(self, rows: Sequence[Row | None]) -> dict[str, Tensor]:
        """Tensors `input_ids` and `labels`, [row, token], and either `attention_mask` or `position_ids`.

        Of empty slots alone comes one row of which nothing is learnt, so that every process takes part in the step.
        """
        given = [row for row in rows if row is not None] or [Row(np.array([self.pad], dtype=np.int32))]
        shape = len(given), max(map(len, given))
        ids = np.full(shape, self.pad, dtype=np.int64)
        labels = np.full(shape, IGNORED, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        # Of padding, each position begins anew: a border before every one of its tokens.
        positions = np.zeros(shape, dtype=np.int64)
        for i, row in enumerate(given):
            n = len(row)
            ids[i, :n] = row.ids if row.read is None else row.read
            labels[i, 1:n] = row.ids[1:]
            mask[i, :n] = 1
            positions[i, :n] = np.arange(n) if row.positions is None else row.positions
            if row.positions is not None:
                labels[i, :n][row.positions == 0] = IGNORED
            if row.hidden is not None:
                # The first token is there even where it is hidden: it is what all others can attend to.
                seen = np.flatnonzero(~row.hidden | (np.arange(n) == 0))
                # At its own place a hidden token would be seen: the next one is predicted from the last that is not.
                labels[i] = IGNORED
                labels[i, seen[:-1] + 1] = row.ids[seen[1:]]
                mask[i, :n][row.hidden] = 0
                mask[i, 0] = 1
        batch = {"input_ids": ids, "labels": labels}
        if not self.packed:
            batch["attention_mask"] = mask
        if self.packed or self.hides:  # some models would count the tokens that are not hidden
            batch["position_ids"] = positions
        return {name: torch.from_numpy(array) for name, array in batch.items()}
