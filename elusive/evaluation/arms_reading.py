"""Arms from folders of `elusive evaluate`: an arm's folders in the order of their names are its seeds.

The n-th folder of every arm must hold the same questions in the same order, since differences are taken question by
question. Holds all answers in memory: some 1 kB for each.
"""

import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from elusive.data.run_record import RUN
from elusive.data.sealed import is_unchanged, read_sealed
from elusive.errors import InputError
from elusive.evaluation.arms_training import Training, training_of
from elusive.evaluation.result import ANSWERS, Answer, read_answers


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A finished folder of `elusive evaluate`.

    Attributes:
        folder: where it is.
        name: the folder, below what all compared folders have in common.
        answers: in order.
        perplexities: on other texts, by name.
        options: of the run.
        training: of its model, as far as it is known.
        leaked: questions that stand in what its model was trained on; None where that is not known.
    """

    folder: Path
    name: str
    answers: tuple[Answer, ...]
    perplexities: Mapping[str, float]
    options: Mapping[str, Any]
    training: Training
    leaked: int | None = None


@dataclass(frozen=True)
class Arm:
    """What was done in one way, once for each seed."""

    name: str
    evaluations: tuple[Evaluation, ...]


def read_arms(patterns: Mapping[str, str]) -> tuple[Arm, ...]:
    """Arms whose n-th evaluations have the same questions.

    Args:
        patterns: of folders, by the name of the arm.

    Raises:
        InputError: a pattern without a folder, a folder that is no finished evaluation, or is given twice, arms with
            different numbers of seeds, or a seed with different questions.
    """
    folders = {name: _folders(name, pattern) for name, pattern in patterns.items()}
    _check_distinct(folders)
    _check_as_many(folders)
    common = os.path.commonpath([folder.absolute().parent for found in folders.values() for folder in found])
    arms = tuple(
        Arm(name, tuple(_read(folder, os.path.relpath(folder, common)) for folder in found))
        for name, found in folders.items()
    )
    for arm in arms[1:]:
        for seed, (first, other) in enumerate(zip(arms[0].evaluations, arm.evaluations, strict=True), 1):
            _check_same_questions(seed, first, other)
    return arms


def _folders(name: str, pattern: str) -> list[Path]:
    found = glob.glob(str(Path(pattern).expanduser()), recursive=True)  # noqa: PTH207 (a Path's pattern is relative)
    folders = [Path(path) for path in sorted(found) if Path(path).is_dir()]
    if not folders:
        raise InputError(f"arm {name!r}: no folder matches {pattern!r}; expected folders of elusive evaluate")
    return folders


def _check_distinct(folders: Mapping[str, Sequence[Path]]) -> None:
    owners: dict[Path, str] = {}
    for name, found in folders.items():
        for folder in found:
            owner = owners.setdefault(folder.resolve(), name)
            if owner != name:
                raise InputError(f"{folder} is in arm {owner!r} and in arm {name!r}; expected each folder in one arm")
        if len({folder.resolve() for folder in found}) < len(found):
            raise InputError(f"arm {name!r} has a folder twice, by a link or a repeated **; expected each folder once")


def _check_as_many(folders: Mapping[str, Sequence[Path]]) -> None:
    if len({len(found) for found in folders.values()}) > 1:
        counts = ", ".join(f"{name!r} {len(found)}" for name, found in folders.items())
        raise InputError(
            f"arms have different numbers of seeds ({counts}); expected a folder for each seed in each arm"
        )


def _check_same_questions(seed: int, first: Evaluation, other: Evaluation) -> None:
    for number, (one, two) in enumerate(zip_longest(first.answers, other.answers), 1):
        if one is None or two is None or (one.id, one.question) != (two.id, two.question):
            raise InputError(
                f"seed {seed}: question {number} is {_shown(one)} in {first.folder} and {_shown(two)} in "
                f"{other.folder}; expected the same questions in each arm"
            )


def _shown(answer: Answer | None) -> str:
    return "missing" if answer is None else f"{answer.id!r} ({answer.question!r})"


def _read(folder: Path, name: str) -> Evaluation:
    try:
        run = read_sealed(folder / RUN)
    except (OSError, ValueError) as error:
        raise _no_evaluation(folder, f"{RUN}: {error}") from None
    if not run.get("finished"):
        raise _no_evaluation(folder, "it was not finished; run the same command again")
    seal = run["files"].get(ANSWERS)
    if seal is None or not is_unchanged(folder / ANSWERS, seal):
        raise _no_evaluation(folder, f"{ANSWERS} is missing, or not as that run wrote it")
    forgetting, leaks = (run["result"].get(name) or {} for name in ("forgetting", "leaks"))
    return Evaluation(
        folder=folder,
        name=name,
        answers=_read_answers(folder / ANSWERS),
        perplexities={text: found["perplexity"] for text, found in forgetting.items()},
        options=run["options"],
        training=training_of(run["options"]),
        leaked=leaks.get("leaked"),
    )


def _read_answers(file: Path) -> tuple[Answer, ...]:
    try:
        return read_answers(file)
    except ValueError:
        raise _no_evaluation(file.parent, f"{ANSWERS} holds a row that is no answer") from None


def _no_evaluation(folder: Path, why: str) -> InputError:
    return InputError(f"{folder} is no finished evaluation ({why}); expected a folder of elusive evaluate")
