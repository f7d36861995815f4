"""Rows that cannot be used: why, where, and the file that keeps account of them.

No row of a corpus is dropped silently. Each one set aside becomes a `Rejection`, and a `RejectedLog` streams
them to `rejected.jsonl` and counts them by reason. Costs a line on disk a row, and no memory.
"""

import contextlib
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from elusive.data.atomic import atomic_write
from elusive.errors import one_line

DETAIL_LEN: Final = 200


class Reason(StrEnum):
    """Why a row is set aside: a closed list, so that reasons can be counted."""

    EMPTY_TEXT = "text is empty or white space"
    NULL_TEXT = "text is null"
    NO_TEXT = "row has no text column"
    TEXT_TYPE = "text is not a string"
    SURROGATE = "lone surrogate, which UTF-8 cannot hold"
    BAD_UTF8 = "invalid UTF-8"
    BROKEN_JSON = "broken JSON"
    NOT_AN_OBJECT = "JSON record is not an object"
    BROKEN_CSV = "broken quoting"
    FIELD_COUNT = "wrong number of fields"
    NO_ID = "id is missing, null or empty"
    ID_TYPE = "id is neither a string nor an integer"
    TAGS = "broken inline tags"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that was set aside.

    Attributes:
        file: the file as the user named it, or the name of a Hugging Face dataset.
        line: line of a text file or row of a table, from 1; None where the whole file is meant.
        reason: one of `Reason`.
        detail: what exactly was found, or the beginning of the row; at most 200 characters.
    """

    file: str
    line: int | None
    reason: str
    detail: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.reason}" + (f" ({self.detail})" if self.detail else "")


def excerpt(value: object) -> str:
    """The beginning of a row's content in at most 200 characters, fit for any UTF-8 file and one line."""
    shown = value[:DETAIL_LEN] if isinstance(value, str) else repr(value)[:DETAIL_LEN]
    return one_line(shown)[:DETAIL_LEN]


class RejectedLog:
    """Streams rejections to a jsonl file, which appears, perhaps empty, when the log is closed.

    Use it as a context manager and hand it over as `on_rejected`. A block that fails leaves no file.

    Attributes:
        counts: rejections so far by reason, in order of first appearance.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: dict[str, int] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        temporary = self._stack.enter_context(atomic_write(self.path))
        # A file's name need not be UTF-8; its stray bytes come out as JSON escapes.
        self._file = self._stack.enter_context(
            temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __call__(self, rejection: Rejection) -> None:
        """Writes one rejection down."""
        self._file.write(json.dumps(asdict(rejection), ensure_ascii=False) + "\n")
        self.counts[rejection.reason] = self.counts.get(rejection.reason, 0) + 1

    def close(self) -> None:
        """Puts the file in its place; a second call does nothing.

        Raises:
            FolderError: the disk is full.
        """
        self._stack.close()

    @property
    def n_rejected(self) -> int:
        """Rejections so far, of all reasons."""
        return sum(self.counts.values())
