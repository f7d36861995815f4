"""Reads plain text: one text a file, or one a paragraph, where a blank line ends a paragraph.

Nothing is trimmed from a whole file but a byte-order mark; a paragraph goes without the newline at its end.
Memory is one text.
"""

import codecs
import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from elusive.data.rejected import Reason, Rejection
from elusive.data.streams import LONGEST_TEXT, is_undecodable, lines_of, not_utf8, open_bytes, open_lines, too_long
from elusive.data.tables import DEFAULT_TEXT, Row, Table


@contextlib.contextmanager
def plain_table(path: Path, *, paragraphs: bool) -> Iterator[Table]:
    """Opens a text file as a table with the one column `text`.

    Args:
        path: the file, compressed or not.
        paragraphs: a row for each paragraph, numbered by its first line, instead of one for the file.

    Raises:
        InputError: the file cannot be opened, or is cut short.
    """
    name = str(path)
    if paragraphs:
        with open_lines(path) as lines:
            yield Table(name, (DEFAULT_TEXT,), lambda _: _paragraphs(lines_of(lines, path), name))
    else:
        with open_bytes(path) as stream:
            yield Table(name, (DEFAULT_TEXT,), lambda _: _whole(stream, name))


def _whole(stream: io.BufferedReader, file: str) -> Iterator[Row | Rejection]:
    content = stream.read(LONGEST_TEXT + 1).removeprefix(codecs.BOM_UTF8)
    if len(content) > LONGEST_TEXT:
        raise too_long(file)
    try:
        yield Row(1, {DEFAULT_TEXT: content.decode("utf-8")})
    except UnicodeDecodeError:
        yield Rejection(file, None, Reason.BAD_UTF8, not_utf8(content, place="file"))


def _paragraphs(lines: Iterator[str], file: str) -> Iterator[Row | Rejection]:
    paragraph: list[str] = []
    number = n_chars = 0
    for number, line in enumerate(lines, start=1):
        if line.strip():
            paragraph.append(line)
            n_chars += len(line)
            if n_chars > LONGEST_TEXT:
                raise too_long(f"the paragraph at line {number + 1 - len(paragraph)} of {file}")
        elif paragraph:
            yield _row("".join(paragraph), file, number - len(paragraph))
            paragraph, n_chars = [], 0
    if paragraph:
        yield _row("".join(paragraph), file, number + 1 - len(paragraph))


def _row(paragraph: str, file: str, line: int) -> Row | Rejection:
    text = paragraph.removesuffix("\n").removesuffix("\r")
    if is_undecodable(text):
        return Rejection(file, line, Reason.BAD_UTF8, not_utf8(text, place="paragraph"))
    return Row(line, {DEFAULT_TEXT: text})
