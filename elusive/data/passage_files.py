"""Reads passages from files of any layout of the field, as a stream, and sets bad rows aside.

A passage is a text with a title: texts and ids are judged as those of a corpus. Memory is 64 rows, and some 100
bytes a passage for the ids.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from elusive.data.beir import beir_file
from elusive.data.folders import DEFAULT_SPLIT
from elusive.data.hub_dataset import HubDataset
from elusive.data.passage_rows import PASSAGE_IDS, split_title, title_of, without_quotes
from elusive.data.question_layouts import (
    KNOWN_PASSAGES,
    PASSAGE_LAYOUTS,
    PassageLayout,
    find_layout,
    headerless_passages,
)
from elusive.data.questions import Passage
from elusive.data.reading import Reading
from elusive.data.record_files import Records, choose_id, open_records, unknown_layout
from elusive.data.rejected import Rejection
from elusive.data.sources import locate
from elusive.data.tables import Columns, Row, require_columns
from elusive.data.texts import Judge
from elusive.data.unfit import Unfit

_TITLE_COLUMNS: Final = ("title", "section")


def read_passages(
    source: str | Path,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    split: str = DEFAULT_SPLIT,
    limit: int | None = None,
    on_rejected: Callable[[Rejection], None],
) -> Iterator[Passage]:
    """Streams the passages of a source in its order.

    Args:
        source: as for `read_questions`; of a BEIR folder its corpus, which is that of all splits.
        text_column: the column of the text; None means `text`, or `contents`, whose first line is the title.
        id_column: the column of the id. None means `id`, `_id`, `docid`, `passage_id`, `psg_id` or `pid`, whichever
            the file has, else ids are made from the texts; the empty string means made ids in any case.
        split: which split, where the source has splits.
        limit: end after this many good passages.
        on_rejected: called with each row that cannot be used, in order, as it is met.

    Returns:
        an iterator. The source is looked for now; its content is read as the iterator advances.

    Raises:
        OptionError: `limit` is not positive.
        InputError: now: there is no such source or split. While reading: a file is in no known layout, lacks a
            column that was named, is binary or damaged, an id comes twice, or there is no good row at all.
        MissingExtraError: while reading: a .zst file needs zstandard.
    """
    corpus = beir_file(source, "corpus")
    parts = [corpus] if corpus is not None else locate(source, split)
    reader = _PassageReader(text_column, id_column)
    reading = Reading(source=str(source), noun="passages", parts=parts, read_part=reader.read, on_rejected=on_rejected)
    return reading.items(limit)


@dataclass(frozen=True, slots=True)
class _PassageReader:
    text_column: str | None
    id_column: str | None
    judge: Judge = field(default_factory=Judge)

    def read(self, part: Path | HubDataset) -> Iterator[Passage | Rejection]:
        with open_records(part) as records:
            if records.table.columns is None:
                yield from records.unread()
                return
            layout, header = self._layout(records)
            id_column = layout.id if header else choose_id(records.table, self.id_column, known=PASSAGE_IDS)
            columns = Columns(layout.text, id_column)
            rows = records.rows((*columns.names, *_TITLE_COLUMNS))
            for row in itertools.chain([header] if header else [], rows):
                yield row if isinstance(row, Rejection) else self._passage(row, layout, columns, records)

    def _passage(self, row: Row, layout: PassageLayout, columns: Columns, records: Records) -> Passage | Rejection:
        try:
            title, row = _split_title(row, layout) if layout.titled else (title_of(row.values), row)
        except Unfit as unfit:
            return Rejection(records.table.name, row.line, unfit.reason, unfit.detail)
        text = self.judge.judge(row, columns, file=records.table.name)
        if isinstance(text, Rejection):
            return text
        return Passage(text.id, title, text.text if records.typed else without_quotes(text.text))

    def _layout(self, records: Records) -> tuple[PassageLayout, Row | None]:
        """The layout of a file, and its first line where that is a row and no header."""
        if self.text_column:
            require_columns(records.table, {self.text_column: "--text-column"})
            return PassageLayout("named", self.text_column, titled=False, required=frozenset()), None
        columns = records.table.columns or ()
        layout = find_layout(PASSAGE_LAYOUTS, columns, file=records.table.name, options="--text-column")
        if layout is not None:
            require_columns(records.table, {layout.text: "--text-column"})
            return layout, None
        headerless = None if records.typed or self.id_column else headerless_passages(columns)
        if headerless is None:
            raise unknown_layout(records, "passages", KNOWN_PASSAGES)
        return headerless, Row(1, dict(zip(columns, columns, strict=True)))


def _split_title(row: Row, layout: PassageLayout) -> tuple[str, Row]:
    """Takes the first line off a text, which is its title."""
    contents = row.values.get(layout.text)
    if not isinstance(contents, str):
        return "", row
    title, text = split_title(contents)
    return title_of({"title": title}), Row(row.line, {**row.values, layout.text: text})
