"""Tells by what the columns of a file of cells are separated: its header says so better than its name.

Spreadsheets of half of Europe write semicolons under the name .csv, and tables of the field tabs. Reads no file.
"""

import csv
import io
import re
from collections.abc import Sequence
from typing import Final

SEPARATORS: Final = (",", "\t", ";", "|")
_QUESTION: Final = re.compile(r"\s*[^\t\n]+\t\s*\[")  # and its answers; quotation marks in it are its own
_DECLARED: Final = re.compile(r"\s*\"?sep=(.)\"?\r?\n")


def declared_separator(text: str) -> str | None:
    """The separator that a first line such as `sep=;` names, as Excel writes it; None where there is no such line."""
    found = _DECLARED.match(text)
    return found[1] if found else None


def separator_of(head: bytes, *, usual: str, column: str = "") -> str:
    """The separator of a file.

    Args:
        head: the first bytes of the file.
        usual: what its name promises.
        column: a column that is looked for; the separator under which the header has it is the right one.

    Returns:
        `usual` unless the header has no such column under it, and either has it under another one or is one cell under
        `usual` and several under another.
    """
    text = head.decode("utf-8-sig", errors="replace")
    declared = declared_separator(text)
    if declared:
        return declared
    headers = {separator: _header(text, separator) for separator in dict.fromkeys((usual, *SEPARATORS))}
    if column:
        having = [separator for separator, header in headers.items() if column in header]
        if having:
            return having[0]
    return usual if len(headers[usual]) > 1 else _widest(headers)


def separator_of_records(head: bytes) -> str:
    """The separator of a file whose columns are not known yet: a tab if it parts the first record, else the commonest.

    Question files are tab separated under the name .csv, and a question has commas and semicolons in it.
    """
    text = head.decode("utf-8-sig", errors="replace")
    headers = {separator: _header(text, separator) for separator in SEPARATORS}
    is_tabbed = len(headers["\t"]) > 1 or _QUESTION.match(text)
    return declared_separator(text) or ("\t" if is_tabbed else _widest(headers))


def _widest(headers: dict[str, Sequence[str]]) -> str:
    """What makes the most cells, the first of equals."""
    return max(headers, key=lambda separator: len(headers[separator]))


def _header(text: str, separator: str) -> Sequence[str]:
    """The first record that is not blank; nothing where it cannot be read so."""
    try:
        return next(filter(None, csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)), [])
    except csv.Error:
        return []
