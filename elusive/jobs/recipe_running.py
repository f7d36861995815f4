"""Steps in their order: stages follow each other, cells of a stage run side by side, what is finished is skipped aloud.

A step that fails stops the recipe once the steps beside it have come to their end, since their work is good. Knows
neither YAML nor the command line.
"""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from elusive.errors import ElusiveError
from elusive.jobs.recipe_ledger import Ledger
from elusive.jobs.recipe_processes import EndedError, Processes
from elusive.jobs.recipe_steps import Step
from elusive.progress import Advance, Progress

_LOGS: Final = "logs"
_STOPPED_BY_GATE: Final = 3
_LAST_LINE_LEN: Final = 300


class StepError(ElusiveError):
    """A step of a recipe that failed."""


@dataclass
class Running:
    """The steps of one run.

    Args:
        out: the run's folder, held by this process.
        ledger: of that folder.
        processes: what runs commands.
        total: steps of the recipe.
        progress: where it is told what happens.
        is_live: whether the commands' own output is shown, between a line before each and one after it.
    """

    out: Path
    ledger: Ledger
    processes: Processes
    total: int
    progress: Progress
    is_live: bool
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _failures: list[str] = field(default_factory=list, init=False)
    _times: list[float] = field(default_factory=list, init=False)
    _n_left: int = field(default=0, init=False)

    def all(self, steps: Sequence[Step], *, workers: int) -> int:
        """Run the steps that are not finished.

        Args:
            steps: in their order.
            workers: cells of a stage at work at a time.

        Returns:
            how many were run.

        Raises:
            StepError: one or more failed.
            FolderError: a step's folder holds what is no run of ours.
        """
        self._n_left = sum(not self.ledger.has(step) for step in steps)
        (self.out / _LOGS).mkdir(exist_ok=True)
        n_run = 0
        with self._bar(self._n_left) as advance:
            for _, stage in itertools.groupby(steps, key=lambda step: step.stage):
                # Asked stage by stage: what an earlier one makes anew, a later one has not read.
                todo = [step for step in stage if not self._is_skipped(step)]
                cells = [list(cell) for _, cell in itertools.groupby(todo, key=lambda step: step.cell)]
                self._run_cells(cells, workers=workers, advance=advance)
                n_run += len(todo)
        return n_run

    @contextlib.contextmanager
    def _bar(self, n_steps: int) -> Iterator[Advance]:
        """None among the commands' own output; there the lines between them tell how far it is."""
        if self.is_live or not n_steps:
            yield lambda _: None
        else:
            with self.progress.stage("steps", total=n_steps, unit="steps") as advance:
                yield advance

    def _is_skipped(self, step: Step) -> bool:
        if not self.ledger.has(step):
            return False
        self.progress.say(f"{self._name(step)} was finished before: {step.shown}")
        return True

    def _run_cells(self, cells: Sequence[Sequence[Step]], *, workers: int, advance: Advance) -> None:
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(self._run_cell, cell, advance) for cell in cells]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self.processes.end()  # and the pool waits for them
                raise
        if self._failures:
            raise StepError("; ".join(self._failures))

    def _run_cell(self, cell: Sequence[Step], advance: Advance) -> None:
        for step in cell:
            if self._failures:
                return
            try:
                is_good = self._run_step(step)
            except EndedError:
                return
            if not is_good:
                return
            advance(1)

    def _run_step(self, step: Step) -> bool:
        if self.is_live:
            self.progress.say(f"{self._name(step)}: {step.shown}")
        began = time.monotonic()
        log = self.out / _LOGS / f"{step.number:03d}-{step.stage}.log"
        code = self.processes.run(step.words, log=log)
        seconds = time.monotonic() - began
        with self._lock:
            if code != 0 and code not in step.allow:
                self._failures.append(self._failure(step, code, log))
                if not self.is_live:  # the steps beside it may take hours yet
                    self.progress.say(f"{self._name(step)} failed; what is at work goes on, and nothing more is begun")
                return False
            self.ledger.enter(step, exit_code=code, seconds=seconds)
            self._times.append(seconds)
            self._n_left -= 1
            self._say_done(step, code, seconds)
        return True

    def _say_done(self, step: Step, code: int, seconds: float) -> None:
        ended = f" with exit code {code}, which is allowed," if code else ""
        what = "" if self.is_live else f": {step.shown}"
        left = ""
        if self.is_live and self._n_left > 0:
            mean = sum(self._times) / len(self._times)
            left = f"; {self._n_left} left, about {_time(mean * self._n_left)}"
        self.progress.say(f"{self._name(step)} ended{ended} in {_time(seconds)}{what}{left}")

    def _name(self, step: Step) -> str:
        return f"step {step.number} of {self.total} ({step.stage})"

    def _failure(self, step: Step, code: int, log: Path) -> str:
        why = "a gate said no" if code == _STOPPED_BY_GATE else _last_line(log)
        return (
            f"{self._name(step)} ended with exit code {code} ({why}): {step.shown}; all of it is in {log}; "
            "mend it, and the same command goes on from here"
        )


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").strip().splitlines()
    return lines[-1][:_LAST_LINE_LEN]
