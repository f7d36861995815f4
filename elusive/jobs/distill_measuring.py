"""What is measured before and after a retriever learns: hits, answers, and what the indicators say of the reader."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from elusive.config import DistillConfig
from elusive.data.questions import Question
from elusive.distillation.evaluation import CUTS, reading, retrieval
from elusive.distillation.result import After, Before, Gate
from elusive.distillation.retriever import Retriever
from elusive.errors import InputError
from elusive.jobs.distill_data import Questions, n_unanswerable
from elusive.jobs.distill_gate import ReaderJudge
from elusive.jobs.distill_models import Models
from elusive.jobs.sampling import drawn
from elusive.progress import Progress
from elusive.readers.reader import Reader, batches
from elusive.retrieval.index import PassageIndex

_COUNTED_UP_TO: Final = 1_000_000
"""Passages, among which answers are looked for."""


@dataclass(frozen=True)
class Measuring:
    """Measures one run.

    Attributes:
        config: its options.
        models: what it loads.
        progress: where to report.
    """

    config: DistillConfig
    models: Models
    progress: Progress

    def before(self, retriever: Retriever, reader: Reader | None, questions: Questions) -> Before:
        """What is known before the retriever learns.

        Raises:
            ElusiveError: a reader that cannot be seen into, a reference that cannot be loaded.
        """
        return Before(
            gate=self._gate(retriever, reader, questions),
            test=retrieval(retriever.with_passages(questions.test, max(CUTS))).ranks if questions.test else (),
            dev=retrieval(retriever.with_passages(questions.dev, max(CUTS))).ranks,
            answers=self._answers(retriever, reader, questions),
            unanswerable=self._n_unanswerable(retriever.index, questions),
        )

    def after(self, kept: Retriever, reader: Reader | None, questions: Questions) -> After:
        """What is known of the retriever that is kept."""
        test = retrieval(kept.with_passages(questions.test, max(CUTS))).ranks if questions.test else ()
        return After(test=test, answers=self._answers(kept, reader, questions))

    def objection(self, retriever: Retriever, reader: Reader | None, questions: Questions) -> str | None:
        """Why the reader may no longer teach. What is not shown does not end a run that has begun."""
        gate = self._judged(retriever, reader, questions)
        return gate.reason if gate.word == "poor" else None

    def _gate(self, retriever: Retriever, reader: Reader | None, questions: Questions) -> Gate:
        if self.config.mode == "off-the-shelf":
            return Gate(word=None, reason="the reader is trained beside the retriever", passed=True)
        return self._judged(retriever, reader, questions)

    def _judged(self, retriever: Retriever, reader: Reader | None, questions: Questions) -> Gate:
        source = self.models.reader_source
        if reader is None or source is None or self.config.teacher != "attention":
            return Gate(word=None, reason="the indicators say nothing of this teacher", passed=True)
        judge = ReaderJudge(
            reference=self.models.reference_source,
            seed=self.config.seed,
            shuffle_seed=self.models.reader_options.shuffle_seed,
            progress=self.progress,
        )
        asked = retriever.with_passages(
            drawn(questions.dev, self.config.gate_samples, seed=self.config.seed), self.config.k
        )
        return judge.gate(reader, asked, kind=source.kind)

    def _answers(self, retriever: Retriever, reader: Reader | None, questions: Questions) -> tuple[float, float] | None:
        """EM and F1 on dev."""
        if reader is None:
            return None
        asked = retriever.with_passages(questions.dev, self.config.k)
        with self.progress.stage("answer dev questions", total=len(asked), unit="questions") as advance:
            answers = []
            for part in batches(asked, size=self.config.reader_batch):
                answers += own_answers(reader, part)
                advance(len(part))
        found = reading(questions.dev, answers)
        return found.em.mean or 0.0, found.f1.mean or 0.0

    def _n_unanswerable(self, index: PassageIndex, questions: Questions) -> int | None:
        """Of dev; not counted where that would take long."""
        if len(index) > _COUNTED_UP_TO:
            return None
        return n_unanswerable(questions.dev, (index.passage(place) for place in range(len(index))))


def own_answers(reader: Reader, questions: Sequence[Question]) -> list[str]:
    """What a reader answers; nothing, and so nothing right, to a question that it cannot read."""
    try:
        return reader.answers(questions)
    except InputError:
        return [""] if len(questions) == 1 else [own_answers(reader, [question])[0] for question in questions]
