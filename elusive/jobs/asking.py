"""What readers are asked: a sample of the questions, each with its first passages; one fixed set for all readers.

Written to `questions.jsonl` in Atlas's layout, so that it can be looked at and asked again. Memory is the sample, and
the index of the passages while it is searched (`elusive.data.bm25`).
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from elusive.config import ScoreReaderConfig
from elusive.data.atomic import write_text
from elusive.data.bm25 import add_passages
from elusive.data.passage_files import read_passages
from elusive.data.question_files import read_questions
from elusive.data.questions import Passage, Question
from elusive.data.rejected import RejectedLog, Rejection
from elusive.data.sealed import read_sealed, write_sealed
from elusive.data.unfit import QuestionReason
from elusive.errors import InputError
from elusive.jobs.inputs import located
from elusive.jobs.sampling import drawn
from elusive.progress import Progress

QUESTIONS: Final = "questions.jsonl"
REJECTED: Final = "rejected.jsonl"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A sample of questions, ready to be asked.

    Attributes:
        questions: each with a passage at least, in the order of the data.
        n_questions: how many of the data could be asked, the sample among them.
        rejected: rows set aside, by reason.
    """

    questions: tuple[Question, ...]
    n_questions: int
    rejected: Mapping[str, int]

    @property
    def fingerprint(self) -> str:
        """Names the questions and their passages."""
        rows = json.dumps([asdict(question) for question in self.questions])
        return f"questions:{blake2b(rows.encode(), digest_size=16).hexdigest()}"


def ask(
    config: ScoreReaderConfig,
    folder: Path,
    *,
    record: Path,
    check_source: Callable[[], None] = lambda: None,
    progress: Progress,
) -> Asked:
    """Draw the sample and write it down, or find it drawn.

    Args:
        config: the options.
        folder: where `questions.jsonl` and `rejected.jsonl` go.
        record: what vouches for both, once they are there.
        check_source: called once the source has been read, before anything is kept of it; may raise.
        progress: where to report.

    Raises:
        InputError: no question can be asked, or a source that cannot be read.
    """
    found = _written(folder, record)
    if found:
        return found
    with RejectedLog(folder / REJECTED) as log:
        draw = _Draw(config, log, progress)
        sample = draw.sample()
        check_source()
    asked = Asked(questions=tuple(sample), n_questions=draw.n_questions, rejected=dict(log.counts))
    rows = (json.dumps(_row(question), ensure_ascii=False) + "\n" for question in asked.questions)
    write_text(folder / QUESTIONS, "".join(rows))
    record.parent.mkdir(parents=True, exist_ok=True)
    counts = {"n_questions": asked.n_questions, "rejected": asked.rejected}
    write_sealed(record, counts, files=[folder / QUESTIONS, folder / REJECTED])
    return asked


@dataclass(eq=False)
class _Draw:
    """One pass over the data, counting."""

    config: ScoreReaderConfig
    on_rejected: Callable[[Rejection], None]
    progress: Progress
    n_questions: int = 0
    first: Rejection | None = None

    def sample(self) -> list[Question]:
        """The questions drawn, each with a passage at least.

        Raises:
            InputError: as `ask`.
        """
        with self.progress.stage("read questions", total=None, unit="questions") as advance:
            sample = drawn(self.counted(self.usable(), advance), self.config.samples, seed=self.config.seed)
        if self.config.passages:
            sample = self.with_passages(sample, self.config.passages)
        if not sample:
            raise InputError(self.nothing_left())
        return sample

    def usable(self) -> Iterator[Question]:
        config = self.config
        questions = read_questions(
            located(config.data),
            question_column=config.question_column,
            answer_column=config.answer_column,
            id_column=config.id_column,
            split=config.split,
            on_rejected=self.on_rejected,
        )
        for question in questions:
            if not question.target_answer and config.rows != "generated":
                self.set_aside(question, QuestionReason.NO_ANSWER)
            elif not question.passages and not config.passages:
                self.set_aside(question, QuestionReason.NO_PASSAGES)
            elif question.nouns is None and config.nouns == "given":
                self.set_aside(question, QuestionReason.NO_NOUNS)
            else:
                yield replace(question, passages=question.passages[: config.k])

    def counted(self, questions: Iterator[Question], advance: Callable[[int], object]) -> Iterator[Question]:
        for question in questions:
            self.n_questions += 1
            advance(1)
            yield question

    def with_passages(self, sample: list[Question], source: str) -> list[Question]:
        """The sample with passages found by BM25, without those for which none was."""
        with self.progress.stage("read passages", total=None, unit="passages") as advance:

            def opened(*, on_rejected: Callable[[Rejection], None]) -> Iterator[Passage]:
                place = located(source)
                for passage in read_passages(place, text_column=self.config.text_column, on_rejected=on_rejected):
                    advance(1)
                    yield passage

            found = add_passages(sample, opened, k=self.config.k, on_rejected=self.on_rejected)
        for question in found:
            if not question.passages:
                self.set_aside(question, QuestionReason.NO_PASSAGES)
        return [question for question in found if question.passages]

    def set_aside(self, question: Question, reason: QuestionReason) -> None:
        rejection = Rejection(self.config.data, None, reason, f"question {question.id}")
        self.first = self.first or rejection
        self.on_rejected(rejection)

    def nothing_left(self) -> str:
        """Why there is no sample."""
        assert self.first is not None, "the reader of files tells of its own rows"
        remedies = {
            QuestionReason.NO_ANSWER: "name their column by --answer-column, or take --rows generated",
            QuestionReason.NO_PASSAGES: (
                f"no passage of {self.config.passages} has a word of theirs; name others by --passages"
                if self.config.passages
                else "name a file of passages, from which BM25 takes them, by --passages"
            ),
            QuestionReason.NO_NOUNS: "take nouns from textblob or spacy (--nouns)",
        }
        reason = QuestionReason(self.first.reason)
        return f"no question of {self.config.data} can be asked (the first: {reason}); {remedies[reason]}"


def _row(question: Question) -> dict[str, Any]:
    """In Atlas's layout; what a question lacks is left out."""
    row = asdict(question)
    row["passages"] = [{k: v for k, v in passage.items() if v is not None} for passage in row["passages"]]
    return {name: value for name, value in row.items() if value is not None}


def _question(row: Mapping[str, Any]) -> Question:
    """What `_row` wrote."""
    passages = tuple(Passage(**passage) for passage in row["passages"])
    nouns = tuple(row["nouns"]) if "nouns" in row else None
    return Question(**{**row, "answers": tuple(row["answers"]), "passages": passages, "nouns": nouns})


def _written(folder: Path, record: Path) -> Asked | None:
    """What an earlier call wrote; None where it is not all there."""
    with contextlib.suppress(OSError, ValueError):
        counts = read_sealed(record)
        with (folder / QUESTIONS).open(encoding="utf-8", newline="\n") as rows:
            questions = tuple(_question(json.loads(row)) for row in rows)
        return Asked(questions=questions, n_questions=counts["n_questions"], rejected=counts["rejected"])
    return None
