"""Tells a text of several lines in quotes from rows that a stray quotation mark joined.

`"Once, he began` at the beginning of a field opens a quotation to csv, which ends at the next quotation mark, be it
rows away: the rows between would be one text, under the title of the last. Where each line is a row by itself, has the
columns of the header and goes on numbering, the rows are meant; where that cannot be told, nothing is guessed. Reads no
file. Costs nothing but for records of several lines.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

Meaning = Literal["one row", "rows", "unclear"]

_NUMBERED: Final = re.compile(r"(\S*?)(\d{1,18})")
_MARK: Final = '"'
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"')


def plain_cells(line: str, separator: str) -> list[str]:
    """The cells of a line in which quotation marks mean nothing."""
    return line.rstrip("\r\n").split(separator)


def is_row(line: str, *, separator: str, n_columns: int) -> bool:
    """Whether a line is a row by itself.

    Between tabs, quotation marks may be part of a text. Between other separators, which texts are full of, a row has
    to be well-formed: quotation marks stand around a cell, or twice within such a one.
    """
    if separator == "\t":
        return len(plain_cells(line, separator)) == n_columns
    if not _is_well_formed(line, separator):
        return False
    return _QUOTED.sub("", line).count(separator) + 1 == n_columns


def meaning_of(lines: Sequence[str], *, separator: str, n_columns: int) -> Meaning:
    """What a record of several lines, which quotation marks hold together, was meant to be.

    Args:
        lines: of the record, of which csv makes one row.
        separator: of the file.
        n_columns: of its header.
    """
    rows = [plain_cells(line, separator) for line in lines]
    if n_columns < 2 or any(len(row) != n_columns for row in rows) or any(_MARK * 2 in line for line in lines):
        return "one row"  # marks are doubled by what writes csv
    unquoted = [cells for cells in zip(*rows, strict=True) if not any(_MARK in cell for cell in cells)]
    if any(_is_counting(cells) for cells in unquoted):
        return "rows" if separator == "\t" else "unclear"
    if separator != "\t":
        return "one row"
    ids = [cells for cells in unquoted if _NUMBERED.fullmatch(cells[0])]
    if ids:  # has each line one of the same kind, or the first alone?
        return "unclear" if any(len(set(map(_shape, cells))) == 1 for cells in ids) else "one row"
    is_full = bool(unquoted) and all(cell.strip() for row in rows for cell in row)
    return "unclear" if is_full else "one row"


def _is_counting(cells: Sequence[str]) -> bool:
    """Whether ids go on by one: 7, 8, 9, or p7, p8."""
    found = [_NUMBERED.fullmatch(cell) for cell in cells]
    numbers = [int(match[2]) for match in found if match]
    stems = {match[1] for match in found if match}
    first = numbers[0] if numbers else 0
    return len(stems) == 1 and numbers == list(range(first, first + len(cells)))


def _shape(cell: str) -> str:
    """What ids of one kind have in common: `doc-12` and `doc-7` are `a-0`."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", cell))


def _is_well_formed(line: str, separator: str) -> bool:
    inside = re.escape(separator)
    cell = rf'(?:{_QUOTED.pattern}|[^"{inside}]*)'
    return re.fullmatch(rf"{cell}(?:{inside}{cell})*[\r\n]*", line) is not None
