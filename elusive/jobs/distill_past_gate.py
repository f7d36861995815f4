"""A distillation that its gate stopped goes on when `--ignore-gate` is added: with its index, its reader and figures.

What a stopped run has found out is in its `run.json` and its products. It is put back where an unfinished run keeps
it, and `run.json` says last that the run is unfinished and ignores the gate: a kill on the way leaves a stopped run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from elusive.data.folder_lock import WORK, locked
from elusive.data.run_record import RUN, check_files, read_run
from elusive.data.sealed import write_sealed
from elusive.distillation.loop import READER
from elusive.errors import FolderError

BEFORE: Final = "before.json"
TUNED: Final = "gate-reader.json"
"""Vouches for the reader that was tuned before the gate stopped the run."""
STOPPED: Final = "before"
"""Where `run.json` keeps what was known when the gate stopped the run."""

_OPTION: Final = "ignore_gate"


def goes_on_past_gate(path: Path, options: Mapping[str, Any]) -> bool:
    """Whether a folder holds a run of these very options that has not trained for want of `ignore_gate`."""
    return _stopped(path, options) is not None


def go_on_past_gate(path: Path, options: Mapping[str, Any]) -> bool:
    """Make an unfinished run of these options out of such a run; False where there is none, and nothing is done.

    Raises:
        FolderError: a file of the run was removed or changed, or another process is at work in the folder.
    """
    if not goes_on_past_gate(path, options):
        return False
    with locked(path):
        if (run := _stopped(path, options)) is None:
            return False
        if run["finished"]:
            check_files(path, run["files"], by_size=True)
            _put_back(path, run)
        write_sealed(path / RUN, {"finished": False, "options": _as_json(options)})
    return True


def _stopped(path: Path, options: Mapping[str, Any]) -> dict[str, Any] | None:
    now = _as_json(options)
    try:
        run = read_run(path)
    except FolderError:  # what is wrong is said when the folder is opened
        return None
    if run is None or "clearing" in run or not now[_OPTION]:
        return None
    before = dict(run["options"])
    if before.get(_OPTION) is not False or {**before, _OPTION: True} != now:
        return None
    return run if not run["finished"] or run["result"]["stopped_by"] == "gate" else None


def _put_back(path: Path, run: Mapping[str, Any]) -> None:
    parts = path / WORK / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    if STOPPED in run:
        write_sealed(parts / BEFORE, run[STOPPED])
    if reader := sorted(file for file in (path / READER).rglob("*") if file.is_file()):
        write_sealed(parts / TUNED, {}, files=reader)


def _as_json(options: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(options))
    return found
