"""Reads a corpus of any layout as a stream of texts, each with an id, and sets bad rows aside.

Formats live in modules of their own; here the source is found, the columns are settled, and every row goes
before the same judge. Memory is one text, and some 100 bytes a text for the ids.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from elusive.data.folders import DEFAULT_SPLIT
from elusive.data.hub_dataset import HubDataset, hub_table
from elusive.data.layouts import detect_format, open_table
from elusive.data.reading import Reading
from elusive.data.rejected import Rejection
from elusive.data.sources import locate
from elusive.data.tables import DEFAULT_TEXT, Table, choose_columns
from elusive.data.tags import check_tags
from elusive.data.texts import Judge, Text
from elusive.errors import OptionError

__all__ = ["Rejection", "Text", "read_corpus"]


def read_corpus(
    source: str | Path,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    split: str = DEFAULT_SPLIT,
    limit: int | None = None,
    paragraphs: bool = False,
    strip_tags: Collection[str] = (),
    on_rejected: Callable[[Rejection], None],
) -> Iterator[Text]:
    """Streams the texts of a corpus in its order.

    Args:
        source: a file (.jsonl, .ndjson, .json, .csv, .tsv, .txt, plain or .gz or .zst; .parquet; .arrow), a
            folder of such files, a pattern of them (`data/*.jsonl`), a folder of `datasets.save_to_disk` or in Hub
            layout, or the name of a Hugging Face dataset, `owner/name` or `owner/name:subset`.
        text_column: the column of the text; None means `text`. Nothing is guessed.
        id_column: the column of the id. None means `id` if the first file has it, else ids are made from the
            content; the empty string means made ids in any case.
        split: which split, where the source has splits.
        limit: end after this many good texts.
        paragraphs: for .txt: a text for each paragraph instead of one for each file.
        strip_tags: names of inline tags that are removed: `born in <city>Halton</city>` becomes `born in Halton`.
        on_rejected: called with each row that cannot be used, in order, as it is met.

    Returns:
        an iterator. The source is looked for now; its content is read as the iterator advances.

    Raises:
        OptionError: `limit` is not positive; `paragraphs` with a source that is not plain text; no name of a tag.
        InputError: now: there is no such source. While reading: a column is missing, a file is binary or
            damaged, an id comes twice, or there is no good row at all.
        MissingExtraError: while reading: a .zst file needs zstandard.
    """
    check_tags(strip_tags)
    judge = Judge(strip_tags)
    reader = _PartReader(text_column=text_column, id_column=id_column, paragraphs=paragraphs, judge=judge)
    return Reading(
        source=str(source), noun="texts", parts=locate(source, split), read_part=reader.read, on_rejected=on_rejected
    ).items(limit)


@dataclass(slots=True, kw_only=True)
class _PartReader:
    """Reads one file after the other: what was asked for, and what the first file settled for all."""

    text_column: str | None
    id_column: str | None
    paragraphs: bool
    judge: Judge

    def read(self, part: Path | HubDataset) -> Iterator[Text | Rejection]:
        with self._open(part) as table:
            columns = choose_columns(table, text_column=self.text_column, id_column=self.id_column)
            if table.columns is not None:
                self.id_column = columns.id or ""  # one kind of id a corpus
            for record in table.rows(columns.names):
                yield record if isinstance(record, Rejection) else self.judge.judge(record, columns, file=table.name)

    def _open(self, part: Path | HubDataset) -> contextlib.AbstractContextManager[Table]:
        text_column = self.text_column or DEFAULT_TEXT
        if isinstance(part, HubDataset):
            self._require_txt(str(part), "dataset")
            return hub_table(part, text_column=text_column)
        kind = detect_format(part)
        self._require_txt(str(part), kind)
        return open_table(part, kind=kind, text_column=text_column, paragraphs=self.paragraphs)

    def _require_txt(self, name: str, kind: str) -> None:
        if self.paragraphs and kind != "txt":
            raise OptionError(f"paragraphs are for plain text, and {name} is {kind}; leave --paragraphs out")
