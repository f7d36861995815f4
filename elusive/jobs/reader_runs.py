"""One reader of a run over all its questions, in chunks that are kept: a kill costs the chunk in flight."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from elusive.config import ScoreReaderConfig
from elusive.data.questions import Question
from elusive.errors import InputError
from elusive.indicators.examples import ReaderExamples
from elusive.indicators.readings import Measure
from elusive.indicators.verdict import INDICATORS
from elusive.jobs.reader_sources import ReaderSource
from elusive.jobs.reading import ReadChunk, Reading
from elusive.jobs.readings_store import ReadingsStore
from elusive.models import free_memory
from elusive.progress import Progress
from elusive.readers.reader import Reader, batches

CHUNK: Final = 32
"""Questions of a chunk."""

_N_PROMPTS: Final = 3


def measures_of(config: ScoreReaderConfig) -> list[Measure]:
    """Both indicators at all percentiles, 90 and 95 among them."""
    percentiles = sorted({90.0, 95.0, *config.percentile})
    return [Measure(target, percentile) for target in INDICATORS for percentile in percentiles]


@dataclass(frozen=True)
class ReaderRun:
    """A reader, and how it is measured.

    Attributes:
        source: the reader.
        config: the options of the run.
        progress: where to report.
    """

    source: ReaderSource
    config: ScoreReaderConfig
    progress: Progress

    @cached_property
    def reading(self) -> Reading:
        """How its scores become figures."""
        config = self.config
        generated = config.rows == "generated"
        return Reading(
            measures=measures_of(config),
            nouns=config.nouns,
            own_answers=config.exact_match and not generated,
            rows_are_its_own=generated,
            shuffle_seed=self.source.options.shuffle_seed if self.source.kind == "decoder-only" else None,
            batch_size=config.batch_size,
        )

    @cached_property
    def store(self) -> ReadingsStore:
        """Its readings under these options."""
        key = {
            **self.source.key,
            "nouns": self.config.nouns,
            "measures": [str(measure) for measure in self.reading.measures],
            "own_answers": self.reading.own_answers,
        }
        folder = Path(self.config.readings or Path(self.config.out) / "readings")
        return ReadingsStore(folder, key, on_damage=self.progress.say)

    def examples(self, questions: Sequence[Question]) -> ReaderExamples:
        """What it made of the questions, read now or before.

        Raises:
            InputError: it could read none of them.
            ElusiveError: a reader that cannot be loaded or seen into, a store that cannot be written.
        """
        chunks: list[ReadChunk] = []
        reader: Reader | None = None
        with self.progress.stage(f"read with {self.source.name}", total=len(questions), unit="questions") as advance:
            for part in batches(questions, size=CHUNK):
                chunk = self.store.get(part)
                if chunk is None:
                    reader = reader or self.load()
                    chunk = self.reading.read(reader, part)
                    self.store.add(part, chunk)
                chunks.append(chunk)
                advance(len(part))
        found = self._joined(chunks)
        if not found.examples:
            raise InputError(f"{self.source.name} can read none of the questions: {next(iter(found.unread.values()))}")
        return found

    def missing(self, questions: Sequence[Question]) -> list[Question]:
        """Those that have yet to be read."""
        return [q for part in batches(questions, size=CHUNK) if self.store.get(part) is None for q in part]

    def load(self) -> Reader:
        """The reader, on its device."""
        free_memory()  # nothing holds the reader before it any more, and this one needs the place
        self.progress.say(f"loading {self.source.name}")
        return self.source.load()

    def _joined(self, chunks: Sequence[ReadChunk]) -> ReaderExamples:
        examples = tuple(example for chunk in chunks for example in chunk.examples)
        sums = np.array([chunk.head_lifts for chunk in chunks if chunk.head_lifts])
        means = sums.sum(0) / len(examples) if len(sums) else sums
        return ReaderExamples(
            reader=self.source.name,
            kind=self.source.kind,
            examples=examples,
            unread={id_: why for chunk in chunks for id_, why in chunk.unread.items()},
            head_lifts=tuple(map(tuple, means.tolist())),
            prompts=tuple(prompt for chunk in chunks for prompt in chunk.prompts)[:_N_PROMPTS],
        )
