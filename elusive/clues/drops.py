"""Cutting drawn units out of a text; a copy is always a subsequence of its source (or as long, where it is blanked)."""

from collections.abc import Iterable
from typing import TypeAlias

from elusive.choices import MASK, DropMode

Span: TypeAlias = tuple[int, int]


def without(text: str, spans: Iterable[Span], *, mode: DropMode = "delete", mask: str = MASK) -> str:
    """The text without some of its characters.

    Args:
        text: the source.
        spans: code points to drop, in order, disjoint.
        mode: `delete` takes the characters out, and one of two spaces that come to stand side by side at the cut, as
            the paper's words have it; `blank` puts spaces of equal length there, as the authors' script does;
            `mask` puts a string there, once per span.
        mask: that string.
    """
    if mode != "delete":
        return _replaced(text, spans, mask=None if mode == "blank" else mask)
    kept: list[str] = []
    last, position = "", 0
    for start, end in spans:  # a neighbour's cut goes on where this one ends
        if start > position:
            kept.append(text[position:start])
            last = text[start - 1]
        position = end
        if last == " " and text[end : end + 1] == " ":
            position += 1
    kept.append(text[position:])
    return "".join(kept)


def _replaced(text: str, spans: Iterable[Span], *, mask: str | None) -> str:
    parts, position = [], 0
    for start, end in spans:
        parts += [text[position:start], " " * (end - start) if mask is None else mask]
        position = end
    return "".join([*parts, text[position:]])
