"""JSON records that tell whether they, and the files they vouch for, are still what was written.

A record carries a checksum of its own content and digests of files beside it. So what goes on from a record never goes
on from a damaged one, nor past a file that was lost or changed since. Reading a record reads the files it vouches for.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from elusive.data.atomic import write_json


def write_sealed(path: Path, content: Mapping[str, Any], *, files: Iterable[Path] = ()) -> None:
    """Writes `content` and the digests of `files` to `path`, atomically.

    Raises:
        FolderError: as `atomic_write`.
    """
    digests = {os.path.relpath(file, path.parent): _digest(file) for file in files}
    record = {**content, "digests": digests} if digests else dict(content)
    write_json(path, {**record, "checksum": _checksum(record)})


def read_sealed(path: Path) -> dict[str, Any]:
    """The content of a record.

    Raises:
        FileNotFoundError: there is no record.
        ValueError: it, or a file it vouches for, is not what was written.
    """
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict) or record.pop("checksum", None) != _checksum(record):
        raise ValueError("its checksum does not match")
    for name, digest in record.pop("digests", {}).items():
        file = path.parent / name
        if not file.is_file() or _digest(file) != digest:
            raise ValueError(f"{file} was removed or changed since")
    return record


def _checksum(record: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=16).hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
