"""Where the vectors of an index come from: its encoder, or another index of that encoder with the same passages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from elusive.data.questions import Passage
from elusive.retrieval.encoder_options import Side
from elusive.retrieval.index_passages import PassageStore
from elusive.retrieval.index_shards import Batch, Shards, VectorSource

_REUSED_AT_ONCE: Final = 4096


class PassageEncoder(Protocol):
    """What an index needs of an encoder (`elusive.retrieval.encoder.Encoder` is one)."""

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        ...

    def passage_text(self, passage: Passage) -> str:
        """What is embedded of a passage."""
        ...

    def batches(self, texts: Sequence[str], *, side: Side, known: NDArray[np.bool_] | None = None) -> Iterator[Batch]:
        """Places of texts and their vectors, as they come, but for batches whose texts are all known."""
        ...

    def fingerprint(self, side: Side) -> str:
        """Names all that the vectors of a side depend on."""
        ...


@dataclass(frozen=True)
class KnownVectors:
    """Passages whose vectors by an encoder are there already.

    Attributes:
        store: the passages.
        shards: their vectors.
    """

    store: PassageStore
    shards: Shards

    def of(self, passages: Sequence[Passage], start: int) -> NDArray[np.bool_]:
        """Which of some passages are those of the places from `start` on."""
        there = self.store.read(min(start, len(self.store)), min(start + len(passages), len(self.store)))
        same = [one == other for one, other in zip(passages, there, strict=False)]
        return np.array(same + [False] * (len(passages) - len(same)), np.bool_)


def embedding(store: PassageStore, encoder: PassageEncoder, known: KnownVectors | None = None) -> VectorSource:
    """The vectors of the passages in a store.

    Args:
        store: the passages.
        encoder: what embeds them.
        known: vectors by this very encoder, which are taken where the same passage is at the same place.
    """

    def embed(start: int, stop: int, done: NDArray[np.bool_]) -> Iterator[Batch]:
        passages = store.read(start, stop)
        reused = known.of(passages, start) if known else np.zeros(len(passages), np.bool_)
        if known and reused.any():
            wanted = np.flatnonzero(reused & ~done)
            for first in range(0, len(wanted), _REUSED_AT_ONCE):
                places = wanted[first : first + _REUSED_AT_ONCE]
                yield places, known.shards.sample(start + places)
        rest = np.flatnonzero(~reused)
        texts = [encoder.passage_text(passages[place]) for place in rest.tolist()]
        for places, vectors in encoder.batches(texts, side="passage", known=done[rest]) if texts else ():
            yield rest[places], vectors

    return embed
