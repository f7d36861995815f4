"""Reads a corpus of any layout as a stream of texts, each with an id, and sets bad rows aside.

Formats live in modules of their own; here the source is found, the columns are settled, and every row goes
before the same judge. Memory is one text, and some 100 bytes a text for the ids.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from elusive.data.folders import DEFAULT_SPLIT, files_of_folder, require_no_split
from elusive.data.hub_dataset import HubDataset, hub_table
from elusive.data.layouts import detect_format, format_of_name, open_table
from elusive.data.rejected import Rejection
from elusive.data.tables import DEFAULT_TEXT, Table, choose_columns
from elusive.data.texts import Judge, Text
from elusive.errors import InputError, OptionError, near_matches

__all__ = ["Rejection", "Text", "read_corpus"]


def read_corpus(
    source: str | Path,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    split: str = DEFAULT_SPLIT,
    limit: int | None = None,
    paragraphs: bool = False,
    on_rejected: Callable[[Rejection], None],
) -> Iterator[Text]:
    """Streams the texts of a corpus in its order.

    Args:
        source: a file (.jsonl, .ndjson, .json, .csv, .tsv, .txt, plain or .gz or .zst; .parquet; .arrow), a
            folder of files of one format, a folder of `datasets.save_to_disk` or in Hub layout, or the name
            of a Hugging Face dataset, `owner/name` or `owner/name:subset`.
        text_column: the column of the text; None means `text`. Nothing is guessed.
        id_column: the column of the id. None means `id` if the first file has it, else ids are made from the
            content; the empty string means made ids in any case.
        split: which split, where the source has splits.
        limit: end after this many good texts.
        paragraphs: for .txt: a text for each paragraph instead of one for each file.
        on_rejected: called with each row that cannot be used, in order, as it is met.

    Returns:
        an iterator. The source is looked for now; its content is read as the iterator advances.

    Raises:
        OptionError: `limit` is not positive; `paragraphs` with a source that is not plain text.
        InputError: now: there is no such source. While reading: a column is missing, a file is binary or
            damaged, an id comes twice, or there is no good row at all.
        MissingExtraError: while reading: a .zst file needs zstandard.
    """
    if limit is not None and limit < 1:
        raise OptionError(f"limit is {limit}; it must be at least 1")
    try:
        parts = _locate(source, split)
    except OSError as error:  # a folder on the way that may not be entered; a name longer than any file's
        raise InputError(f"cannot read {source}: {error.strerror}") from error
    reading = _Reading(
        source=str(source),
        parts=parts,
        text_column=text_column,
        id_column=id_column,
        paragraphs=paragraphs,
        on_rejected=on_rejected,
    )
    return reading.texts(limit)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One pass over a corpus: what was asked for, and what has been seen so far."""

    source: str
    parts: Sequence[Path | HubDataset]
    text_column: str | None
    id_column: str | None
    paragraphs: bool
    on_rejected: Callable[[Rejection], None]
    judge: Judge = field(default_factory=Judge)
    n_rejected: int = 0
    first_rejection: Rejection | None = None

    def texts(self, limit: int | None) -> Iterator[Text]:
        n_good = 0
        for part in self.parts:
            with self._open(part) as table:
                for text in self._texts_of(table):
                    yield text
                    n_good += 1
                    if n_good == limit:
                        return
        if not n_good:
            raise InputError(self._nothing_good())

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

    def _texts_of(self, table: Table) -> Iterator[Text]:
        columns = choose_columns(table, text_column=self.text_column, id_column=self.id_column)
        if table.columns is not None:
            self.id_column = columns.id or ""  # the first file decides for all: one kind of id a corpus
        for record in table.rows(columns):
            found = record if isinstance(record, Rejection) else self.judge.judge(record, columns, file=table.name)
            if isinstance(found, Text):
                yield found
            else:
                self._set_aside(found)

    def _set_aside(self, rejection: Rejection) -> None:
        self.n_rejected += 1
        self.first_rejection = self.first_rejection or rejection
        self.on_rejected(rejection)

    def _nothing_good(self) -> str:
        if self.first_rejection is None:
            return f"{self.source} is empty: it has no rows; name a corpus with texts"
        rows = "the one row is" if self.n_rejected == 1 else f"all {self.n_rejected:,} rows are"
        return f"no usable text in {self.source}: {rows} rejected; the first: {self.first_rejection}"


def _locate(source: str | Path, split: str) -> Sequence[Path | HubDataset]:
    if source == "":  # which is the working folder to pathlib
        raise InputError("no corpus is named; give a file, a folder or the name of a Hugging Face dataset")
    path = Path(source)
    with contextlib.suppress(RuntimeError):  # ~ and nobody of that name: a file that is missing
        path = path.expanduser()
    if path.is_dir():
        return files_of_folder(path, split=split)
    if path.is_file():
        require_no_split(path, split)
        return [path]
    if path.is_symlink() and not path.exists():
        raise InputError(f"{source} is a link that leads nowhere; name the file itself")
    if path.exists():
        raise InputError(f"{source} is neither a file nor a folder; write it to a file first")
    hub = HubDataset.parse(source, split=split) if isinstance(source, str) else None
    # `data/corpus` beside a folder `data`, or a name with a suffix that we read, is a file that is missing.
    if hub is None or format_of_name(path) or (path.parent != Path() and path.parent.is_dir()):
        raise InputError(_missing(source, path))
    return [hub]


def _missing(source: str | Path, path: Path) -> str:
    if not path.parent.is_dir():
        return f"no file or folder '{source}'; there is no folder '{path.parent}' either"
    near = near_matches(path.name, sorted(neighbour.name for neighbour in path.parent.iterdir()))
    return f"no file or folder '{source}'{near}"
