"""A job's output folder from the first lock to `run.json`: who may write in it, and what is there already.

`run.json` holds the resolved options. The same ones in the same folder go on where an earlier run was, or find it done;
other ones are refused with the differences. The lock is the operating system's, so a killed run leaves none. What the
system refuses a run at work in its folder becomes one line.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from elusive.data.atomic import remove_leftovers
from elusive.data.sealed import read_sealed, write_sealed
from elusive.errors import ElusiveError, FolderError

_WORK = ".elusive"
_RUN = "run.json"


@dataclass(frozen=True)
class RunFolder:
    """A locked output folder.

    Attributes:
        path: the folder.
        options: the resolved options of this run.
        products: the names in the folder that a run makes.
    """

    path: Path
    options: Mapping[str, Any]
    products: tuple[str, ...]

    @property
    def work(self) -> Path:
        """What only an unfinished run needs."""
        return self.path / _WORK

    @property
    def finished(self) -> Mapping[str, Any] | None:
        """The `run.json` of a run that came to its end here; None where there is none.

        Raises:
            FolderError: a file that it wrote is gone, or has another size.
        """
        run = _read(self.path)
        if not run or not run["finished"]:
            return None
        there = self._sizes()
        for name, size in run["files"].items():
            if there.get(name) != size:
                raise FolderError(
                    f"{self.path} holds this run, finished, but {name} was removed or changed since; "
                    "--overwrite writes it again (scores stay)"
                )
        return run

    def finish(self, record: Mapping[str, Any]) -> None:
        """Write the final `run.json`, and remove what only an unfinished run needs."""
        run = {"finished": True, "options": dict(self.options), **record, "files": self._sizes()}
        write_sealed(self.path / _RUN, run)
        _remove_work(self.path)

    def _sizes(self) -> dict[str, int]:
        """Bytes of each file in the folders of products; single files, such as the card, are the user's to change."""
        files = (file for name in self.products for file in sorted((self.path / name).rglob("*")) if file.is_file())
        return {file.relative_to(self.path).as_posix(): file.stat().st_size for file in files}


@contextlib.contextmanager
def open_run(
    path: Path, options: Mapping[str, Any], *, products: tuple[str, ...], overwrite: bool = False
) -> Iterator[RunFolder]:
    """Lock an output folder for one run.

    Args:
        path: the folder; made if need be.
        options: the resolved options of this run, as JSON has them.
        products: the names in the folder that a run makes, removed by `overwrite`; nothing else ever is.
        overwrite: start anew.

    Raises:
        FolderError: it cannot be written, another run holds it, it holds a run with other options, or things that
            are no run's.
    """
    options = json.loads(json.dumps(options))
    with _locked(path):
        before = None if overwrite else _read(path)
        try:
            _refuse_foreign(path, products)
            if not overwrite:
                check_free(path, options, products=products)
            if before is None:
                _remove(path, products)
            elif before["finished"]:
                _remove_work(path)  # a kill may have come between the run's end and this
            for folder in (path, path / _WORK, *(path / name for name in products)):
                remove_leftovers(folder)
            if before is None:
                write_sealed(path / _RUN, {"finished": False, "options": options})
            yield RunFolder(path, options, products)
        except ElusiveError:
            # Bad input leaves nothing half-made; scores stay, they are good whatever else was wrong.
            with contextlib.suppress(OSError):  # the first refusal is the one to be told
                if before is None and not any((path / name).is_dir() for name in products):
                    _remove(path, products)
                _remove_if_empty(path)
            raise
        except BrokenPipeError:  # nobody reads our output any more: that is no matter of the folder
            raise
        except OSError as error:
            why = " ".join(str(error).split())
            raise FolderError(
                f"the run in {path} cannot go on: {why}; was the folder moved or deleted meanwhile? "
                "The same command goes on from what is there"
            ) from error


def check_free(path: Path, options: Mapping[str, Any], *, products: tuple[str, ...]) -> None:
    """Refuse a folder that holds a run with other options, or things that are no run's; reads only.

    Raises:
        FolderError: with the differences.
    """
    _refuse_foreign(path, products)
    before = _read(path)
    if before is not None:
        _check_same(path, before.get("options", {}), json.loads(json.dumps(options)))


def _refuse_foreign(path: Path, products: tuple[str, ...]) -> None:
    # Every run writes run.json before anything else; what lies there without one is the user's own.
    foreign = sorted(name for name in products if (path / name).exists())
    if foreign and not (path / _RUN).exists():
        raise FolderError(
            f"{path} already holds {', '.join(foreign)} but no {_RUN}, so they are no run's; name another --out"
        )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return read_sealed(path / _RUN)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FolderError(f"{path / _RUN} cannot be read ({error}); name another --out, or --overwrite it") from error


def _check_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if names:
        differences = "; ".join(_difference(name, before.get(name), now.get(name)) for name in names)
        raise FolderError(
            f"{path} holds a run with other options ({differences}); name another --out, or --overwrite (scores stay)"
        )


def _difference(name: str, before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        return f"{name}: {changed[0]} changed" + (f" and {len(changed) - 1} more" if len(changed) > 1 else "")
    return f"{name}: {before!r} there, {now!r} now"


def _remove(path: Path, products: tuple[str, ...]) -> None:
    (path / _RUN).unlink(missing_ok=True)
    _remove_work(path)
    for name in products:
        target = path / name
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


def _remove_work(path: Path) -> None:
    for name in ("corpus", "parts"):
        shutil.rmtree(path / _WORK / name, ignore_errors=True)


def _remove_if_empty(path: Path) -> None:
    """Remove the folder if nothing but our lock is left in it; in a folder that is not ours, remove the lock alone."""
    if not (path / _RUN).exists():
        shutil.rmtree(path / _WORK, ignore_errors=True)
    if not any(path.iterdir()):
        path.rmdir()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder alone, by its lock file and by itself.

    The file's lock is the one that network file systems carry to other hosts; the folder's own still holds when
    somebody deletes the file.
    """
    with contextlib.ExitStack() as held:
        try:
            (path / _WORK).mkdir(parents=True, exist_ok=True)
            folder = os.open(path, os.O_RDONLY)
            held.callback(os.close, folder)
            stream = held.enter_context((path / _WORK / "lock").open("a+", encoding="utf-8"))
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
        "or name another --out"
    )
