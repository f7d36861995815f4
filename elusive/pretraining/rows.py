"""What is trained on, as token ids: rows cut from long texts, or packed from several, in one flat array.

A text that is longer than a row goes on in the next one, which begins with the last token of the one before: as context
alone, so that each token is learnt from its predecessor exactly once. Knows no tokenizer and no model. Costs four bytes
a token, five where tokens are hidden, eight where rows are packed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

LEAST_LEN: Final = 2
"""Tokens of the shortest row: of a single token nothing is learnt."""


@dataclass(frozen=True, eq=False)
class Document:
    """One text's tokens.

    Attributes:
        ids: token ids, [token].
        hidden: tokens that stand in the text, but that nobody attends to and that are not learnt, [token]; None where
            there are none.
    """

    ids: NDArray[np.int32]
    hidden: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, start: int, end: int) -> "Document":
        """The tokens from `start` to before `end`."""
        return Document(self.ids[start:end], None if self.hidden is None else self.hidden[start:end])


@dataclass(frozen=True, eq=False)
class Row(Document):
    """One row of a batch.

    Attributes:
        positions: place of each token in its own text, or its part of it, [token]; None where the row is of one text.
        read: what the model reads in place of `ids`, which it still learns, [token]; None where it reads these.
    """

    positions: NDArray[np.int32] | None = None
    read: NDArray[np.int32] | None = None


class Rows(Sequence[Row]):
    """Rows of one epoch, in the order in which they were made.

    Args:
        rows: at least `LEAST_LEN` tokens each; all or none of them with hidden tokens, with positions, and with other
            tokens to read.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        made = list(rows)
        self.bounds = np.cumsum([0, *map(len, made)])
        self._ids = np.concatenate([row.ids for row in made]) if made else np.zeros(0, dtype=np.int32)
        self._hidden = _joined([row.hidden for row in made])
        self._positions = _joined([row.positions for row in made])
        self._read = _joined([row.read for row in made])

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, number: int) -> Row:  # type: ignore[override]  # rows are taken one by one
        part = slice(self.bounds[number], self.bounds[number + 1])
        return Row(
            self._ids[part],
            None if self._hidden is None else self._hidden[part],
            None if self._positions is None else self._positions[part],
            None if self._read is None else self._read[part],
        )

    @property
    def n_tokens(self) -> int:
        """Of all rows; the token that a row has from the one before it counts in both."""
        return int(self.bounds[-1])


def pieces(documents: Iterable[Document], max_len: int) -> Iterator[Row]:
    """Each document as a row, or as several where it is longer than one may be.

    Args:
        documents: those of fewer than two tokens are passed over.
        max_len: tokens of the longest row.
    """
    for document in documents:
        for start in range(0, len(document) - 1, max_len - 1):
            part = document.cut(start, start + max_len)
            yield Row(part.ids, part.hidden)


def packed(documents: Iterable[Document], max_len: int) -> Iterator[Row]:
    """Documents one after the other in rows of `max_len` tokens, of which only the last may be shorter.

    Where a document begins, or goes on in a new row, positions begin at 0: what is to attend to nothing before.
    """
    parts: list[Document] = []
    free = max_len
    for document in documents:
        start = 0
        while start < len(document) - 1:
            if free < LEAST_LEN:  # of a single token nothing would be learnt
                yield _block(parts)
                parts, free = [], max_len
            part = document.cut(start, start + free)
            parts.append(part)
            free -= len(part)
            start += len(part) - 1
    if parts:
        yield _block(parts)


def _block(parts: Sequence[Document]) -> Row:
    ids = np.concatenate([part.ids for part in parts])
    positions = np.concatenate([np.arange(len(part), dtype=np.int32) for part in parts])
    return Row(ids, None, positions)


_Value = TypeVar("_Value", bound=np.generic)


def _joined(columns: Sequence[NDArray[_Value] | None]) -> NDArray[_Value] | None:
    there = [column for column in columns if column is not None]
    return np.concatenate(there) if there else None
