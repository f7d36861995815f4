"""Reads csv and tsv with a header, long fields, and any mixture of newlines.

Both are read with csv quoting, strictly: the lenient reading would eat quotes out of a text, or join rows at
an unclosed quote, without a word. A line number is that of the line on which the row begins. Memory is one
row.
"""

import contextlib
import csv
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from elusive.data.rejected import Reason, Rejection, excerpt
from elusive.data.streams import LONGEST_TEXT, is_undecodable, lines_of, open_lines
from elusive.data.tables import Row, Table
from elusive.errors import InputError

_limit_lock = threading.Lock()


class _CsvReader(Protocol):
    line_num: int

    def __next__(self) -> list[str]: ...


@contextlib.contextmanager
def delimited_table(path: Path, *, delimiter: str) -> Iterator[Table]:
    """Opens a csv or tsv file and reads its header.

    Args:
        path: the file, compressed or not.
        delimiter: "," or a tab.

    Raises:
        InputError: the file cannot be opened, is cut short, or its header is broken.
    """
    with open_lines(path) as lines:
        reader = csv.reader(lines_of(lines, path), delimiter=delimiter, strict=True)
        header = _header(reader, str(path))
        if not header:
            yield Table(str(path), None, lambda _: iter(()))
            return
        yield Table(str(path), header, lambda wanted: _rows(reader, header, wanted, str(path)))


def _header(reader: _CsvReader, file: str) -> list[str] | None:
    """The first row that is not blank; None where there is none."""
    try:
        fields = _next_fields(reader)
        while fields == []:
            fields = _next_fields(reader)
        return fields
    except csv.Error as error:
        raise InputError(f"the header of {file} cannot be read: {excerpt(str(error))}") from error


def _next_fields(reader: _CsvReader) -> list[str] | None:
    """The next row's fields; None at the end.

    The limit on a field's length belongs to the whole process: it is raised for one row and put back, under
    a lock, since two readers in two threads would else put back one another's.

    Raises:
        csv.Error: the row's quoting is broken.
    """
    with _limit_lock:
        usual = csv.field_size_limit(LONGEST_TEXT)
        try:
            return next(reader, None)
        finally:
            csv.field_size_limit(usual)


def _rows(reader: _CsvReader, header: Sequence[str], wanted: Sequence[str], file: str) -> Iterator[Row | Rejection]:
    places = {name: header.index(name) for name in wanted}
    while True:
        line = reader.line_num + 1
        try:
            fields = _next_fields(reader)
        except csv.Error as error:
            yield Rejection(file, line, Reason.BROKEN_CSV, excerpt(str(error)))
            continue
        if fields is None:
            return
        if fields:  # a blank line is no row
            yield _row(fields, places, n_columns=len(header), file=file, line=line)


def _row(fields: list[str], places: dict[str, int], *, n_columns: int, file: str, line: int) -> Row | Rejection:
    if len(fields) != n_columns:
        detail = f"{len(fields)} where the header has {n_columns}"
        return Rejection(file, line, Reason.FIELD_COUNT, detail)
    values = {name: fields[place] for name, place in places.items()}
    for name, value in values.items():
        if is_undecodable(value):
            return Rejection(file, line, Reason.BAD_UTF8, excerpt(f"column {name}: {value}"))
    return Row(line, values)
