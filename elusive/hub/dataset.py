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

from elusive.data.run_folder import open_run
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


def git_hasher(size: int) -> Any:
    """A hasher that has taken the header of a git blob of `size` bytes."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


@contextlib.contextmanager
def finished_dataset(folder: Path) -> Iterator[FinishedDataset]:
    """The dataset in `folder`, locked: no run changes it meanwhile.

    Raises:
        FolderError: there is none, it is not finished, a part was changed since, or a run is at work in it.
    """
    try:
        record = read_sealed(folder / "run.json")
    except FileNotFoundError:
        raise FolderError(f"{folder} holds no run.json; name the folder that elusive augment wrote") from None
    except (OSError, ValueError) as error:
        raise FolderError(f"{folder / 'run.json'} cannot be read ({error}); name a folder as a run left it") from error
    with open_run(folder, record["options"], products=_SUBSETS) as run:
        if not (finished := run.finished):
            raise FolderError(f"the run in {folder} is not finished; finish it first: {_command(folder, record)}")
        sizes = {name: size for name, size in sorted(finished["files"].items()) if is_part(name)}
        yield FinishedDataset(folder, sizes, _card(folder), _title(finished))


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
