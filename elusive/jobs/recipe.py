"""The work of `elusive recipes`: what a run would do, and the run.

A run holds its folder, `OUT`, and leaves there the folders of its commands, `steps.jsonl` and `logs/`. Everything else
is the commands' own: a recipe adds nothing to what they can do by themselves.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from elusive.data.folder_lock import locked
from elusive.errors import OptionError, near_matches
from elusive.jobs.recipe_file import Recipe
from elusive.jobs.recipe_ledger import Ledger
from elusive.jobs.recipe_processes import Processes
from elusive.jobs.recipe_running import Running
from elusive.jobs.recipe_steps import ReadCommand, Step, steps_of
from elusive.progress import Progress


@dataclass(frozen=True)
class PlannedStep:
    """A step, as it will be run: `command` is what one would type."""

    number: int
    stage: str
    command: str
    is_finished: bool


@dataclass(frozen=True)
class RecipeResult:
    """What a run came to.

    Attributes:
        out: its folder.
        steps: of the recipe, or of the one stage.
        ran: of these, in this run.
        seconds: of this run.
    """

    out: str
    steps: int
    ran: int
    seconds: float


def plan(recipe: Recipe, out: Path, *, read: ReadCommand, only: str | None = None) -> list[PlannedStep]:
    """What a run in `out` would do; reads only.

    Raises:
        OptionError: faults of commands, all at once, or no such stage.
        FolderError: what lies in the folder cannot be read.
    """
    steps = _chosen(steps_of(recipe, out, read=read), only)
    ledger = Ledger(out)
    return [PlannedStep(step.number, step.stage, step.shown, ledger.has(step)) for step in steps]


def run(
    recipe: Recipe,
    out: Path,
    *,
    read: ReadCommand,
    only: str | None = None,
    workers: int = 1,
    relay: Callable[[bytes], object],
    progress: Progress,
) -> RecipeResult:
    """Run what is not finished.

    Args:
        recipe: with the values of its variables.
        out: the run's folder.
        read: what knows the commands.
        only: the one stage to run.
        workers: cells of a stage at work at a time, which then share the processor's cores.
        relay: called with what the commands write, where one runs at a time.
        progress: where it is told what happens.

    Raises:
        OptionError: faults of commands, all at once, or no such stage; nothing was run.
        FolderError: another process runs a recipe in the folder, or it, or a step's own folder, cannot be written or
            read.
        StepError: a step failed.
    """
    began = time.monotonic()
    every = steps_of(recipe, out, read=read)
    steps = _chosen(every, only)
    side_by_side = workers > 1
    processes = Processes(
        _share_of_cores(workers) if side_by_side else {}, relay=(lambda _: None) if side_by_side else relay
    )
    with locked(out):
        running = Running(out, Ledger(out), processes, len(every), progress, is_live=not side_by_side)
        ran = running.all(steps, workers=workers)
    return RecipeResult(str(out), len(steps), ran, time.monotonic() - began)


def _chosen(steps: Sequence[Step], only: str | None) -> list[Step]:
    stages = list(dict.fromkeys(step.stage for step in steps))
    if only is not None and only not in stages:
        raise OptionError(f"the recipe has no stage {only!r}{near_matches(only, stages)}")
    return [step for step in steps if only in (None, step.stage)]


def _share_of_cores(workers: int) -> dict[str, str]:
    """So that commands side by side do not take the cores from each other, which costs far more than it brings."""
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    return {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
