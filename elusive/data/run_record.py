"""`run.json`: which run a folder holds, and whether its files are still as that run wrote them.

Other programs write a `run.json` too: theirs is told from a damaged one of ours. Reads only.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from elusive.data.sealed import Seal, is_unchanged, read_sealed
from elusive.errors import FolderError

RUN: Final = "run.json"
WORKING_FOLDER: Final = "working_folder"
"""In `run.json`, what relative paths in the options begin at."""
_FIELDS: Final = {"finished", "options", "checksum"}
# What stands between a path and the rest of an option: NAME=DATA, DATA:0.3, READER + ADAPTER, MODEL@REVISION.
_JOINTS: Final = re.compile(r"(\s\+\s|[=:@\s])")


def read_run(path: Path, *, or_damaged: bool = False) -> dict[str, Any] | None:
    """The record in a folder; None where there is none.

    Args:
        path: the folder.
        or_damaged: None, too, where a run's record is damaged.

    Raises:
        FolderError: it is damaged, may not be read, or was not written by a run.
    """
    file = path / RUN
    try:
        run = read_sealed(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderError(f"{file} cannot be read ({error}); name another --out") from error
    except ValueError as error:
        _refuse_foreign(file)
        if or_damaged:
            return None
        raise FolderError(f"{file} cannot be read ({error}); name another --out, or --overwrite it") from error
    _refuse_foreign(file)
    return run


def working_folder() -> str:
    """The folder that relative paths begin at; the empty string where it was deleted meanwhile."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def check_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any], *, begun_in: str | None = None) -> None:
    """Refuse to go on with other options than a run had. Two paths of one file or folder are the same option.

    Args:
        path: the folder.
        before: options of the run that it holds.
        now: options of the one that is to go on.
        begun_in: what relative paths of `before` begin at; None where it was not recorded, and is taken to be here.

    Raises:
        FolderError: with the differences.
    """
    here = working_folder()
    there = here if begun_in is None else begun_in
    names = [
        name
        for name in {**before, **now}
        if before.get(name) != now.get(name) and _resolved(before.get(name), there) != _resolved(now.get(name), here)
    ]
    if names:
        differences = "; ".join(_difference(name, before.get(name), now.get(name)) for name in names)
        raise FolderError(
            f"{path} holds a run with other options ({differences}); name another --out, or start anew by --overwrite"
        )


def _resolved(value: Any, folder: str) -> Any:
    """An option with each path that leads somewhere from `folder` in its one absolute form."""
    if isinstance(value, str):
        return _place(value, folder) or "".join(_place(part, folder) or part for part in _JOINTS.split(value))
    if isinstance(value, list):
        return [_resolved(one, folder) for one in value]
    if isinstance(value, dict):
        return {_resolved(name, folder): _resolved(one, folder) for name, one in value.items()}
    return value


def _place(name: str, folder: str) -> str | None:
    """Where a name leads; None where it is no path of anything."""
    try:
        path = Path(folder, name)
        return os.path.realpath(path) if name.strip() and path.exists() else None
    except (OSError, ValueError):  # too long for a path; a NUL in it
        return None


def check_files(path: Path, files: Mapping[str, Seal], *, by_size: bool = False) -> None:
    """Refuse a finished folder in which a file is not as the run wrote it.

    Args:
        path: the folder.
        files: the `files` of its `run.json`.
        by_size: compare sizes alone; else every byte is read.

    Raises:
        FolderError: with the first such file.
    """
    for name, seal in files.items():
        if not is_unchanged(path / name, seal, by_size=by_size):
            raise FolderError(
                f"{path} holds this run, finished, but {name} was removed or changed since; --overwrite starts anew"
            )


def _refuse_foreign(file: Path) -> None:
    """Other programs write a `run.json` too. What is no JSON any more was a run's, for all that can be told."""
    try:
        record = json.loads(file.read_bytes())
    except ValueError:
        return
    if not isinstance(record, dict) or not record.keys() >= _FIELDS:
        raise FolderError(f"{file} was not written by a run of elusive; name another --out")


def _difference(name: str, before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        return f"{name}: {changed[0]} changed" + (f" and {len(changed) - 1} more" if len(changed) > 1 else "")
    return f"{name}: {before!r} there, {now!r} now"
