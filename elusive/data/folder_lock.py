"""A folder held by one process alone, for as long as it lives.

The lock is the operating system's, so a killed process leaves none; a lock file that is left over locks nothing. Knows
nothing of what is in the folder.
"""

import contextlib
import fcntl
import os
import re
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from elusive.errors import FolderError

WORK: Final = ".elusive"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a folder alone, by its lock file and by itself; the folder is made if need be.

    The file's lock is the one that network file systems carry to other hosts; the folder's own still holds when
    somebody deletes the file.

    Raises:
        FolderError: another process holds it, it cannot be written, or its file system knows no locks.
    """
    with contextlib.ExitStack() as held:
        try:
            _lock_file(path).parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(path, os.O_RDONLY)
            held.callback(os.close, folder)
            stream = held.enter_context(_lock_file(path).open("a+", encoding="utf-8"))
        except OSError as error:
            raise FolderError(f"cannot write in {path}: {error.strerror}; name a folder that can be written") from error
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _lock_itself(folder)
            _sign(stream)
        except BlockingIOError:
            raise FolderError(_in_use(path, stream)) from None
        except OSError as error:
            raise FolderError(
                f"cannot lock {path}: {error.strerror}; name a folder on a local disk, or on a file system with locks"
            ) from error
        yield


def remove_lock_file(path: Path) -> None:
    """Leave no trace of having held a folder; the process that holds it may do so."""
    with contextlib.suppress(OSError):
        _lock_file(path).unlink()
        _lock_file(path).parent.rmdir()  # refused where anything else is in it


def _lock_file(path: Path) -> Path:
    return path / WORK / "lock"


def _lock_itself(folder: int) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return  # some network file systems lock files only, and the file is locked by now


def _sign(stream: TextIO) -> None:
    owner = f"process {os.getpid()} on {socket.gethostname()} since {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}"
    with contextlib.suppress(OSError):  # on a full disk the lock holds without a name to it
        os.ftruncate(stream.fileno(), 0)
        os.write(stream.fileno(), f"{owner}\n".encode())


def _in_use(path: Path, stream: TextIO) -> str:
    stream.seek(0)
    owner = stream.read().strip()
    process = re.match(r"process (\d+) on (\S+) since ", owner)
    end_it = f"end it (kill {process[1]} on {process[2]})" if process else "end it"
    return (
        f"{path} is in use by {owner or 'another process'}; wait for it or {end_it}, which frees the folder, "
        "or name another folder"
    )
