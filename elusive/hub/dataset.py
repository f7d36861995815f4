"""What of a finished folder is the dataset: the parts that its run wrote, and the card.

Scores, rejected rows, the report and the run's record stay at home: they name files of this machine. So does whatever
else lies in the folder.
"""

import contextlib
import hashlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from elusive.data.folder_lock import locked
from elusive.data.run_record import RUN, check_files
from elusive.data.sealed import read_sealed
from elusive.errors import FolderError

CARD: Final = "README.md"
_SUBSETS: Final = ("data", "clues")
_PART: Final = re.compile(r"(data|clues)/train-\d{5,}-of-\d{5,}\.(parquet|jsonl|csv)")


@dataclass(frozen=True)
class FinishedDataset:
    """A finished dataset in its folder.

    Attributes:
        folder: where it lies.
        sizes: bytes of each part, by its path in the folder, in order.
        card: the text of its README.md.
        title: what it is, for the message of a commit.
    """

    folder: Path
    sizes: dict[str, int]
    card: str
    title: str
    _digests: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    def digest(self, name: str, kind: str) -> str:
        """The `sha256` of a part, or the id that `git` gives to its content; each is read once."""
        if (name, kind) not in self._digests:
            hasher = hashlib.sha256() if kind == "sha256" else git_hasher(self.sizes[name])
            with (self.folder / name).open("rb") as stream:
                self._digests[name, kind] = hashlib.file_digest(stream, lambda: hasher).hexdigest()
        return self._digests[name, kind]


def is_part(name: str) -> bool:
    """Whether a path in a repository is one that a run would write."""
    return _PART.fullmatch(name) is not None


def lies_among_parts(name: str) -> bool:
    """Whether a path in a repository lies in a folder that a run would fill."""
    return name.startswith(tuple(f"{subset}/" for subset in _SUBSETS))


def git_hasher(size: int) -> Any:
    """A hasher that has taken the header of a git blob of `size` bytes."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


@contextlib.contextmanager
def finished_dataset(folder: Path) -> Iterator[FinishedDataset]:
    """The dataset in `folder`, locked: no run changes it meanwhile.

    Raises:
        FolderError: there is none, it is not finished, a part was changed since, or a run is at work in it.
    """
    finished_record(folder)  # before the lock, which would make the folder
    with locked(folder):
        record = finished_record(folder)
        check_files(folder, record["files"])
        parts = {name: seal for name, seal in sorted(record["files"].items()) if is_part(name)}
        sizes = {name: seal["bytes"] for name, seal in parts.items()}
        digests = {(name, "sha256"): seal["sha256"] for name, seal in parts.items()}
        yield FinishedDataset(folder, sizes, _card(folder), _title(record), digests)


def finished_record(folder: Path) -> dict[str, Any]:
    """The record of the finished run in a folder.

    Raises:
        FolderError: there is none, or it is not finished.
    """
    try:
        record = read_sealed(folder / RUN)
    except FileNotFoundError:
        raise FolderError(f"{folder} holds no {RUN}; name the folder that elusive augment wrote") from None
    except (OSError, ValueError) as error:
        raise FolderError(f"{folder / RUN} cannot be read ({error}); name a folder as a run left it") from error
    if not record["finished"]:
        raise FolderError(f"the run in {folder} is not finished; finish it first: {_command(folder, record)}")
    return record


def _card(folder: Path) -> str:
    try:
        return (folder / CARD).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FolderError(f"{folder / CARD} cannot be read ({error}); --overwrite writes it again") from error


def _title(record: Any) -> str:
    result, version = record["result"], record["versions"]["elusive"]
    return f"{result['texts']:,} texts in {result['rows']:,} rows (elusive {version})"


def _command(folder: Path, record: Any) -> str:
    """How the run was begun, as far as its record tells."""
    named = {name: str(record["options"].get(name, "…")) for name in ("corpus", "large", "small")}
    words = ["elusive", "augment", named["corpus"], "--large", named["large"], "--small", named["small"]]
    return shlex.join([*words, "--out", str(folder)]) + " and its other options"
