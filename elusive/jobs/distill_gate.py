"""The gate before the retriever learns: the reader judged on dev questions with the passages that it would teach on."""

from collections.abc import Sequence
from dataclasses import dataclass

from elusive.data.questions import Question
from elusive.distillation.gate import reader_gate
from elusive.distillation.result import Gate
from elusive.indicators.examples import ReaderExamples
from elusive.indicators.readings import ReaderKind, ReaderReadings
from elusive.indicators.verdict import INDICATORS, verdict
from elusive.jobs.reader_sources import ReaderSource
from elusive.jobs.reading import Reading
from elusive.models import free_memory
from elusive.progress import Progress
from elusive.readers.reader import Reader, batches

_CHUNK = 32
_MEASURE = INDICATORS["answer"]


@dataclass(frozen=True, kw_only=True)
class ReaderJudge:
    """Judges a reader by indicator 1.

    Attributes:
        reference: what it is compared with; None where there is nothing.
        seed: of the intervals.
        shuffle_seed: of the order in which readers see passages.
        progress: where to report.
    """

    reference: ReaderSource | None
    seed: int
    shuffle_seed: int | None
    progress: Progress

    def gate(self, reader: Reader, questions: Sequence[Question], *, kind: ReaderKind) -> Gate:
        """Whether the reader may teach.

        Args:
            reader: in memory, and so is the reference for a while.
            questions: each with its passages.
            kind: of the reader.

        Raises:
            ElusiveError: a reader that cannot be seen into, a reference that cannot be loaded.
        """
        readings = self._readings(reader, questions, kind=kind)
        reference = None
        if self.reference:
            self.progress.say(f"loading {self.reference.name}, the reference")
            reference = self._readings(self.reference.load(), questions, kind=self.reference.kind)
            free_memory()
        found = verdict(readings, reference, target="answer", seed=self.seed)
        decision = reader_gate(found)
        return Gate(word=found.word, reason=decision.reason, passed=decision.go)

    def _readings(self, reader: Reader, questions: Sequence[Question], *, kind: ReaderKind) -> ReaderReadings:
        how = Reading(
            measures=[_MEASURE],
            nouns="textblob",
            own_answers=False,
            rows_are_its_own=False,
            shuffle_seed=self.shuffle_seed if kind == "decoder-only" else None,
            batch_size=_CHUNK,
        )
        chunks = []
        with self.progress.stage("judge the reader", total=len(questions), unit="questions") as advance:
            for part in batches(questions, size=_CHUNK):
                chunks.append(how.read(reader, part))
                advance(len(part))
        examples = ReaderExamples(
            reader=reader.name,
            kind=kind,
            examples=tuple(example for chunk in chunks for example in chunk.examples),
            unread={},
            head_lifts=(),
            prompts=(),
        )
        return examples.readings_of([_MEASURE])
