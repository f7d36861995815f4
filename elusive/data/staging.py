"""Puts a corpus into fixed chunks on disk, so that work on it can stop and go on at a chunk.

A chunk's bounds depend on the texts alone, never on batch size or workers. Each chunk appears whole, with a checksum of
its texts, and `staged.json` last: a folder without it is not staged. Memory is one chunk. Knows nothing of where texts
come from.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self

from elusive.data.atomic import atomic_write, remove_leftovers
from elusive.data.rejected import RejectedLog
from elusive.data.sealed import read_sealed, write_sealed
from elusive.data.texts import Text
from elusive.errors import FolderError

MAX_CHARS: Final = 131_072
MAX_TEXTS: Final = 1024
_MANIFEST: Final = "staged.json"
_VERSION: Final = 2
_CHECKSUM: Final = b"checksum"


@dataclass(frozen=True, slots=True)
class Staged:
    """A corpus that lies in a folder in chunks.

    Attributes:
        folder: where the chunks are.
        n_chunks: how many.
        n_texts: texts in all.
        n_chars: code points of all texts.
        fingerprint: a hash of all ids and texts in order, 32 hex digits: equal for equal corpora.
        rejected: rows set aside while reading the corpus, by reason.
    """

    folder: Path
    n_chunks: int
    n_texts: int
    n_chars: int
    fingerprint: str
    rejected: Mapping[str, int]

    @classmethod
    def open(cls, folder: Path) -> Self | None:
        """The corpus staged in `folder`; None where staging has not ended there, or its account is damaged."""
        try:
            manifest = read_sealed(folder / _MANIFEST)
            version = manifest.pop("version")
            staged = cls(folder=folder, **manifest)
        except (OSError, ValueError, TypeError, KeyError):
            return None  # not there, or not by this version: staged anew, which costs one pass over the corpus
        complete = all(_chunk_path(folder, i).is_file() for i in range(staged.n_chunks))
        return staged if version == _VERSION and complete else None

    def read_chunk(self, index: int) -> list[Text]:
        """The texts of one chunk, in order.

        Raises:
            FolderError: the file is damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = _chunk_path(self.folder, index)
        try:
            table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
            columns = table.to_pydict()
            chunk = [Text(*row) for row in zip(columns["id"], columns["text"], strict=True)]
            damaged = (table.schema.metadata or {}).get(_CHECKSUM) != _checksum(chunk)
        except (OSError, pa.ArrowException, ValueError, KeyError, AttributeError):  # pages alone have Arrow's checksums
            damaged = True
        if damaged:
            raise FolderError(f"{path} is damaged; delete {self.folder} and run the same command again")
        return chunk


def stage_corpus(
    texts: Iterable[Text],
    folder: Path,
    *,
    max_chars: int = MAX_CHARS,
    max_texts: int = MAX_TEXTS,
    rejected: RejectedLog | None = None,
) -> Staged:
    """Writes `texts` into `folder` in chunks; what an earlier, unfinished staging left there is removed.

    Args:
        texts: the corpus, in order.
        folder: made if need be; held by this process alone.
        max_chars: a chunk closes before it would exceed this many code points; a longer text is a chunk
            alone.
        max_texts: a chunk closes at this many texts.
        rejected: the log that reading `texts` fills. It is closed before `staged.json` appears, so that a
            staged corpus always has its account of rejected rows.

    Raises:
        FolderError: `folder` cannot be written, or the disk is full.
    """
    _clear(folder)
    digest = blake2b(digest_size=16)
    n_chunks = n_texts = n_chars = 0
    for chunk in _chunks(texts, max_chars=max_chars, max_texts=max_texts):
        _write_chunk(_chunk_path(folder, n_chunks), chunk)
        for text in chunk:
            _absorb(digest, text)
            n_chars += len(text.text)
        n_texts += len(chunk)
        n_chunks += 1
    counts = {}
    logs = []
    if rejected is not None:
        rejected.close()
        counts, logs = dict(rejected.counts), [rejected.path]
    staged = Staged(folder, n_chunks, n_texts, n_chars, digest.hexdigest(), counts)
    manifest = {name: value for name, value in asdict(staged).items() if name != "folder"}
    write_sealed(folder / _MANIFEST, {"version": _VERSION, **manifest}, files=logs)
    return staged


def _chunks(texts: Iterable[Text], *, max_chars: int, max_texts: int) -> Iterator[list[Text]]:
    chunk: list[Text] = []
    n_chars = 0
    for text in texts:
        if chunk and (n_chars + len(text.text) > max_chars or len(chunk) == max_texts):
            yield chunk
            chunk, n_chars = [], 0
        chunk.append(text)
        n_chars += len(text.text)
    if chunk:
        yield chunk


def _absorb(digest: blake2b, text: Text) -> None:
    """Lengths go in before contents: else `ab`, `c` and `a`, `bc` would be one corpus."""
    for part in (text.id.encode("utf-8"), text.text.encode("utf-8")):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)


def _checksum(chunk: list[Text]) -> bytes:
    digest = blake2b(digest_size=16)
    for text in chunk:
        _absorb(digest, text)
    return digest.hexdigest().encode()


def _write_chunk(path: Path, chunk: list[Text]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"id": [text.id for text in chunk], "text": [text.text for text in chunk]}
    schema = pa.schema([("id", pa.string()), ("text", pa.string())], metadata={_CHECKSUM: _checksum(chunk)})
    table = pa.table(columns, schema=schema)
    with atomic_write(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _chunk_path(folder: Path, index: int) -> Path:
    return folder / f"chunk-{index:05d}.parquet"


def _clear(folder: Path) -> None:
    """Makes room; the manifest goes first, so that at no moment a folder looks staged that is not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MANIFEST).unlink(missing_ok=True)
        remove_leftovers(folder)
        for stale in folder.glob("chunk-*.parquet"):
            stale.unlink()
    except OSError as error:
        raise FolderError(f"cannot write in {folder}: {error.strerror}; name a folder that can be written") from error
