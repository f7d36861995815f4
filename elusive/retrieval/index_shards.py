"""Embeddings on disk: fp16 vectors in files of a fixed number of them, memory-mapped.

Each file appears whole, and a sealed record beside it says so. Until then its vectors are in a journal, so that a kill
costs a batch. Memory is one file's vectors, whatever their number. Knows nothing of texts, models and faiss.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elusive.data.atomic import atomic_write
from elusive.data.sealed import read_sealed, write_sealed
from elusive.errors import FolderError, ModelError, OptionError
from elusive.progress import Advance, Progress
from elusive.retrieval.index_journal import Journal, open_journal
from elusive.retrieval.index_kinds import Layout

Vectors: TypeAlias = NDArray[np.float32]
Batch: TypeAlias = tuple[NDArray[np.int64], Vectors]
"""Some places, [n], and their vectors, [n, width]."""
VectorSource: TypeAlias = Callable[[int, int, NDArray[np.bool_]], Iterator[Batch]]
"""Gives the vectors of places `start` to `stop`, batch by batch, in an order of its own; places are counted from
`start`. Batches of which all is known already are left out."""


@dataclass(frozen=True)
class Shards:
    """Embedding files.

    Attributes:
        paths: of the files, in order.
        layout: what says where which vector is.
    """

    paths: tuple[Path, ...]
    layout: Layout

    @cached_property
    def maps(self) -> tuple[NDArray[np.float16], ...]:
        """Each file, mapped: [vectors, width].

        Raises:
            FolderError: a file is not what was written.
        """
        return tuple(self._mapped(i) for i in range(len(self.paths)))

    def rows(self, places: NDArray[np.int64]) -> Vectors:
        """The vectors at `places` [n], as [n, width]; what is asked for again is found in memory."""
        return self._gathered(places, self.maps.__getitem__)

    # Below, files are mapped anew: pages that were read stay with a map for as long as it lives.

    def sample(self, places: NDArray[np.int64]) -> Vectors:
        """As `rows`, for many places at once."""
        return self._gathered(places, self._mapped)

    def blocks(self, start: int, stop: int) -> Iterator[Vectors]:
        """The vectors of places `start`, where a file begins, to `stop`, where one ends; a file at a time."""
        size = self.layout.shard_len
        for i in range(start // size, -(-stop // size)):
            yield np.asarray(self._mapped(i), dtype=np.float32)

    def _gathered(self, places: NDArray[np.int64], shard: Callable[[int], NDArray[np.float16]]) -> Vectors:
        numbers, rows = np.divmod(places, self.layout.shard_len)
        found = np.empty((len(places), self.layout.width), np.float32)
        for i in np.unique(numbers):
            chosen = numbers == i
            found[chosen] = shard(i)[rows[chosen]]
        return found

    def _mapped(self, i: int) -> NDArray[np.float16]:
        path, size = self.paths[i], self.layout.shard_len
        expected = (min(size, self.layout.n - i * size), self.layout.width)
        try:
            found: NDArray[np.float16] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise FolderError(f"{path} cannot be read ({error}); build the index again") from error
        if found.shape != expected or found.dtype != np.float16:
            raise FolderError(
                f"{path} holds {found.dtype} {found.shape}; expected float16 {expected}; build the index again"
            )
        return found


def write_shards(
    shards: Shards, vectors: VectorSource, *, records: Path, key: Mapping[str, Any], progress: Progress
) -> None:
    """Write the embedding files that are not there yet.

    Args:
        shards: where they go.
        vectors: where they come from.
        records: the folder of their records, `embeddings-00000.json` and so on.
        key: what they depend on; a record with another one counts for nothing.
        progress: where to report.

    Raises:
        ModelError: a vector is not finite, or too large for fp16.
        OptionError: vectors of another width than the layout's.
        FolderError: the disk is full.
    """
    layout = shards.layout
    with progress.stage("embed", total=layout.n, unit="passages") as advance:
        for i, (start, stop) in enumerate(layout.shards()):
            record = records / f"embeddings-{i:05d}.json"
            if is_recorded(record, key):
                advance(stop - start)
                continue
            journal = record.with_suffix(".journal")
            with open_journal(journal, key=key, n=stop - start, width=layout.width) as kept:
                _fill(kept, vectors, start, stop, advance)
            write_array(shards.paths[i], kept.vectors)
            write_sealed(record, {"key": key}, files=[shards.paths[i]])
            journal.unlink()


def is_recorded(record: Path, key: Mapping[str, Any]) -> bool:
    """Whether a record under this key is there, and the files it vouches for are as they were written."""
    try:
        return bool(read_sealed(record)["key"] == key)
    except (OSError, ValueError, KeyError):
        return False


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a .npy file. Not by `np.save`, whose error on a full disk does not say that it is full."""
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.write(array.data)


def _fill(kept: Journal, vectors: VectorSource, start: int, stop: int, advance: Advance) -> None:
    """Ask for what is not known yet, and write it down batch by batch."""
    n_all, width = kept.vectors.shape
    advance(int(kept.known.sum()))
    for places, found in vectors(start, stop, kept.known.copy()):
        if found.shape != (len(places), width):
            raise OptionError(
                f"vectors of places {start:,} to {stop - 1:,} came as {found.shape}; expected {(len(places), width)}"
            )
        n_new = int((~kept.known[places]).sum())
        kept.add(places, _halved(found, start + places))
        advance(n_new)
    if not kept.known.all():
        raise OptionError(f"of the {n_all:,} vectors from place {start:,} on, {int(kept.known.sum()):,} came")


def _halved(vectors: Vectors, places: NDArray[np.int64]) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        halves = np.ascontiguousarray(vectors, dtype=np.float16)
    if not np.isfinite(halves).all():
        place = int(places[~np.isfinite(halves).all(axis=1)].min())
        raise ModelError(
            f"the vector at place {place:,} is NaN, infinite or beyond the 65,504 that fp16 holds; "
            "check the encoder's weights and --dtype, or normalise its vectors"
        )
    return halves
