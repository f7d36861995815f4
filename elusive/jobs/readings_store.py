"""What readers made of questions, on disk, found again by everything it depends on.

A store is a folder; what one reader made under one set of options lies in one subfolder of it, a JSON file with a
checksum for each chunk of questions. So runs can share a store, and a reader added to a comparison is the only one to
be loaded. A file that is damaged is set aside aloud, and its questions are read again.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from math import nan
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from elusive.data.atomic import remove_leftovers, write_json
from elusive.data.questions import Question
from elusive.data.sealed import read_sealed, write_sealed
from elusive.errors import FolderError
from elusive.jobs.reading import ReadChunk

READINGS_VERSION: Final = 1
"""To be raised when the same key would give other readings than before."""

_HOUR: Final = 3600.0


class ReadingsStore:
    """The readings under one key.

    Args:
        folder: the store; made when something is added.
        key: all that readings depend on, besides the questions, as JSON has it.
        on_damage: told of each file that was set aside.

    Raises:
        FolderError: the store is a file.
    """

    def __init__(self, folder: Path, key: Mapping[str, Any], *, on_damage: Callable[[str], None]) -> None:
        if folder.exists() and not folder.is_dir():
            raise FolderError(f"--readings {folder} is a file; expected a folder")
        self._key = {**key, "version": READINGS_VERSION}
        self._folder = folder / _digest(self._key)
        self._on_damage = on_damage
        remove_leftovers(self._folder, older_than=_HOUR)  # other runs may be writing here
        if self._folder.is_dir():
            with contextlib.suppress(OSError, FolderError):  # it may only be read
                self._tell_key()

    def get(self, questions: Sequence[Question]) -> ReadChunk | None:
        """What was made of these questions; None where it was not made yet, or is damaged."""
        file = self._file(questions)
        try:
            return _chunk(read_sealed(file))
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            aside = file.with_suffix(".damaged")
            with contextlib.suppress(OSError):  # another run was first, or the store may only be read
                file.rename(aside)
            self._on_damage(f"{file}: {error}; set aside as {aside.name}, its questions are read again")
            return None

    def add(self, questions: Sequence[Question], chunk: ReadChunk) -> None:
        """Keep what was made of questions, complete or not at all.

        Raises:
            FolderError: the store cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FolderError(
                f"cannot write readings to {self._folder}: {error.strerror}; "
                "mend it and run the same command again, or name another folder by --readings"
            ) from error
        self._tell_key()
        write_sealed(self._file(questions), strict_json(asdict(chunk)))

    def _tell_key(self) -> None:
        """`key.json`, for people to read; a damaged one is written anew."""
        file = self._folder / "key.json"
        with contextlib.suppress(FileNotFoundError, ValueError):
            if json.loads(file.read_text(encoding="utf-8")) == self._key:
                return
        write_json(file, self._key)

    def _file(self, questions: Sequence[Question]) -> Path:
        return self._folder / f"chunk-{_digest([asdict(question) for question in questions])}.json"


def strict_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """As strict JSON has it, which knows no NaN: what is not defined is null."""
    strict: dict[str, Any] = json.loads(json.dumps(record), parse_constant=lambda _name: None)
    return strict


def _chunk(record: Mapping[str, Any]) -> ReadChunk:
    """What `add` wrote.

    Raises:
        ValueError: it is no chunk.
    """
    for example in record["examples"]:
        for figures in example["indicators"].values():
            figures.update({name: nan for name, value in figures.items() if value is None})
    return TypeAdapter(ReadChunk).validate_python(record)


def _digest(content: Any) -> str:
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=12).hexdigest()
