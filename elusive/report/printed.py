"""Figures as a page prints them: a value, how sure it is on a line of its own, and tables of such cells."""

from dataclasses import dataclass

NOT_APPLICABLE = "n/a"


@dataclass(frozen=True)
class Cell:
    """A figure; `note` is printed small below it."""

    value: str
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Rows of a table under a heading of their own; each is a name and its cells."""

    name: str
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class FigureTable:
    """A table of figures.

    Attributes:
        caption: what it shows.
        head: the columns' names, without that of the rows.
        groups: of rows.
    """

    caption: str
    head: tuple[str, ...]
    groups: tuple[Group, ...]


def number(value: float | None, spec: str) -> str:
    """A number with a true minus sign, which zero never has; n/a for None."""
    return NOT_APPLICABLE if value is None else f"{value:{spec.replace('.', 'z.')}}".replace("-", "−")


def interval(bounds: tuple[float, float] | None, spec: str) -> str:
    """An interval in words that no line end parts; nothing where there is none."""
    return f"{number(bounds[0], spec)}\u00a0to\u00a0{number(bounds[1], spec)}" if bounds else ""


def mean_and_sd(mean: float | None, sd: float | None, spec: str) -> str:
    """A mean, and the standard deviation where there is one."""
    return number(mean, spec) + ("" if mean is None or sd is None else f" ± {number(sd, spec)}")


def counts(*values: int) -> tuple[Cell, ...]:
    """Whole numbers, each a cell."""
    return tuple(Cell(f"{value:,}") for value in values)


def sentence(words: str) -> str:
    """Words as a sentence: a capital, and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."
