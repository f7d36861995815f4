"""The vectors of an embedding file that is not whole yet, written down as they come: a kill costs the batch in flight.

A journal only grows. An entry holds the places and the fp16 vectors of a batch and a checksum; from the first entry on
whose checksum is wrong, as after a kill, everything is cut off and embedded again. A journal that was begun for another
file counts for nothing. Knows nothing of texts and models.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from elusive.data.atomic import full_disk_explained

_DIGEST: Final = 16
_COUNT: Final = np.dtype("<i4")
_PLACE: Final = np.dtype("<i4")
_HALF: Final = np.dtype("<f2")


@dataclass(frozen=True)
class Journal:
    """A journal that is being written.

    Attributes:
        vectors: all of the file's, [vectors, width]; those that are not known are zero.
        known: which are there.
    """

    vectors: NDArray[np.float16]
    known: NDArray[np.bool_]
    _stream: BinaryIO

    def add(self, places: NDArray[np.int64], halves: NDArray[np.float16]) -> None:
        """Write down the vectors of some places.

        Args:
            places: [n], counted from the file's first.
            halves: [n, width].
        """
        self._take(places, halves)
        content = _COUNT.type(len(places)).tobytes() + places.astype(_PLACE).tobytes() + halves.astype(_HALF).tobytes()
        self._stream.write(content + _digest(content))
        self._stream.flush()  # to the system, which outlives us

    def read(self) -> None:
        """Take up the entries from where the stream is, and cut off what is not whole."""
        end = self._stream.tell()
        while entry := self._entry():
            self._take(*entry)
            end = self._stream.tell()
        self._stream.seek(end)
        self._stream.truncate()

    def _take(self, places: NDArray[np.int64], halves: NDArray[np.float16]) -> None:
        self.vectors[places] = halves
        self.known[places] = True

    def _entry(self) -> tuple[NDArray[np.int64], NDArray[np.float16]] | None:
        n_all, width = self.vectors.shape
        count = self._stream.read(_COUNT.itemsize)
        n = int(np.frombuffer(count, _COUNT)[0]) if len(count) == _COUNT.itemsize else 0
        if not 0 < n <= n_all:
            return None
        middle, size = n * _PLACE.itemsize, n * (_PLACE.itemsize + width * _HALF.itemsize)
        content = self._stream.read(size)
        if len(content) < size or self._stream.read(_DIGEST) != _digest(count + content):
            return None
        places = np.frombuffer(content[:middle], _PLACE).astype(np.int64)
        return places, np.frombuffer(content[middle:], _HALF).reshape(n, width)


@contextlib.contextmanager
def open_journal(path: Path, *, key: Mapping[str, Any], n: int, width: int) -> Iterator[Journal]:
    """The journal of a file of `n` vectors, with what an earlier call wrote into it.

    Args:
        path: of the journal.
        key: what the vectors depend on; a journal with another one is begun anew.
        n: vectors of the file.
        width: numbers of a vector.

    Raises:
        FolderError: the disk is full.
    """
    head = _digest(json.dumps([dict(key), n, width], sort_keys=True).encode())
    path.touch()
    with full_disk_explained(path), path.open("r+b") as stream:
        journal = Journal(np.zeros((n, width), np.float16), np.zeros(n, np.bool_), stream)
        if stream.read(_DIGEST) == head:
            journal.read()
        else:
            stream.seek(0)
            stream.truncate()
            stream.write(head)
        yield journal


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST).digest()
