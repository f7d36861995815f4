"""Which steps of a recipe came to their end in a folder: a line for each in `steps.jsonl`, written whole each time.

A step counts as finished if its line is there and the folder that its command made still says so. Safe against a kill:
what a line is missing for is run again, and every command of ours goes on where it was, or finds its work done.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from elusive.data.atomic import write_text
from elusive.data.run_record import read_run
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
    """

    step: str
    stage: str
    exit_code: int
    seconds: float
    has_run: bool


class Ledger:
    """The steps finished in one folder.

    Args:
        out: the run's folder; to be held by one process alone while anything is entered.

    Raises:
        FolderError: its ledger cannot be read.
    """

    def __init__(self, out: Path) -> None:
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
        return has_finished_run(step.folder)

    def enter(self, step: Step, *, exit_code: int, seconds: float) -> None:
        """Write down that a step came to its end."""
        has_run = step.folder is not None and has_finished_run(step.folder)
        entry = Entry(step.text, step.stage, exit_code, round(seconds, 3), has_run)
        self._entries[step.text] = entry
        lines = [json.dumps(asdict(entry)) for entry in self._entries.values()]
        write_text(self._file, "\n".join(lines) + "\n")


def has_finished_run(folder: Path) -> bool:
    """Whether a folder's `run.json` says that its run came to its end."""
    run = read_run(folder, or_damaged=True)
    return bool(run and run["finished"])
