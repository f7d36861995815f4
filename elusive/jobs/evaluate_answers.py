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
from elusive.evaluation.biographies import FieldQuestion
from elusive.evaluation.closed_book import ClosedBook
from elusive.evaluation.shots import ShotDraw
from elusive.jobs.distill_measuring import own_answers
from elusive.jobs.kept_chunks import KeptChunks
from elusive.progress import Progress
from elusive.readers.reader import Reader, batches

_BATCHES: Final = 4
"""Of a chunk."""


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
        prompts = self.prompts(closed, questions, shots)
        n_cut = sum(not closed.has_room_for(one.question.answers) for one in questions)
        if n_cut:
            self.progress.say(
                f"warning: all answers of {n_cut:,} of the {len(questions):,} questions are longer than "
                f"{closed.max_new_tokens} tokens, and what the model writes is cut there; raise --max-new-tokens"
            )
        # Prompts of like length share a batch, the longest first: what does not fit into memory shows at once.
        order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
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

    def prompts(
        self, closed: ClosedBook, questions: Sequence[FieldQuestion], shots: ShotDraw
    ) -> list[NDArray[np.int64]]:
        """The tokens of each question's prompt.

        Raises:
            InputError: as `closed_book`.
        """
        found = []
        with self.progress.stage("make prompts", total=len(questions), unit="questions") as advance:
            for one in questions:
                found.append(closed.tokens(one.question, shots.of(one)))
                advance(1)
        return found

    def open_book(self, reader: Reader, questions: Sequence[FieldQuestion]) -> list[str]:
        """What the model answers from the first passages of each question; nothing to one that it cannot read."""
        first = [replace(one.question, passages=one.question.passages[: self.config.reader_k]) for one in questions]
        found: list[str] = []
        with self.progress.stage("answer from passages", total=len(first), unit="questions") as advance:
            for number, chunk in enumerate(batches(first, size=self._chunk)):
                found += self.kept.get_or_make(
                    number, partial(own_answers, reader, chunk), of=[question.id for question in chunk]
                )
                advance(len(chunk))
        return found

    @property
    def _chunk(self) -> int:
        return _BATCHES * self.config.batch_size

    def _answers(self, closed: ClosedBook, prompts: Sequence[NDArray[np.int64]]) -> list[str]:
        found: list[str] = []
        for batch in batches(prompts, size=self.config.batch_size):
            found += closed.answers(batch)
        return found
