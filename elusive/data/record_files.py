"""Opens a file of records of any kind: JSON lines, a JSON array, cells between commas or tabs, Parquet, Arrow.

Unlike `layouts`, which reads corpora, the content comes before the name: question sets are tab separated under
the name .csv, and arrays or lines under .json. Knows nothing of questions. Costs the first 8 KiB of a file.
"""

import codecs
import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from elusive.data.columnar import arrow_table, parquet_table
from elusive.data.delimited import delimited_table
from elusive.data.hub_dataset import HubDataset, hub_table
from elusive.data.json_array import SQUAD_KEY, array_key, array_table
from elusive.data.json_lines import json_table
from elusive.data.layouts import detect_format
from elusive.data.rejected import Rejection, excerpt
from elusive.data.separators import separator_of_records
from elusive.data.squad import squad_table
from elusive.data.streams import read_head
from elusive.data.tables import Row, Table, header_hint, require_columns
from elusive.errors import InputError

_HEAD_LEN: Final = 8192
# What begins a JSON object begins no field between tabs or commas, where a quote within would be doubled.
_OBJECT: Final = re.compile(rb'(\xef\xbb\xbf)?\s*\{\s*("|\}\s*\n)')
_SHOWN_COLUMNS: Final = 12


@dataclass(frozen=True, slots=True)
class Records:
    """A file of records, opened.

    Attributes:
        table: its rows.
        typed: whether values have types of their own; else all are strings, and lists are written out in them.
    """

    table: Table
    typed: bool

    def rows(self, names: Sequence[str]) -> Iterator[Row | Rejection]:
        """Every row, with those of the columns `names` that there are."""
        columns = self.table.columns or ()
        return self.table.rows([name for name in dict.fromkeys(names) if name in columns])

    def unread(self) -> Iterator[Rejection]:
        """The rows of a file that shows no columns, since it is empty or nothing at its beginning could be read.

        Raises:
            InputError: a row can be read after all, long after the columns were looked for.
        """
        for row in self.rows(()):
            if isinstance(row, Row):
                raise InputError(f"{self.table.name} cannot be read before row {row.line}; take the rows before it out")
            yield row


@contextlib.contextmanager
def open_records(part: Path | HubDataset) -> Iterator[Records]:
    """Opens a file or a dataset of the Hub.

    Raises:
        InputError: it cannot be opened, is binary, damaged or in another encoding than UTF-8.
        MissingExtraError: it is compressed with zstandard, which is not installed.
    """
    opened, typed = _open(part)
    with opened as table:
        yield Records(table, typed)


def _open(part: Path | HubDataset) -> tuple[contextlib.AbstractContextManager[Table], bool]:
    """The table, and whether its values have types."""
    if isinstance(part, HubDataset):
        return hub_table(part, text_column=""), True
    head = read_head(part, _HEAD_LEN)
    key = array_key(head)
    if key == SQUAD_KEY:
        return squad_table(part), True
    if key is not None:
        return array_table(part, key=key), True
    kind = detect_format(part)
    if kind == "parquet":
        return parquet_table(part), True
    if kind == "arrow":
        return arrow_table(part), True
    if _OBJECT.match(head) or (kind == "jsonl" and head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")):
        return json_table(part, text_column=""), True
    return delimited_table(part, delimiter=separator_of_records(head)), False


def choose_id(table: Table, asked: str | None, *, known: Sequence[str]) -> str | None:
    """The column of the ids: the one asked for, else the first known one that there is; None where ids are made.

    Args:
        table: an opened table.
        asked: None leaves it open, and the empty string asks for made ids.
        known: columns that hold ids, the likeliest first.

    Raises:
        InputError: there is no such column, or it is there twice.
    """
    column = asked
    if column is None:
        column = next((name for name in known if name in (table.columns or ())), "")
    if column:
        require_columns(table, {column: "--id-column"})
    return column or None


def unknown_layout(records: Records, what: str, known: Sequence[str]) -> InputError:
    """The error of a file whose columns fit no layout: it shows the first record, and what would have done."""
    first = next(records.rows((records.table.columns or ())[:_SHOWN_COLUMNS]), None)
    shown = first.values if isinstance(first, Row) else records.table.columns
    return InputError(
        f"{records.table.name} is in no known layout of {what}{header_hint(records.table)}; "
        f"its first record: {excerpt(repr(shown))}; known are: {', '.join(known)}"
    )
