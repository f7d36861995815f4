"""One pass over the files of a source: what is good is yielded, what is not is set aside and counted.

Knows neither layouts nor what a good item is. Memory is one row.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from elusive.data.hub_dataset import HubDataset
from elusive.data.rejected import Rejection
from elusive.errors import InputError, OptionError

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Generic[_Item]):
    """What is to be read, and how.

    Attributes:
        source: as the user named it.
        noun: what its items are, for errors.
        parts: its files.
        read_part: yields items and rejections of one file, in order.
        on_rejected: called with each rejection as it is met.
    """

    source: str
    noun: str
    parts: Sequence[Path | HubDataset]
    read_part: Callable[[Path | HubDataset], Iterable[_Item | Rejection]]
    on_rejected: Callable[[Rejection], None]

    def items(self, limit: int | None) -> Iterator[_Item]:
        """The good items, at most `limit` of them.

        Raises:
            OptionError: now: `limit` is not positive.
            InputError: while reading: a file cannot be read; at the end: nothing was good.
        """
        if limit is not None and limit < 1:
            raise OptionError(f"limit is {limit}; it must be at least 1")
        return itertools.islice(self._items(), limit)

    def _items(self) -> Iterator[_Item]:
        n_good = n_rejected = 0
        first: Rejection | None = None
        for found in itertools.chain.from_iterable(map(self.read_part, self.parts)):
            if isinstance(found, Rejection):
                n_rejected += 1
                first = first or found
                self.on_rejected(found)
            else:
                n_good += 1
                yield found
        if not n_good:
            raise InputError(self._nothing_good(n_rejected, first))

    def _nothing_good(self, n_rejected: int, first: Rejection | None) -> str:
        if first is None:
            return f"{self.source} is empty: it has no rows; name a file with {self.noun}"
        rows = "the one row is" if n_rejected == 1 else f"all {n_rejected:,} rows are"
        return f"no usable {self.noun} in {self.source}: {rows} rejected; the first: {first}"
