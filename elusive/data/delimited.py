"""Reads csv and tsv with a header, long fields, and any mixture of newlines.

Both are read with csv quoting, strictly: the lenient reading would eat quotes out of a text, or join rows at
an unclosed quote, without a word. Where the quoting is broken, or holds together what are rows by themselves
(`quotations`), the lines are read one by one, and each that cannot be is set aside. A line number is that of the line
on which the row begins. Memory is one row, or the lines up to where a quotation proves broken.
"""

import contextlib
import csv
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from elusive.data.quotations import is_row, meaning_of, plain_cells
from elusive.data.rejected import Reason, Rejection, excerpt
from elusive.data.separators import declared_separator
from elusive.data.streams import LONGEST_TEXT, is_undecodable, lines_of, not_utf8, open_lines
from elusive.data.tables import Row, Table
from elusive.errors import InputError

_ESCAPED = '\\"'
_limit_lock = threading.Lock()
_UNCLEAR = (
    "lines {first} to {last}, each a row by itself, are held together by a quotation; between quotation marks write "
    "those of the text twice, or give the rows as JSON lines"
)
_BROKEN = "{error}; in line {last}, of a quotation that begins here"
_WITHIN = "in a quotation that begins in line {first} and is broken in line {last}"


@contextlib.contextmanager
def delimited_table(path: Path, *, delimiter: str) -> Iterator[Table]:
    """Opens a csv or tsv file and reads its header.

    Args:
        path: the file, compressed or not.
        delimiter: "," or a tab, or what else `separators` tells.

    Raises:
        InputError: the file cannot be opened, is cut short, or its header is broken.
    """
    with open_lines(path) as lines:
        records = _Records(lines_of(lines, path), delimiter)
        header = _header(records, str(path))
        if not header:
            yield Table(str(path), None, lambda _: iter(()))
            return
        yield Table(str(path), header, lambda wanted: _rows(records, header, wanted, str(path)), has_header=True)


class _Records:
    """The records of a file, each with the lines that it came from, which can be put back.

    Attributes:
        lines: of the record that was read last.
    """

    def __init__(self, source: Iterator[str], delimiter: str) -> None:
        self.delimiter = delimiter
        self.lines: list[str] = []
        self._source = source
        self._put_back: deque[str] = deque()
        self._n_read = 0
        self._reader = csv.reader(self, delimiter=delimiter, strict=True)

    @property
    def first_line(self) -> int:
        """Where the last record begins, from 1."""
        return self._n_read - len(self.lines) + 1

    @property
    def last_line(self) -> int:
        """Where it ends."""
        return self._n_read

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._put_back.popleft() if self._put_back else next(self._source)
        self._n_read += 1
        self.lines.append(line)
        return line

    def next_fields(self) -> list[str] | None:
        """The fields of the next record; None at the end.

        The limit on a field's length belongs to the whole process: it is raised for one record and put back, under
        a lock, since two readers in two threads would else put back one another's.

        Raises:
            csv.Error: the record's quoting is broken.
        """
        self.lines.clear()
        with _limit_lock:
            usual = csv.field_size_limit(LONGEST_TEXT)
            try:
                return next(self._reader, None)
            finally:
                csv.field_size_limit(usual)

    def put_back(self) -> None:
        """Leave the last record with its first line alone, and read the others again."""
        self._put_back.extendleft(reversed(self.lines[1:]))
        self._n_read -= len(self.lines) - 1
        del self.lines[1:]


def _header(records: _Records, file: str) -> list[str] | None:
    """The first row that is not blank and no `sep=;` of Excel; None where there is none."""
    try:
        fields = records.next_fields()
        while fields == [] or (fields and declared_separator(records.lines[0])):
            fields = records.next_fields()
        return fields
    except csv.Error as error:
        cells = plain_cells(records.lines[0], records.delimiter)
        if records.delimiter != "\t" or len(cells) < 2:
            raise InputError(f"the header of {file} cannot be read: {excerpt(str(error))}") from error
        records.put_back()  # a question, in a file without a header, may begin with a quotation
        return cells


def _rows(records: _Records, header: Sequence[str], wanted: Sequence[str], file: str) -> Iterator[Row | Rejection]:
    cells = _Cells(records, file, {name: header.index(name) for name in wanted}, len(header))
    while True:
        try:
            fields = records.next_fields()
        except csv.Error as error:
            yield from cells.broken(str(error))
            continue
        if fields is None:
            return
        if fields:  # a blank line is no row
            yield from cells.rows(fields)


class _Cells:
    """Makes rows of records, and of lines where a record is none.

    Args:
        records: of the file.
        file: its name.
        places: of the wanted columns.
        n_columns: of the header.
    """

    def __init__(self, records: _Records, file: str, places: Mapping[str, int], n_columns: int) -> None:
        self._records = records
        self._file = file
        self._places = places
        self._n_columns = n_columns

    def rows(self, fields: list[str]) -> Iterator[Row | Rejection]:
        """The row that a record is; the first of its lines where these are the rows; else why it is none."""
        records = self._records
        if len(records.lines) > 1:
            meaning = meaning_of(records.lines, separator=records.delimiter, n_columns=self._n_columns)
            if meaning == "rows":
                yield self._plain_row()
                return
            if meaning == "unclear":
                yield from self._set_aside(_UNCLEAR, _UNCLEAR)
                return
        yield self._row(fields)

    def broken(self, error: str) -> Iterator[Row | Rejection]:
        """What is to be had of lines that a broken quotation holds together.

        Only where all of them are rows by themselves are they read so: else the quotation was meant, and its lines
        would be parts of a text.
        """
        records = self._records
        alone = [is_row(line, separator=records.delimiter, n_columns=self._n_columns) for line in records.lines]
        is_escaped = _ESCAPED in records.lines[0]  # by a writer that quotes, in its own way
        if records.delimiter == "\t" and all(alone) and not is_escaped:
            yield self._plain_row()
        elif all(alone[1:]):
            detail = _BROKEN.format(error=error, last=records.last_line)
            yield Rejection(self._file, records.first_line, Reason.BROKEN_CSV, excerpt(detail))
            records.put_back()
        else:
            yield from self._set_aside(f"{error}; {_WITHIN}", _WITHIN)

    def _plain_row(self) -> Row | Rejection:
        """The first line of the record as a row; the others are put back."""
        self._records.put_back()
        return self._row(plain_cells(self._records.lines[0], self._records.delimiter))

    def _set_aside(self, of_first: str, of_others: str) -> Iterator[Rejection]:
        """Every line of the record: none is lost untold."""
        first, last = self._records.first_line, self._records.last_line
        for line in range(first, last + 1):
            detail = (of_first if line == first else of_others).format(first=first, last=last)
            yield Rejection(self._file, line, Reason.BROKEN_CSV, excerpt(detail))

    def _row(self, fields: list[str]) -> Row | Rejection:
        line = self._records.first_line
        if len(fields) != self._n_columns:
            detail = f"{len(fields)} where the header has {self._n_columns}"
            if len(self._records.lines) > 1:
                detail += f"; in lines {line} to {self._records.last_line}, which a quotation holds together"
            return Rejection(self._file, line, Reason.FIELD_COUNT, detail)
        values = {name: fields[place] for name, place in self._places.items()}
        for name, value in values.items():
            if is_undecodable(value):
                return Rejection(self._file, line, Reason.BAD_UTF8, not_utf8(value, place=f"column {name}"))
        return Row(line, values)
