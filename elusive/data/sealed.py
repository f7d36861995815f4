"""JSON records that tell whether they, and the files they vouch for, are still what was written.

A record carries a checksum of its own content and seals of files beside it: their sizes and digests. So what goes on
from a record never goes on from a damaged one, nor past a file that was lost or changed since. Reading a record reads
the files it vouches for.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from elusive.data.atomic import write_json


class Seal(TypedDict):
    """What a file was when it was written: its size in bytes, and its SHA-256."""

    bytes: int
    sha256: str


def write_sealed(path: Path, content: Mapping[str, Any], *, files: Iterable[Path] = ()) -> None:
    """Writes `content` and the seals of `files` to `path`, atomically.

    Raises:
        FolderError: as `atomic_write`.
    """
    seals = {os.path.relpath(file, path.parent): _seal(file) for file in files}
    record = {**content, "seals": seals} if seals else dict(content)
    write_json(path, {**record, "checksum": _checksum(record)})


def read_sealed(path: Path) -> dict[str, Any]:
    """The content of a record.

    Raises:
        FileNotFoundError: there is no record.
        ValueError: it, or a file it vouches for, is not what was written.
    """
    record = _read(path)
    for name, seal in record.pop("seals", {}).items():
        file = _beside(path, name)
        if not is_unchanged(file, seal):
            raise ValueError(f"{file} was removed or changed since")
    return record


def read_seals(path: Path) -> dict[Path, Seal]:
    """The seals in a record, by file, as they were when it was written; the files are not read.

    Raises:
        FileNotFoundError, ValueError: there is no record, or a damaged one.
    """
    seals: dict[str, Seal] = _read(path).get("seals", {})
    return {_beside(path, name): seal for name, seal in seals.items()}


def is_unchanged(file: Path, seal: Seal, *, by_size: bool = False) -> bool:
    """Whether a file is there as it was sealed, to its last byte; or, without reading it, whether its size is."""
    if not file.is_file() or file.stat().st_size != seal["bytes"]:
        return False
    return by_size or _seal(file) == seal


def _beside(path: Path, name: str) -> Path:
    """By the names alone: `..` of a folder that is a symbolic link would lead away."""
    return Path(os.path.normpath(path.parent / name))


def _read(path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict) or record.pop("checksum", None) != _checksum(record):
        raise ValueError("its checksum does not match")
    return record


def _checksum(record: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=16).hexdigest()


def _seal(file: Path) -> Seal:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"bytes": os.fstat(stream.fileno()).st_size, "sha256": digest}
