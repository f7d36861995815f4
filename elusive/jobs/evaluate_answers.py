"""A model's answers to the questions of an evaluation: closed-book, or from the passages that came with them.

They are kept a chunk at a time, in the order in which they are asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elusive.config import EvaluateConfig
from elusive.data.questions import Question
from elusive.errors import InputError
from elusive.evaluation.biographies import FieldQuestion
from elusive.evaluation.closed_book import ClosedBook, longest_first
from elusive.evaluation.open_book import is_cut
from elusive.evaluation.shots import ShotDraw
from elusive.jobs.kept_chunks import KeptChunks
from elusive.progress import Progress
from elusive.readers.reader import Reader, batches

_BATCHES: Final = 4
"""Of a chunk."""


@dataclass(frozen=True)
class Predictions:
    """What a model answered.

    Attributes:
        texts: to each question; None where no model was asked.
        truncated: questions whose passages were cut to fit; None where none were read.
        unreadable: questions that do not fit even so, to which nothing is answered; None likewise.
    """

    texts: Sequence[str | None]
    truncated: int | None = None
    unreadable: int | None = None


@dataclass(frozen=True)
class Answering:
    """How questions are answered.

    Attributes:
        config: the options.
        kept: where chunks are kept.
        progress: where to report.
    """

    config: EvaluateConfig
    kept: KeptChunks
    progress: Progress

    def closed_book(self, reader: Reader, questions: Sequence[FieldQuestion], shots: ShotDraw) -> list[str]:
        """What the model writes after each prompt.

        Raises:
            InputError: a prompt does not fit, or there are too few examples for the shots.
        """
        closed = ClosedBook(reader, self.config.max_new_tokens)
        prompts = prompts_of(closed, questions, shots, self.progress)
        warn_of_cuts(closed, questions, self.progress)
        order = longest_first(prompts)
        found = [""] * len(prompts)
        with self.progress.stage("answer", total=len(order), unit="questions") as advance:
            for number, places in enumerate(batches(order, size=self._chunk)):
                chunk = [prompts[place] for place in places]
                answers = self.kept.get_or_make(
                    number, partial(self._answers, closed, chunk), of=[questions[place].question.id for place in places]
                )
                for place, answer in zip(places, answers, strict=True):
                    found[place] = answer
                advance(len(places))
        return found

    def open_book(self, reader: Reader, questions: Sequence[FieldQuestion]) -> Predictions:
        """What the model answers from the first passages of each question; nothing to one that it cannot read."""
        first = [replace(one.question, passages=one.question.passages[: self.config.reader_k]) for one in questions]
        found: list[str | None] = []
        with self.progress.stage("answer from passages", total=len(first), unit="questions") as advance:
            for number, chunk in enumerate(batches(first, size=self._chunk)):
                found += self.kept.get_or_make(
                    number, partial(_read, reader, chunk), of=[question.id for question in chunk]
                )
                advance(len(chunk))
        config, n_unreadable = self.config, found.count(None)
        n_cut = sum(
            is_cut(reader, question, max_new_tokens=config.max_new_tokens, shuffle_seed=config.seed)
            for question, answer in zip(first, found, strict=True)
            if answer is not None
        )
        if n_cut or n_unreadable:
            self.progress.say(
                f"warning: of the {len(first):,} questions, {n_cut:,} had passages cut to fit {reader.name}, and "
                f"{n_unreadable:,} had no room in it at all and no answer; fewer (--reader-k) or shorter passages fit"
            )
        return Predictions([answer or "" for answer in found], truncated=n_cut, unreadable=n_unreadable)

    @property
    def _chunk(self) -> int:
        return _BATCHES * self.config.batch_size

    def _answers(self, closed: ClosedBook, prompts: Sequence[NDArray[np.int64]]) -> list[str]:
        found: list[str] = []
        for batch in batches(prompts, size=self.config.batch_size):
            found += closed.answers(batch)
        return found


def prompts_of(
    closed: ClosedBook, questions: Sequence[FieldQuestion], shots: ShotDraw, progress: Progress
) -> list[NDArray[np.int64]]:
    """The tokens of each question's prompt.

    Raises:
        InputError: a prompt does not fit, or there are too few examples for the shots.
    """
    found = []
    with progress.stage("make prompts", total=len(questions), unit="questions") as advance:
        for one in questions:
            found.append(closed.tokens(one.question, shots.of(one)))
            advance(1)
    return found


def warn_of_cuts(closed: ClosedBook, questions: Sequence[FieldQuestion], progress: Progress) -> None:
    """Say how many questions have no answer that is short enough to be written."""
    n_cut = sum(not closed.has_room_for(one.question.answers) for one in questions)
    if n_cut:
        progress.say(
            f"warning: all answers of {n_cut:,} of the {len(questions):,} questions are longer than "
            f"{closed.max_new_tokens} tokens, and what the model writes is cut there; raise --max-new-tokens"
        )


def _read(reader: Reader, questions: Sequence[Question]) -> list[str | None]:
    """What a reader answers; None to a question that it cannot read."""
    try:
        return list(reader.answers(questions))
    except InputError:
        return [None] if len(questions) == 1 else [_read(reader, [question])[0] for question in questions]
