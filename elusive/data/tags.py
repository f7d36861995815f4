"""Inline tags that mark facts in a text: `born in <city>Halton</city>`, as tagged biographies have them.

Only tags that are named are looked at: whatever else stands in angle brackets (HTML, code) is text. Knows neither
files nor questions. Costs one pass over a text.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from elusive.errors import OptionError

NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")
"""What a tag may be called."""


@dataclass(frozen=True, slots=True)
class TaggedSpan:
    """Characters start to end of a text without its tags, and the tag that they stood in."""

    tag: str
    start: int
    end: int


BIOGRAPHICAL: Final = frozenset(
    {"name", "date", "city", "university", "major", "company", "birth_date", "birth_city", "company_city"}
)
"""Tags of biographies, as the paper's data and our samples have them."""
_BIOGRAPHICAL: Final = re.compile(rf"<({'|'.join(sorted(BIOGRAPHICAL))})>[^<]*</\1>")


def biographical_tags(text: str) -> set[str]:
    """Tags of biographies that stand in a text: who trains on it will hardly want them there."""
    return set(_BIOGRAPHICAL.findall(text)) if "</" in text else set()


class BrokenTagsError(ValueError):
    """A tag that is opened and not closed, closed and not opened, or opened inside another one."""


def check_tags(tags: Collection[str]) -> None:
    """See that tags are named as such.

    Raises:
        OptionError: a name that can be none.
    """
    for tag in tags:
        if not NAME.fullmatch(tag):
            raise OptionError(f"{tag!r} is no name of a tag; expected a word such as city, without brackets")


def untagged(text: str, tags: Collection[str]) -> tuple[str, tuple[TaggedSpan, ...]]:
    """A text without its tags, and what stood in each, in the order of the text.

    Args:
        text: with tags.
        tags: names of those that are removed; others stay as they are.

    Raises:
        BrokenTagsError: one of them is not closed, or not opened, or inside another.
    """
    if not tags:
        return text, ()
    pieces: list[str] = []
    spans: list[TaggedSpan] = []
    opened: tuple[str, int] | None = None
    length = done = 0
    for mark in re.finditer(rf"<(/?)({'|'.join(map(re.escape, sorted(tags)))})>", text):
        pieces.append(text[done : mark.start()])
        length += mark.start() - done
        done = mark.end()
        closes, tag = mark.groups()
        if closes:
            if opened is None or opened[0] != tag:
                raise BrokenTagsError(f"</{tag}> closes nothing")
            spans.append(TaggedSpan(*opened, length))
            opened = None
        elif opened is not None:
            raise BrokenTagsError(f"<{tag}> stands inside <{opened[0]}>")
        else:
            opened = tag, length
    if opened is not None:
        raise BrokenTagsError(f"<{opened[0]}> is not closed")
    return "".join([*pieces, text[done:]]), tuple(spans)
