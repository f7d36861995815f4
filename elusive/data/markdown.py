"""Markdown made of texts that nobody checked: they are shown as they are, and change nothing around them."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from elusive.errors import UNSEEN

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+\-|~$&@^=])")


def escaped(text: str) -> str:
    """Text as Markdown that shows it, in one line; what is unseen becomes U+FFFD."""
    return _SPECIAL.sub(r"\\\1", UNSEEN.sub("\ufffd", re.sub(r"\s+", " ", text)))


def code(text: str) -> str:
    """Text as a code span, in one line, that holds in a table too."""
    line = UNSEEN.sub("\ufffd", " ".join(text.split())).replace("|", "\\|")
    ticks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{ticks} {line} {ticks}" if "`" in line else f"`{line}`"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def struck_out(text: str, spans: Iterable[tuple[int, int]], *, length: int) -> str:
    """The beginning of a text with some spans struck out.

    Args:
        text: any text.
        spans: start and end of each in code points, in order, none over another.
        length: how much of the text to show, in code points.
    """
    shown, position = [], 0
    for start, end in spans:
        if start >= length:
            break
        shown += [escaped(text[position:start]), f"<del>{escaped(text[start : min(end, length)])}</del>"]
        position = min(end, length)
    shown.append(escaped(text[position:length]))
    return "".join(shown).replace("</del><del>", "").strip() + (" …" if len(text) > length else "")
