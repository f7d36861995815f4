"""`score-reader --dry-run`: what a run would read and cost.

Draws the questions and reads a batch of them with each reader, which is loaded for it; leaves nothing behind.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elusive.config import ScoreReaderConfig
from elusive.data.questions import Question
from elusive.data.run_folder import check_free
from elusive.jobs.asking import ask
from elusive.jobs.memory import MemoryGauge
from elusive.jobs.reader_runs import ReaderRun
from elusive.jobs.reader_sources import checked_sources
from elusive.jobs.score_reader import PRODUCTS, recorded_options
from elusive.jobs.tolerance import tolerating
from elusive.metrics import has_answer
from elusive.progress import Progress


@dataclass(frozen=True, kw_only=True)
class ReaderPlan:
    """What reading with one reader would take.

    Attributes:
        name, kind: of the reader.
        to_read: questions that the readings store does not hold.
        tokens: that it would read for them, from a batch.
        seconds: from that batch's speed; the loading included.
        peak_bytes: largest memory that the reader and the batch took.
    """

    name: str
    kind: str
    to_read: int
    tokens: int
    seconds: float
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class ScoreReaderPlan:
    """What a run would do.

    Attributes:
        questions: of the data that can be asked.
        samples: drawn from them.
        passages: of these.
        hits: samples with an answer in a passage.
        rejected: rows set aside.
        readers: the reference last.
        left_out: readers that cannot be used, and why.
        options: all of them.
    """

    questions: int
    samples: int
    passages: int
    hits: int
    rejected: int
    readers: tuple[ReaderPlan, ...]
    left_out: Mapping[str, str]
    options: Mapping[str, Any]


def plan_score_reader(config: ScoreReaderConfig, *, overwrite: bool = False, progress: Progress) -> ScoreReaderPlan:
    """The plan of `score_reader` under these options.

    Raises:
        ElusiveError: whatever the run itself would refuse at its start.
    """
    sources = checked_sources(config, progress=progress)
    check_free(Path(config.out), recorded_options(config, sources), products=PRODUCTS, overwrite=overwrite)
    with tempfile.TemporaryDirectory() as temporary:
        asked = ask(config, Path(temporary), record=Path(temporary) / "record.json", progress=progress)
    readers = []
    for source in sources.usable:
        with tolerating(source.name, sources.faults, key=source.name, progress=progress):
            readers.append(_reader_plan(ReaderRun(source, config, progress), asked.questions))
    sources.require_one()
    return ScoreReaderPlan(
        questions=asked.n_questions,
        samples=len(asked.questions),
        passages=sum(len(question.passages) for question in asked.questions),
        hits=sum(any(has_answer(p.text, q.answers) for p in q.passages) for q in asked.questions),
        rejected=sum(asked.rejected.values()),
        readers=tuple(readers),
        left_out=sources.faults,
        options=config.model_dump(mode="json"),
    )


def _reader_plan(run: ReaderRun, questions: Sequence[Question]) -> ReaderPlan:
    name, kind = run.source.name, run.source.kind
    missing = run.missing(questions)
    if not missing:
        return ReaderPlan(name=name, kind=kind, to_read=0, tokens=0, seconds=0.0, peak_bytes=0)
    gauge = MemoryGauge()
    start = time.perf_counter()
    reader = run.load()
    run.reading.read(reader, missing[:1])  # the first pass pays for what later ones find ready
    loaded = time.perf_counter()
    batch = missing[: run.config.batch_size]
    chunk = run.reading.read(reader, batch)
    read = time.perf_counter()
    share = len(missing) / len(batch)
    return ReaderPlan(
        name=name,
        kind=kind,
        to_read=len(missing),
        tokens=round(sum(example.n_tokens for example in chunk.examples) * share),
        seconds=loaded - start + (read - loaded) * share,
        peak_bytes=gauge.peak_bytes,
    )
