"""What a text is, and the rules by which a row of any format becomes one or is set aside.

One judge serves a whole corpus: it also gives the ids and finds double ones. It reads no file.
"""

from collections.abc import Collection
from dataclasses import dataclass

from elusive.data.identity import ContentIds, UniqueIds
from elusive.data.rejected import Reason, Rejection, excerpt
from elusive.data.tables import Columns, Row
from elusive.data.tags import BrokenTagsError, untagged

_ABSENT = object()


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
        text_id = row.values.get(columns.id)
        fault = _fault_of_id(text_id)
        if fault is not None:
            return Rejection(file, row.line, *fault)
        self._unique_ids.add(str(text_id), file=file, line=row.line)
        return Text(str(text_id), text)


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


def _fault_of_id(value: object) -> tuple[Reason, str] | None:
    if value is None or value == "":
        return Reason.NO_ID, ""
    if isinstance(value, bool) or not isinstance(value, str | int):  # True is an int to Python, and no id
        return Reason.ID_TYPE, excerpt(value)
    if isinstance(value, str) and not value.strip():
        return Reason.NO_ID, ""
    return (Reason.SURROGATE, excerpt(value)) if encode_utf8(str(value)) is None else None
