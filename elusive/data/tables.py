"""What every reader of a format yields: a table of numbered rows, and the choice of its columns.

A reader opens a file as a `Table`, tells its columns where it knows them, and yields rows or rejections. It
does not judge texts: that is done once, for all formats, in `elusive.data.corpus`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from elusive.data.rejected import Rejection, excerpt
from elusive.errors import InputError, near_matches

DEFAULT_TEXT: Final = "text"
DEFAULT_ID: Final = "id"

_SHOWN_LEN: Final = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was found.

    Attributes:
        line: line or row number, from 1.
        values: the wanted columns, perhaps with others; a column that the row lacks is absent.
    """

    line: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns in use; `id` is None where ids are made from the content."""

    text: str
    id: str | None

    @property
    def names(self) -> list[str]:
        """Their names, each once."""
        return [self.text] if self.id in (None, self.text) else [self.text, str(self.id)]


@dataclass(frozen=True, slots=True)
class Table:
    """One file, or one dataset, opened for reading.

    Attributes:
        name: the file as the user named it.
        columns: names of all its columns; None where no row shows any (an empty or broken file).
        rows: called once with the names of the wanted columns, each once; yields every row in order.
        has_header: whether the names were taken from a first line, which may be a row in truth.
    """

    name: str
    columns: Sequence[str] | None
    rows: Callable[[Sequence[str]], Iterator[Row | Rejection]]
    has_header: bool = False


def choose_columns(table: Table, *, text_column: str | None, id_column: str | None) -> Columns:
    """Settles which columns of `table` hold the text and the id.

    Args:
        table: an opened table.
        text_column: the column that was asked for; None means `text`.
        id_column: likewise; None means `id` where there is one, and the empty string means none.

    Raises:
        InputError: a column is not there, or is there twice; nothing is guessed.
    """
    text = text_column or DEFAULT_TEXT
    if table.columns is None:
        return Columns(text, id_column or None)
    require_columns(table, {text: "--text-column"})
    if id_column is None:
        id_column = DEFAULT_ID if DEFAULT_ID in table.columns and text != DEFAULT_ID else ""
    if id_column:
        require_columns(table, {id_column: "--id-column"})
    return Columns(text, id_column or None)


def require_columns(table: Table, options: Mapping[str, str]) -> None:
    """Refuses a table that lacks a column, or has it twice.

    Args:
        table: an opened table that shows its columns.
        options: the columns, each with the option that names another one; empty where nothing does.

    Raises:
        InputError: nothing is guessed, but near matches are named.
    """
    columns = table.columns or ()
    for column, option in options.items():
        found = columns.count(column)
        if found > 1:
            raise InputError(f"column {column!r} is there {found} times in {table.name}; rename all but one")
        if not found:
            # A file without a header shows its first texts as columns: they can be of any length.
            near = near_matches(column, [excerpt(name)[:_SHOWN_LEN] for name in columns])
            hint = header_hint(table) or (f" (choose one with {option})" if option else "")
            raise InputError(f"no column {column!r} in {table.name}{near}{hint}")


def header_hint(table: Table) -> str:
    """What to do where the names of the columns are no names but a row: a number, or as long as a text."""
    names = table.columns or () if table.has_header else ()
    if not any(name.strip().isdecimal() or len(name) > _SHOWN_LEN for name in names):
        return ""
    return "; its first line seems to be a row: write the names of the columns in a line before it, such as id and text"
