"""Reads questions from files of any layout of the field, as a stream, and sets bad rows aside.

The layout is told by the columns (`question_layouts`), the row is judged by one set of rules (`question_rows`).
Memory is 64 rows, and some 100 bytes a question for the ids.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from elusive.data.beir import beir_file, judgements_of_split
from elusive.data.folders import DEFAULT_SPLIT
from elusive.data.hub_dataset import HubDataset
from elusive.data.question_layouts import (
    KNOWN_QUESTIONS,
    QUESTION_LAYOUTS,
    QuestionLayout,
    find_layout,
    headerless_layout,
)
from elusive.data.question_rows import QuestionJudge
from elusive.data.questions import Question
from elusive.data.reading import Reading
from elusive.data.record_files import Records, choose_id, open_records, unknown_layout
from elusive.data.rejected import Rejection
from elusive.data.sources import locate
from elusive.data.tables import Row, require_columns

_OPTIONS: Final = "--question-column and --answer-column"
_PASSAGES: Final = ("ctxs", "passages")
_IDS: Final = ("id", "_id", "question_id", "QuestionId", "query_id", "qid")


def read_questions(
    source: str | Path,
    *,
    question_column: str | None = None,
    answer_column: str | None = None,
    id_column: str | None = None,
    split: str = DEFAULT_SPLIT,
    limit: int | None = None,
    on_rejected: Callable[[Rejection], None],
) -> Iterator[Question]:
    """Streams the questions of a source in its order.

    Args:
        source: a file (JSON lines, a JSON array, csv, tsv, Parquet, Arrow; text also .gz or .zst), a folder of
            such files or a pattern of them (`data/*.jsonl`), a folder of `datasets.save_to_disk`, in Hub layout or of
            BEIR, or the name of a Hugging Face dataset, `owner/name` or `owner/name:subset`.
        question_column: the column of the question; `question` where only the other one is given. Naming either
            column replaces the search for a layout.
        answer_column: the column of the answers; likewise `answers`.
        id_column: the column of the id. None means `id`, `_id`, `question_id`, `QuestionId`, `query_id` or `qid`,
            whichever the file has, else ids are made from the questions; the empty string means made ids in any case.
        split: which split, where the source has splits.
        limit: end after this many good questions.
        on_rejected: called with each row, answer or passage that cannot be used, in order, as it is met.

    Returns:
        an iterator. The source is looked for now; its content is read as the iterator advances.

    Raises:
        OptionError: `limit` is not positive.
        InputError: now: there is no such source or split. While reading: a file is in no known layout, lacks a
            column that was named, is binary or damaged, an id comes twice, or there is no good row at all.
        MissingExtraError: while reading: a .zst file needs zstandard.
    """
    columns = _Columns(question_column, answer_column, id_column)
    queries = beir_file(source, "queries")
    kept = None
    if queries is not None:
        judged = judgements_of_split(queries.parent, split=split, on_rejected=on_rejected)
        kept = None if judged is None else frozenset(judged)
    parts = [queries] if queries is not None else locate(source, split)
    reader = _QuestionReader(columns, kept)
    reading = Reading(source=str(source), noun="questions", parts=parts, read_part=reader.read, on_rejected=on_rejected)
    return reading.items(limit)


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the user named."""

    question: str | None
    answers: str | None
    id: str | None


@dataclass(frozen=True, slots=True)
class _QuestionReader:
    """Reads the files of one source; `kept` are the ids of the wanted questions, None if all are."""

    columns: _Columns
    kept: frozenset[str] | None
    judge: QuestionJudge = field(default_factory=QuestionJudge)

    def read(self, part: Path | HubDataset) -> Iterator[Question | Rejection]:
        with open_records(part) as records:
            if records.table.columns is None:
                yield from records.unread()
                return
            layout, header = self._layout(records)
            ids = choose_id(records.table, self.columns.id, known=_IDS)
            names = layout.columns if ids is None else (*layout.columns, ids)
            rows = itertools.chain([] if header is None else [header], records.rows(names))
            for row in rows:
                yield from self._judged(row, layout, ids, records)

    def _judged(
        self, row: Row | Rejection, layout: QuestionLayout, ids: str | None, records: Records
    ) -> Iterator[Question | Rejection]:
        if isinstance(row, Rejection):
            yield row
            return
        name = records.table.name
        for found in self.judge.judge(row, layout, id_column=ids, file=name):
            if isinstance(found, Rejection) or self.kept is None or found.id in self.kept:
                yield found

    def _layout(self, records: Records) -> tuple[QuestionLayout, Row | None]:
        """The layout of a file, and its first line where that is a row and no header."""
        columns: Sequence[str] = records.table.columns or ()
        if self.columns.question or self.columns.answers:
            named = QuestionLayout(
                "named", self.columns.question or "question", self.columns.answers or "answers", _PASSAGES
            )
            wanted = {named.question: "--question-column", str(named.answers): "--answer-column"}
            require_columns(records.table, wanted)
            return named, None
        layout = find_layout(QUESTION_LAYOUTS, columns, file=records.table.name, options=_OPTIONS)
        if layout is not None:
            require_columns(records.table, dict.fromkeys(layout.required, _OPTIONS))
            return layout, None
        headerless = None if records.typed else headerless_layout(columns)
        if headerless is None:
            raise unknown_layout(records, "questions", KNOWN_QUESTIONS)
        return headerless, Row(1, dict(zip(columns, columns, strict=True)))
