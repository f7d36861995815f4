"""What a text is, and the rules by which a row of any format becomes one or is set aside.

One judge serves a whole corpus: it also gives the ids and finds double ones. It reads no file.
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import isnan
from typing import Final

from elusive.data.identity import ContentIds, UniqueIds
from elusive.data.rejected import Reason, Rejection, excerpt
from elusive.data.tables import Columns, Row
from elusive.data.tags import BrokenTagsError, untagged

_ABSENT = object()
_EXACT_BELOW: Final = 2**53
_REMEDY: Final = "--id-column names another column, and --id-column '' makes ids from the texts"
_SHOWN_LEN: Final = 60


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a corpus, which UTF-8 can hold, and its id, which no other text of the corpus has."""

    id: str
    text: str


class Judge:
    """Turns rows into texts, in the order of the corpus, since ids depend on what came before.

    Args:
        strip_tags: names of inline tags that are removed.
    """

    def __init__(self, strip_tags: Collection[str] = ()) -> None:
        self._strip_tags = frozenset(strip_tags)
        self._content_ids = ContentIds()
        self._unique_ids = UniqueIds()

    def judge(self, row: Row, columns: Columns, *, file: str) -> Text | Rejection:
        """The text of a row, or why it is none.

        Raises:
            InputError: the id was there before.
        """
        value = row.values.get(columns.text, _ABSENT)
        fault = _fault_of_text(value)
        if fault is not None:
            return Rejection(file, row.line, *fault)
        try:
            text, _ = untagged(str(value), self._strip_tags)
        except BrokenTagsError as broken:
            return Rejection(file, row.line, Reason.TAGS, excerpt(str(broken)))
        if not text.strip():
            return Rejection(file, row.line, Reason.EMPTY_TEXT)
        encoded = encode_utf8(text)
        if encoded is None:
            return Rejection(file, row.line, Reason.SURROGATE, excerpt(text))
        if columns.id is None:
            return Text(self._content_ids.of(encoded), text)
        text_id = id_of(row.values.get(columns.id))
        if text_id is None:
            return Rejection(file, row.line, *_fault_of_id(row.values.get(columns.id)))
        self._unique_ids.add(text_id, file=file, line=row.line)
        return Text(text_id, text)


def encode_utf8(text: str) -> bytes | None:
    """`text` in UTF-8; None where a lone surrogate keeps it from being encoded."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return None


def _fault_of_text(value: object) -> tuple[Reason, str] | None:
    if value is _ABSENT:
        return Reason.NO_TEXT, ""
    if value is None:
        return Reason.NULL_TEXT, ""
    if not isinstance(value, str):
        return Reason.TEXT_TYPE, excerpt(value)
    return None


def id_of(value: object) -> str | None:
    """An id as text; None where a value can be none.

    A whole number held as a float is that number: pandas makes 7.0 of 7 in a column where another id is missing.
    Beyond 2⁵³ floats leave integers out, and two ids could be one.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_BELOW:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):  # True is an int to Python, and no id
        return None
    text = str(value)
    return text if text.strip() and encode_utf8(text) is not None else None


def _fault_of_id(value: object) -> tuple[Reason, str]:
    """Why `id_of` has none for a value."""
    if value is None or (isinstance(value, str) and not value.strip()) or (isinstance(value, float) and isnan(value)):
        return Reason.NO_ID, _REMEDY
    if isinstance(value, str):
        return Reason.SURROGATE, excerpt(value)
    return Reason.ID_TYPE, excerpt(f"{excerpt(value)[:_SHOWN_LEN]}; {_REMEDY}")
