"""`elusive score-reader`: whether readers' attention is fit to teach a retriever, before anybody spends days on it.

    look      at every reader's config and tokenizer
    ask       draw the questions, each with its passages: one fixed set
    read      them with each reader, one in memory at a time, into the readings store
    judge     by both indicators, against the reference, and rank
    report    `report.html`, the page to look at
    finish    `examples.jsonl` and `run.json`

Every stage goes on where an earlier run was stopped. A reader that cannot be used is left out, and the others go on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from elusive.config import READER_NEUTRAL_OPTIONS, ScoreReaderConfig, build
from elusive.data.atomic import write_text
from elusive.data.run_folder import RunFolder, open_run
from elusive.data.sealed import write_sealed
from elusive.errors import InputError
from elusive.indicators.examples import ReaderExamples
from elusive.indicators.judged import JudgedReader, judge
from elusive.indicators.ranking import Difference, Ranking, ranking
from elusive.indicators.verdict import INDICATORS
from elusive.jobs.asking import QUESTIONS, REJECTED, Asked, ask
from elusive.jobs.reader_runs import ReaderRun, measures_of
from elusive.jobs.reader_sources import Sources, checked_sources
from elusive.jobs.readings_store import strict_json
from elusive.jobs.record import FileStates, file_states, peak_bytes, versions
from elusive.jobs.shown_names import ShownNames
from elusive.jobs.timing import timed
from elusive.jobs.tolerance import tolerating
from elusive.progress import Bars, Progress
from elusive.report.score_reader_page import score_reader_page
from elusive.unspaced import n_unspaced

EXAMPLES: Final = "examples.jsonl"
PRODUCTS: Final = (QUESTIONS, REJECTED, EXAMPLES, "report.html")
ROWS_VERSION: Final = 1
"""To be raised when the same options and readings would give other figures than before."""


@dataclass(frozen=True, kw_only=True)
class ScoreReaderResult:
    """What was found of the readers.

    Attributes:
        readers: measured and judged, in the order given, the reference last.
        ranking: their names, the highest lift of the answer's tokens (p95) first.
        differences: between each two, paired over the examples that all have read.
        left_out: readers that could not be used, and why.
        questions: of the data that could be asked.
        samples: drawn from them.
        rejected: rows set aside.
        seconds: per stage of this call.
        peak_bytes: largest resident memory of the process.
        already_done: the folder held this very run, and nothing was computed.
        out: the folder.
        unspaced: of the sample, questions with answers in a script without spaces between words (`elusive.unspaced`).
    """

    readers: tuple[JudgedReader, ...]
    ranking: tuple[str, ...]
    differences: tuple[Difference, ...]
    left_out: Mapping[str, str]
    questions: int
    samples: int
    rejected: int
    seconds: Mapping[str, float]
    peak_bytes: int
    already_done: bool = False
    out: str
    unspaced: int = 0

    @property
    def has_good(self) -> bool:
        """Whether any reader's verdict is good."""
        return any(reader.verdict == "good" for reader in self.readers)


