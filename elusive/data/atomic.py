"""Files that appear whole or not at all.

A file is written under a temporary name beside its place, flushed to the disk and renamed over it, so that a
reader, a crash or Ctrl-C never meets a half-written file. A process that is killed outright can leave its
temporary file behind; such files begin with a dot and `remove_leftovers` takes them away. Knows no format.
"""

import contextlib
import errno
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elusive.errors import FolderError

_TEMPORARY_SUFFIX = ".elusive-tmp"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a temporary path; when the block ends well, that file takes the place of `path`.

    The temporary file exists, empty, when the block begins: a folder that cannot be written is found out
    before any work is done. When the block fails in any way, Ctrl-C included, it is removed and `path` stays
    as it was.

    Args:
        path: the file to write, in a folder that exists.

    Yields:
        a path in the same folder, since only there a rename is atomic.

    Raises:
        FolderError: the folder cannot be written, or the disk, a quota or a file-size limit is full.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_TEMPORARY_SUFFIX}")
    _create(temporary, path)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise _full(path, error) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` as UTF-8, newlines untouched, atomically.

    Raises:
        FolderError: as `atomic_write`.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, value: Any) -> None:
    """Writes `value` to `path` as indented JSON, keys in the order given, atomically.

    Raises:
        FolderError: as `atomic_write`.
        ValueError: `value` holds a NaN or an infinity, which JSON has no word for.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def remove_leftovers(folder: Path, *, older_than: float = 0.0) -> None:
    """Removes the temporary files that killed runs left in `folder`.

    Args:
        folder: held by this process alone, or with `older_than` far above what writing one file takes: a writer
            at work would lose its file.
        older_than: seconds since a file was last written to.
    """
    for leftover in folder.glob(f".*{_TEMPORARY_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - leftover.stat().st_mtime >= older_than:
                leftover.unlink()


@contextlib.contextmanager
def full_disk_explained(path: Path) -> Iterator[None]:
    """What the system says of a full disk becomes one line, where `path` is written to in another way than at once.

    Raises:
        FolderError: the disk, a quota or a file-size limit is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path, error) from error
        raise


def _create(temporary: Path, path: Path) -> None:
    """Makes the empty temporary file, with the permissions that the user's umask gives to any new file."""
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path, error) from error
        raise FolderError(
            f"cannot write {path}: {error.strerror}; name a folder that exists and can be written"
        ) from error


def _full(path: Path, error: OSError) -> FolderError:
    return FolderError(
        f"cannot write {path}: {os.strerror(error.errno or 0)}; "
        "free space and run the same command again: it goes on where it was"
    )


def _sync(path: Path) -> None:
    """Waits until the disk holds `path`: without it, a power cut can leave the new name on an empty file."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not (path.is_dir() and error.errno == errno.EINVAL):  # SMB and some FUSE file systems sync no folders
            raise
    finally:
        os.close(descriptor)
