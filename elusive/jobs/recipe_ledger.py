"""Which steps of a recipe came to their end in a folder: a line for each in `steps.jsonl`, written whole each time.

A step counts as finished if its line is there, the folder that its command made still says so, and nothing that it
names in the run's folder is gone or was made after it. Safe against a kill: what is not finished is run again, and
every command of ours goes on where it was, finds its work done, or refuses input that is another now.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from elusive.data.atomic import write_text
from elusive.data.run_record import RUN, read_run
from elusive.errors import FolderError
from elusive.jobs.recipe_steps import Step

LEDGER: Final = "steps.jsonl"


@dataclass(frozen=True)
class Entry:
    """A step that came to its end.

    Attributes:
        step: its text, in which the run's folder is `{out}`.
        stage: of the recipe.
        exit_code: 0, or one that the recipe allows.
        seconds: that its last run took.
        has_run: whether it left a finished run in its folder.
        ended: when, in seconds since 1970; None in ledgers of earlier versions.
        folder: that it made, below the run's folder; None where it made none, or likewise.
    """

    step: str
    stage: str
    exit_code: int
    seconds: float
    has_run: bool
    ended: float | None = None
    folder: str | None = None


class Ledger:
    """The steps finished in one folder.

    Args:
        out: the run's folder; to be held by one process alone while anything is entered.

    Raises:
        FolderError: its ledger cannot be read.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._file = out / LEDGER
        self._entries: dict[str, Entry] = {}
        try:
            lines = self._file.read_text(encoding="utf-8").splitlines()
            self._entries = {entry.step: entry for entry in (Entry(**json.loads(line)) for line in lines)}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError) as error:
            raise FolderError(
                f"{self._file} cannot be read ({error}); delete it, and each step finds for itself what is done"
            ) from error

    def has(self, step: Step) -> bool:
        """Whether a step is finished.

        Raises:
            FolderError: its folder holds what is no run of ours.
        """
        entry = self._entries.get(step.text)
        if entry is None or not (entry.has_run and step.folder):
            return entry is not None
        return has_finished_run(step.folder) and not self._is_outdated(step, entry.ended)

    def _is_outdated(self, step: Step, ended: float | None) -> bool:
        """Whether a finished step may have read what is another now: gone, or made after it."""
        if ended is None:
            return False
        for pattern in self._named_by(step):
            there = list(self._out.glob(pattern))
            if not there or max(map(_time_of, there)) > ended:
                return True
        return False

    def _named_by(self, step: Step) -> Iterator[str]:
        """Paths and patterns in the run's folder that a command names, beside its own folder."""
        for word in step.words:
            before, _, path = word.partition(f"{self._out}/")
            is_path = path and (not before or before.endswith("="))  # as compare-arms has them, after a name
            if is_path and self._out / path != step.folder:
                yield path.strip("/")

    def enter(self, step: Step, *, exit_code: int, seconds: float) -> None:
        """Write down that a step came to its end."""
        has_run = step.folder is not None and has_finished_run(step.folder)
        folder = os.path.relpath(step.folder, self._out) if step.folder else None
        entry = Entry(step.text, step.stage, exit_code, round(seconds, 3), has_run, time.time(), folder)
        if folder:  # what a step with another value of a variable had left there is there no more
            self._entries = {text: other for text, other in self._entries.items() if other.folder != folder}
        self._entries[step.text] = entry
        lines = [json.dumps(asdict(entry)) for entry in self._entries.values()]
        write_text(self._file, "\n".join(lines) + "\n")


def _time_of(path: Path) -> float:
    """When a file, or a command's folder as its `run.json` has it, was written."""
    run = path / RUN
    return (run if run.is_file() else path).stat().st_mtime


def has_finished_run(folder: Path) -> bool:
    """Whether a folder's `run.json` says that its run came to its end."""
    run = read_run(folder, or_damaged=True)
    return bool(run and run["finished"])