def score_reader(
    data: str | Path = "sample:miniature-dev",
    *,
    reader: str | Sequence[str] = (),
    reference: str | None = None,
    out: str | Path = "scored-readers",
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> ScoreReaderResult:
    """Judge whether readers' attention is fit to teach a retriever.

    The same call with the same options and folder goes on where an earlier one was stopped.

    Args:
        data: questions with their answers (`elusive.data.question_files.read_questions`).
        reader: one reader or several: folders or Hub names; the tiny ones unless told.
        reference: the checkpoint before tuning.
        out: the output folder.
        overwrite: start anew in a folder that holds another run; its readings are kept.
        progress: where to report; bars on stderr by default.
        **options: the fields of `elusive.config.ScoreReaderConfig`, which are the command's options.

    Raises:
        ElusiveError: anything that the user can mend, in one line.
    """
    names = {"data": str(data), "reader": reader, "reference": reference, "out": str(out)}
    return run(build(ScoreReaderConfig, names | options), overwrite=overwrite, progress=progress or Bars())


def run(config: ScoreReaderConfig, *, overwrite: bool = False, progress: Progress) -> ScoreReaderResult:
    """`score_reader` from validated options."""
    sources = checked_sources(config, progress=progress)
    options = recorded_options(config, sources)
    with open_run(Path(config.out), options, products=PRODUCTS, overwrite=overwrite) as folder:
        if folder.finished:
            progress.say(f"{config.out} already holds this run, finished; nothing to do (--overwrite starts anew)")
            before = TypeAdapter(ScoreReaderResult).validate_python(folder.finished["result"])
            return replace(before, already_done=True, out=config.out)
        return _Run(config, folder, sources, progress).to_the_end()


def recorded_options(config: ScoreReaderConfig, sources: Sources) -> dict[str, Any]:
    """What decides a run's files: the options, and the state of the things they name."""
    recorded = config.model_dump(mode="json", exclude=set(READER_NEUTRAL_OPTIONS))
    return recorded | {
        "rows_version": ROWS_VERSION,
        "keys": {source.name: source.key for source in sources.usable},
        **_states(config),
    }


def _states(config: ScoreReaderConfig) -> dict[str, FileStates]:
    """Of the files that questions and passages are read from."""
    read = {"data": config.data, "passages": config.passages}
    return {
        f"{name}_files": file_states(source, what=f"--{name} folder", outputs=(config.out, config.readings))
        for name, source in read.items()
        if source
    }


@dataclass
class _Run:
    """One run in its folder."""

    config: ScoreReaderConfig
    folder: RunFolder
    sources: Sources
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    def to_the_end(self) -> ScoreReaderResult:
        config = self.config
        with timed(self.seconds, "questions"):
            asked = ask(
                config,
                self.folder.path,
                record=self._part("questions"),
                check_source=self._require_rest,
                progress=self.progress,
            )
        examples = self._read(asked)
        with timed(self.seconds, "judge"):
            judged, ranked = self._judge(examples)
        with timed(self.seconds, "report"):
            self._report(asked, examples, judged, ranked)
        return self._finish(asked, examples, judged, ranked)

    def _part(self, name: str) -> Path:
        """The record of something written, which `finish` collects."""
        return self.folder.work / "parts" / f"{name}.json"

    def _require_rest(self) -> None:
        """Half of one file and half of another would be neither."""
        for name, state in _states(self.config).items():
            if state != self.folder.options[name]:
                changed = getattr(self.config, name.removesuffix("_files"))
                raise InputError(f"{changed} changed while it was read; run the same command again when it is at rest")

    def _read(self, asked: Asked) -> list[ReaderExamples]:
        found, faults = [], self.sources.faults
        for source in self.sources.usable:
            with (
                timed(self.seconds, f"read with {source.name}"),
                tolerating(source.name, faults, key=source.name, progress=self.progress),
            ):
                found.append(ReaderRun(source, self.config, self.progress).examples(asked.questions))
        self.sources.require_one()
        return found

    def _judge(self, examples: Sequence[ReaderExamples]) -> tuple[tuple[JudgedReader, ...], Ranking]:
        reference = self.sources.reference
        judged = judge(
            examples,
            reference=reference.name if reference else None,
            measures=measures_of(self.config),
            seed=self.config.seed,
        )
        readings = [one.readings_of([INDICATORS["answer"]]) for one in examples]
        if not frozenset.intersection(*(one.examples for one in readings)):
            counts = ", ".join(f"{one.reader} {len(one.examples):,}" for one in readings)
            raise InputError(f"no question was read by all readers ({counts}), so none can be compared; leave one out")
        return judged, ranking(readings, seed=self.config.seed)

    def _report(
        self, asked: Asked, examples: Sequence[ReaderExamples], judged: Sequence[JudgedReader], ranked: Ranking
    ) -> None:
        shown = ShownNames(self.config, self.sources)
        page = score_reader_page(
            shown.config,
            readers=[shown.judged(one) for one in judged],
            examples=[shown.examples(one) for one in examples],
            ranking=shown.ranking(ranked),
            left_out=shown.left_out,
            n_questions=asked.n_questions,
            rejected=self.folder.path / REJECTED,
            rejected_counts=asked.rejected,
            root=Path(self.config.data),
            fingerprints={shown.names[source.name]: source.fingerprint for source in self.sources.usable}
            | {"the sample and its passages": asked.fingerprint},
            versions=versions(),
        )
        write_text(self.folder.path / "report.html", page)

    def _finish(
        self, asked: Asked, examples: Sequence[ReaderExamples], judged: tuple[JudgedReader, ...], ranked: Ranking
    ) -> ScoreReaderResult:
        rows = ({"reader": one.reader, **asdict(example)} for one in examples for example in one.examples)
        lines = (json.dumps(strict_json(row), ensure_ascii=False) + "\n" for row in rows)
        write_text(self.folder.path / EXAMPLES, "".join(lines))
        write_sealed(self._part("examples"), {}, files=[self.folder.path / EXAMPLES])
        result = ScoreReaderResult(
            readers=judged,
            ranking=tuple(one.reader for one in ranked.readers),
            differences=ranked.differences,
            left_out=self.sources.faults,
            questions=asked.n_questions,
            samples=len(asked.questions),
            rejected=sum(asked.rejected.values()),
            seconds={stage: round(spent, 3) for stage, spent in self.seconds.items()},
            peak_bytes=peak_bytes(),
            out=self.config.out,
            unspaced=n_unspaced(question.answers for question in asked.questions),
        )
        self.folder.finish({"result": asdict(result), "rejected": dict(asked.rejected), "versions": versions()})
        return result
