"""The frame that every job's page shares: one file without scripts, which asks the network for nothing.

Whatever a template prints is escaped, and first made visible. The page's own policy forbids scripts and loads, so that
a fault in escaping would still do nothing. Knows no job.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elusive.report.glyphs import visible

if TYPE_CHECKING:
    from jinja2 import Environment

_ROOM = Path(__file__).parent


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Attributes:
        caption: what it shows.
        head: the columns' names; the first column names its row.
        rows: cells as they are printed.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """A plot on the page.

    Attributes:
        name: unique on the page; ids are made from it.
        title: in a few words.
        svg: the drawing, as `plots.draw` gives it.
        reading: one sentence on how to read it.
        table: the numbers in it.
    """

    name: str
    title: str
    svg: str
    reading: str
    table: Table


def render(template: str, **values: Any) -> str:
    """A page from a template of this room.

    Args:
        template: its file name.
        **values: what it prints; a name that it uses and that is not given is an error.
    """
    return _environment().get_template(template).render(values) + "\n"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=FileSystemLoader(_ROOM),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = Markup((_ROOM / "style.css").read_text(encoding="utf-8"))  # noqa: S704 (our own)
    return environment
