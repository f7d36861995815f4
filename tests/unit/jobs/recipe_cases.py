"""Recipes whose commands are a program of a few lines, so that the engine is tested without any job of ours."""

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from elusive.errors import OptionError
from elusive.jobs import recipe as job
from elusive.jobs import recipe_processes
from elusive.jobs.recipe import RecipeResult
from elusive.jobs.recipe_file import Recipe, load_recipe
from elusive.progress import Bars

PROGRAM = """
import os, pathlib, sys, time

what, *values = sys.argv[1:]
if what == "write":  # FILE, WORDS
    pathlib.Path(values[0]).write_text(values[1])
if what == "threads":  # FILE
    pathlib.Path(values[0]).write_text(os.environ["OMP_NUM_THREADS"])
if what == "fail-without":  # FILE CODE
    print("first words", "last words", sep="\\n", file=sys.stderr)
    sys.exit(0 if pathlib.Path(values[0]).exists() else int(values[1]))
if what == "meet":  # OWN OTHER: ends when the other one is there too
    pathlib.Path(values[0]).touch()
    deadline = time.monotonic() + 60
    while not pathlib.Path(values[1]).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    sys.exit(not pathlib.Path(values[1]).exists())
"""
COMMANDS = ("write", "threads", "meet", "fail-without")
HEAD = {
    "title": "A trial",
    "about": "Of the engine.",
    "command": "elusive recipes run trial",
    "hardware": "any",
    "time": "a second",
    "expected": "files",
}


def read(words: Sequence[str], *, to_come: Path) -> Path | None:
    """The program's commands; `--out FOLDER` at the end of one is its folder."""
    if words[0] not in COMMANDS:
        raise OptionError(f"there is no command {words[0]!r}")
    return Path(words[-1]) if "--out" in words else None


def written(folder: Path, *stages: dict, **head: object) -> Path:
    """A recipe's file."""
    file = folder / "trial.yaml"
    file.write_text(yaml.safe_dump({**HEAD, **head, "stages": list(stages)}), encoding="utf-8")
    return file


def made(folder: Path, *stages: dict, **head: object) -> Recipe:
    return load_recipe(written(folder, *stages, **head))


def run(recipe: Recipe, out: Path, **options: object) -> RecipeResult:
    return job.run(recipe, out, **{"read": read, "relay": lambda _: None, "progress": Bars(quiet=True)} | options)


def use_program() -> None:
    """From now on in this process, a step is the program above."""
    recipe_processes._PROGRAM = (sys.executable, "-S", "-c", PROGRAM)
