"""Reads JSON lines: one object a line, UTF-8, with or without a byte-order mark.

Each line stands alone, so a broken one costs itself and nothing more. Blank lines are no rows. Memory is one
line, besides the few that are read ahead to learn the columns.
"""

import codecs
import contextlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from elusive.data.rejected import Reason, Rejection, excerpt
from elusive.data.streams import lines_of, not_utf8, open_bytes
from elusive.data.tables import Row, Table

_AHEAD_ROWS: Final = 64
_AHEAD_REJECTIONS: Final = 10_000


@contextlib.contextmanager
def json_table(path: Path, *, text_column: str) -> Iterator[Table]:
    """Opens a file of JSON lines.

    Args:
        path: the file, compressed or not.
        text_column: reading ahead for the columns ends at the first row that has it.

    Raises:
        InputError: the file cannot be opened, or is cut short.
    """
    with open_bytes(path) as stream:
        records = _records(lines_of(stream, path), str(path))
        ahead, columns = read_ahead(records, text_column=text_column)
        yield Table(str(path), columns, lambda _: itertools.chain(ahead, records))


def read_ahead(
    records: Iterator[Row | Rejection], *, text_column: str
) -> tuple[list[Row | Rejection], list[str] | None]:
    """Learns the columns of rows that carry their own names.

    One row may lack a key by accident; when 64 in a row lack it, it is the name that is wrong.

    Returns:
        the records taken, and the names seen in order of appearance; None when no row was seen.
    """
    ahead: list[Row | Rejection] = []
    names: dict[str, None] = {}
    n_rows = 0
    for record in records:
        ahead.append(record)
        if isinstance(record, Row):
            n_rows += 1
            names.update(dict.fromkeys(record.values))
        if text_column in names or n_rows == _AHEAD_ROWS or len(ahead) >= _AHEAD_REJECTIONS:
            break
    return ahead, list(names) if n_rows else None


def _records(lines: Iterator[bytes], file: str) -> Iterator[Row | Rejection]:
    for number, line in enumerate(lines, start=1):
        content = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if content.strip():
            yield _record(content, file, number)


def _record(content: bytes, file: str, number: int) -> Row | Rejection:
    try:
        decoded = content.decode("utf-8")
    except UnicodeDecodeError:
        return Rejection(file, number, Reason.BAD_UTF8, not_utf8(content, place="line"))
    try:
        value = DECODER.decode(decoded)
    except json.JSONDecodeError as error:
        return Rejection(file, number, Reason.BROKEN_JSON, f"{error.msg} at character {error.pos + 1}")
    # An integer of thousands of digits, a key twice; brackets without end.
    except (ValueError, RecursionError) as error:
        return Rejection(file, number, Reason.BROKEN_JSON, excerpt(str(error)))
    if not isinstance(value, dict):
        return Rejection(file, number, Reason.NOT_AN_OBJECT, excerpt(decoded.strip()))
    return Row(number, value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of which nothing is lost: of a key that comes twice, `json` would keep the last value alone."""
    found = dict(pairs)
    if len(found) < len(pairs):
        [(key, times)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {key!r} is there {times} times")
    return found


DECODER: Final = json.JSONDecoder(object_pairs_hook=_object)
