"""Reads one JSON array of objects as a stream, whatever the size of the file.

The array is the file, or stands in an object, under `Data` as in the original TriviaQA or under `data` as in the
original SQuAD. Records are decoded by
`json` out of a window that slides over the file: as fast as loading it whole, without another dependency. A record
that is unfit costs itself; JSON that is broken ends the reading, since nothing tells where the next record begins.
Memory is one window, or one record where that is longer.
"""

import codecs
import contextlib
import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from elusive.data.json_lines import DECODER, read_ahead
from elusive.data.rejected import Reason, Rejection, excerpt
from elusive.data.streams import LONGEST_TEXT, is_undecodable, not_utf8, open_lines, too_long
from elusive.data.tables import Row, Table
from elusive.errors import InputError

WRAPPING_KEY: Final = "Data"
SQUAD_KEY: Final = "data"

_WINDOW_LEN: Final = 1 << 16
_LONGEST_WORD: Final = 16  # what the window's end can leave of a word, an escape or an exponent that it cuts
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_ARRAY: Final = re.compile(r'\[\s*(\{\s*("|\}|$)|\]\s*$|$)')
# Other files have lists under this key too, in each of their lines: only articles of SQuAD begin like this.
_SQUAD: Final = re.compile(r'\{\s*("version"\s*:\s*"[^"]*"\s*,\s*)?"data"\s*:\s*\[\s*\{\s*"(title|paragraphs)"\s*:')
# Finds the end of a record that the strict decoder refuses.
_LENIENT: Final = json.JSONDecoder(parse_int=str)


def array_key(head: bytes) -> str | None:
    """Where the array of records is in a file that begins with `head`.

    Returns:
        the key of the object that it is in, the empty string where it is the file, None where there is none.
    """
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="replace").lstrip()
    if _ARRAY.match(text):
        return ""
    if _SQUAD.match(text):
        return SQUAD_KEY
    window = _Window(io.StringIO(text), "the head")
    try:
        window.enter(WRAPPING_KEY)
    except InputError:
        return None
    return WRAPPING_KEY if window.next_sign() == "[" else None


@contextlib.contextmanager
def array_table(path: Path, *, key: str) -> Iterator[Table]:
    """Opens a file that holds one array of objects; rows are numbered by their place in it, from 1.

    Args:
        path: the file, compressed or not.
        key: as `array_key` tells.

    Raises:
        InputError: the file cannot be opened; while reading: it is cut short, or its JSON is broken.
    """
    with open_lines(path) as stream:
        window = _Window(stream, str(path))
        if key:
            window.enter(key)
        records = _records(window, str(path), until_end=not key)
        ahead, columns = read_ahead(records, text_column="")
        yield Table(str(path), columns, lambda _: itertools.chain(ahead, records))


def _records(window: "_Window", file: str, *, until_end: bool) -> Iterator[Row | Rejection]:
    window.take("[")
    if window.next_sign() == "]":
        return
    number, sign = 0, ","
    while sign == ",":
        number += 1
        yield _record(window, file, number)
        sign = window.take(",]")
    if until_end and window.next_sign():
        raise window.broken("something follows the array")


def _record(window: "_Window", file: str, number: int) -> Row | Rejection:
    value, source = window.value()
    if is_undecodable(source):
        return Rejection(file, number, Reason.BAD_UTF8, not_utf8(source, place="record"))
    if isinstance(value, ValueError):
        return Rejection(file, number, Reason.BROKEN_JSON, excerpt(str(value)))
    if not isinstance(value, dict):
        return Rejection(file, number, Reason.NOT_AN_OBJECT, excerpt(source))
    return Row(number, value)


class _Window:
    """The part of a file that is being decoded; it grows while a value is cut off by its end."""

    def __init__(self, stream: TextIO, file: str) -> None:
        self._stream = stream
        self._file = file
        self._text = ""
        self._place = 0
        self._n_lines = 0  # before the window

    def enter(self, key: str) -> None:
        """Goes into the object that the file is, up to the value of `key`."""
        self.take("{")
        while True:
            name, _ = self.value()
            self.take(":")
            if name == key:
                return
            self.value()
            self.take(",")

    def next_sign(self) -> str:
        """The next character that is no white space, which is left there; the empty string at the end."""
        while True:
            self._place = _SPACE.match(self._text, self._place).end()  # type: ignore[union-attr]
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._grow():
                return ""

    def take(self, expected: str) -> str:
        """The next character, which has to be one of `expected`."""
        sign = self.next_sign()
        if not sign:
            raise self.broken("it ends within the array; is the file complete?")
        if sign not in expected:
            raise self.broken(f"{sign!r} where {' or '.join(map(repr, expected))} is needed")
        self._place += 1
        return sign

    def value(self) -> tuple[Any, str]:
        """The next value and its source; a ValueError instead of a value that JSON has and Python refuses."""
        self.next_sign()
        decoder, refusal = DECODER, None
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                if not (self._may_be_cut(error) and self._grow()):
                    raise self.broken(error.msg, at=error.pos) from error
            except ValueError as error:
                decoder, refusal = _LENIENT, error
            except RecursionError as error:
                raise self.broken("brackets within brackets without end") from error
            else:
                if end + _LONGEST_WORD < len(self._text) or not self._grow():  # "1", of 1.5e-7 that is cut
                    source = self._text[self._place : end]
                    self._place = end
                    return refusal or value, source

    def broken(self, fault: str, *, at: int | None = None) -> InputError:
        line = self._n_lines + self._text.count("\n", 0, self._place if at is None else at) + 1
        return InputError(f"{self._file} cannot be read as JSON from line {line} on: {excerpt(fault)}")

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated string") or error.pos > len(self._text) - _LONGEST_WORD

    def _grow(self) -> bool:
        """Lets go of what has been read, and doubles what has not; False where the file has no more."""
        ahead = self._text[self._place :]
        if len(ahead) > LONGEST_TEXT:
            raise too_long(f"a record of {self._file}")
        more = self._stream.read(max(_WINDOW_LEN, len(ahead)))
        if more:
            self._n_lines += self._text.count("\n", 0, self._place)
            self._text, self._place = ahead + more, 0
        return bool(more)
