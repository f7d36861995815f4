"""Tables of figures in the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

UNKNOWN: Final = "n/a"


def table_of(*words: str, numbers: Sequence[str]) -> "Table":
    """An empty table: columns of words, then columns of numbers."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in words:
        table.add_column(name, overflow="fold", vertical="top")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def plain(name: str) -> str:
    """A user's name, whatever is in it."""
    from rich.markup import escape

    return escape(name)
