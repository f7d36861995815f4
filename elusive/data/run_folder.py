"""A job's output folder from the first lock to `run.json`: who may write in it, and what is there already.

`run.json` holds the resolved options. The same ones in the same folder go on where an earlier run was, or find it done;
other ones are refused with the differences. The lock is the operating system's, so a killed run leaves none.
"""

import contextlib
import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elusive.data.atomic import remove_leftovers, write_json
from elusive.errors import ElusiveError, FolderError

_WORK = ".elusive"
_RUN = "run.json"


@dataclass(frozen=True)
class RunFolder:
    """A locked output folder.

    Attributes:
        path: the folder.
        options: the resolved options of this run.
    """

    path: Path
    options: Mapping[str, Any]

    @property
    def work(self) -> Path:
        """What only an unfinished run needs."""
        return self.path / _WORK

    @property
    def finished(self) -> Mapping[str, Any] | None:
        """The `run.json` of a run that came to its end here; None where there is none."""
        run = _read(self.path)
        return run if run and run.get("finished") else None

    def finish(self, record: Mapping[str, Any]) -> None:
        """Write the final `run.json`, and remove what only an unfinished run needs."""
        write_json(self.path / _RUN, {"finished": True, "options": dict(self.options), **record})
        shutil.rmtree(self.work / "corpus", ignore_errors=True)
        shutil.rmtree(self.work / "parts", ignore_errors=True)


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
            if overwrite:
                _remove(path, products)
            else:
                check_free(path, options, products=products)
            for folder in (path, path / _WORK, *(path / name for name in products)):
                remove_leftovers(folder)
            if before is None:
                write_json(path / _RUN, {"finished": False, "options": options})
            yield RunFolder(path, options)
        except ElusiveError:
            # Bad input leaves nothing half-made; scores stay, they are good whatever else was wrong.
            if before is None and not any((path / name).is_dir() for name in products):
                _remove(path, products)
            _remove_if_empty(path)
            raise


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
        run = json.loads((path / _RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise FolderError(f"{path / _RUN} cannot be read ({error}); name another --out, or --overwrite it") from error
    return run if isinstance(run, dict) else None


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
    for name in (*products, f"{_WORK}/corpus", f"{_WORK}/parts"):
        target = path / name
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


def _remove_if_empty(path: Path) -> None:
    """Remove the folder if nothing but our lock is left in it; in a folder that is not ours, remove the lock alone."""
    if not (path / _RUN).exists():
        shutil.rmtree(path / _WORK, ignore_errors=True)
    if not any(path.iterdir()):
        path.rmdir()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path / _WORK / "lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("a+", encoding="utf-8")
    except OSError as error:
        raise FolderError(f"cannot write in {path}: {error.strerror}; name a folder that can be written") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            owner = stream.read().strip() or "another process"
            raise FolderError(f"{path} is in use by {owner}; wait for it or stop it, or name another --out") from None
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        stream.flush()
        yield
