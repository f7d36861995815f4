"""The passages of an index: a jsonl file in Atlas's layout, and where each line of it begins.

Both appear whole. Memory is the lines that are asked for; the offsets are mapped. Knows nothing of vectors.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elusive.data.atomic import atomic_write
from elusive.data.questions import Passage
from elusive.data.rejected import RejectedLog
from elusive.data.sealed import read_sealed, write_sealed
from elusive.errors import FolderError, InputError

PASSAGES: Final = "passages.jsonl"
OFFSETS: Final = "passages.offsets"
"""One 8-byte little-endian integer for each line, and one for the end of the last."""
_AT_ONCE: Final = 1024


@dataclass(frozen=True)
class PassageStore:
    """Passages by their place: 0 is the first that was read.

    Attributes:
        folder: where the two files are.
        fingerprint: a hash of all ids, titles and texts in order.
        rejected: rows set aside while they were read, by reason, as far as that is known here.
    """

    folder: Path
    fingerprint: str
    rejected: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def recorded(cls, folder: Path, record: Path) -> "PassageStore | None":
        """What `write_passages` wrote in full; None where it did not, or something changed since."""
        try:
            content = read_sealed(record)
            return cls(folder, content["fingerprint"], content["rejected"])
        except (OSError, ValueError, KeyError):
            return None

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, place: int) -> Passage:
        return self.read(place, place + 1)[0]

    def read(self, start: int, stop: int) -> list[Passage]:
        """The passages of places `start` to `stop`.

        Raises:
            IndexError: there are no such places.
            FolderError: the file is damaged.
        """
        if not 0 <= start <= stop <= len(self):
            raise IndexError(f"places {start} to {stop} of {len(self)} passages")
        first, last = int(self._offsets[start]), int(self._offsets[stop])
        path = self.folder / PASSAGES
        try:
            with path.open("rb") as stream:
                stream.seek(first)
                lines = stream.read(last - first).splitlines()
            return [Passage(**json.loads(line)) for line in lines]
        except (OSError, ValueError, TypeError) as error:
            raise FolderError(f"{path} cannot be read ({error}); build the index again") from error

    def all(self) -> Iterator[Passage]:
        """All passages, in order; memory is some of them."""
        for start in range(0, len(self), _AT_ONCE):
            yield from self.read(start, min(len(self), start + _AT_ONCE))

    @cached_property
    def _offsets(self) -> NDArray[np.int64]:
        path = self.folder / OFFSETS
        try:
            return np.memmap(path, dtype="<i8", mode="r")
        except (OSError, ValueError) as error:
            raise FolderError(f"{path} cannot be read ({error}); build the index again") from error


def write_passages(
    folder: Path, passages: Iterable[Passage], *, record: Path, log: RejectedLog | None = None
) -> PassageStore:
    """Write passages down, as they come.

    Args:
        folder: where to.
        passages: in order.
        record: what vouches for the files, once they are there.
        log: what reading `passages` fills; closed before the record appears.

    Raises:
        InputError: there is none.
        FolderError: the disk is full.
    """
    digest = blake2b(digest_size=16)
    with (
        atomic_write(folder / PASSAGES) as texts,
        atomic_write(folder / OFFSETS) as offsets,
        texts.open("wb") as lines,
        offsets.open("wb") as ends,
    ):
        ends.write((0).to_bytes(8, "little"))
        for passage in passages:
            row = {"id": passage.id, "title": passage.title, "text": passage.text}
            line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
            digest.update(line)
            lines.write(line)
            ends.write(lines.tell().to_bytes(8, "little"))
        if not lines.tell():
            raise InputError("there are no passages to index; name a file with one passage at least")
    if log:
        log.close()
    files = [folder / PASSAGES, folder / OFFSETS, *([log.path] if log else [])]
    store = PassageStore(folder, digest.hexdigest(), dict(log.counts) if log else {})
    write_sealed(record, {"fingerprint": store.fingerprint, "rejected": store.rejected}, files=files)
    return store
