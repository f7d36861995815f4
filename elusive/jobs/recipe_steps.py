"""A recipe's stages written out: every command for every combination of values, checked before the first one runs.

How a command line is read is the caller's to know (`ReadCommand`): jobs do not know the program around them. A check of
some hundred commands takes less than a second, and reads no data and no model.
"""

import itertools
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from elusive.errors import ElusiveError, OptionError
from elusive.jobs.recipe_file import OUT, VARIABLE, Command, Recipe, Stage, Value


class ReadCommand(Protocol):
    """What knows the commands of the program."""

    def __call__(self, words: Sequence[str], *, to_come: Path) -> Path | None:
        """The output folder of a command, None where it has none.

        Args:
            words: the command's name and what follows it.
            to_come: a folder in which earlier commands leave files that this one names, and that are not there yet.

        Raises:
            ElusiveError: it is no command of ours, or its options are not good.
        """
        ...


@dataclass(frozen=True)
class Step:
    """One command of a recipe, as it will be run.

    Attributes:
        number: from 1, in the order of the recipe.
        stage: its name.
        cell: which combination of the stage's values, from 0; its commands follow each other.
        text: the command with all values but the run's folder, which stays `{out}`: so what was finished is known
            wherever the folder lies.
        words: the command's name and what follows it; a value is one word, or part of one, whatever is in it.
        allow: exit codes that are good beside 0.
        folder: the command's own output folder.
    """

    number: int
    stage: str
    cell: int
    text: str
    words: tuple[str, ...]
    allow: tuple[int, ...]
    folder: Path | None = None

    @property
    def shown(self) -> str:
        """The command line, as one would type it."""
        return shlex.join(["elusive", *self.words])


def steps_of(recipe: Recipe, out: Path, *, read: ReadCommand) -> list[Step]:
    """All steps of a recipe, each command checked.

    Args:
        recipe: with the values of its variables.
        out: the run's folder.
        read: what knows the commands.

    Raises:
        OptionError: all faults at once, each with its stage and command.
    """
    faults: dict[str, None] = {}  # in order, and what all cells of a stage have in common once
    steps: list[Step] = []
    for number, (stage, cell, command, values) in enumerate(_written_out(recipe), start=1):
        words = tuple(_filled(word, {**values, OUT: str(out)}) for word in shlex.split(command.run)[1:])
        step = Step(number, stage.name, cell, _filled(command.run, values), words, command.allow)
        try:
            step = replace(step, folder=read(words, to_come=out))
        except ElusiveError as error:
            faults[f"stage {stage.name!r}, {command.run!r}: {error}"] = None
        steps.append(step)
    faults |= dict.fromkeys(_faults_between(steps, out))
    if faults:
        raise OptionError("; ".join(faults))
    return steps


def _written_out(recipe: Recipe) -> Iterator[tuple[Stage, int, Command, Mapping[str, Value]]]:
    for stage in recipe.stages:
        for cell, combination in enumerate(itertools.product(*stage.values.values())):
            values = {**recipe.variables, **dict(zip(stage.values, combination, strict=True))}
            for command in stage.run:
                yield stage, cell, command, values


def _filled(text: str, values: Mapping[str, Value]) -> str:
    """Values in the places of their names."""
    return VARIABLE.sub(lambda match: str(values.get(match[1], match[0])), text)


def _faults_between(steps: Sequence[Step], out: Path) -> Iterator[str]:
    """Steps that would meet in one place, or leave the run's folder."""
    by_text: dict[str, Step] = {}
    by_folder: dict[Path, Step] = {}
    for step in steps:
        where = f"stage {step.stage!r}: {step.text!r}"
        if step.text in by_text:
            yield f"{where} comes twice; name each value of `for` in it"
        elif step.folder is not None:
            if not step.folder.absolute().is_relative_to(out.absolute()):
                yield f"{where} writes to {str(step.folder)!r}, outside of the run's folder; give it --out {{out}}/…"
            elif step.folder in by_folder:
                yield f"{where} writes where {by_folder[step.folder].text!r} does; give it another --out"
            by_folder.setdefault(step.folder, step)
        by_text.setdefault(step.text, step)
