"""Text as it can be shown: what a browser would hide, obey or refuse becomes a sign that stands for it.

Escaping for HTML is the page's business, not done here.
"""

import unicodedata

from elusive.errors import UNSEEN

MAX_PIECE = 32

_PICTURES = {"\n": "↵", "\t": "⇥", "\x7f": "␡"} | {chr(c): chr(0x2400 + c) for c in range(32) if c not in (9, 10)}


def visible(text: str) -> str:
    """The text with a sign in place of every character that could not be seen, or would be obeyed."""
    return UNSEEN.sub(lambda match: _sign(match[0]), text)


def visible_piece(piece: str) -> str:
    """A token or word by itself: white space alone, a lone joiner and a mark without its letter are shown too."""
    if not piece:
        return "∅"
    shown = piece.strip(" ")
    if not shown:
        return "␣" * min(len(piece), MAX_PIECE)
    if all(unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f" for character in shown):
        return " ".join(_sign(character) for character in shown[:MAX_PIECE])
    if unicodedata.category(shown[0]).startswith("M"):
        shown = "◌" + shown
    return visible(shortened(shown, MAX_PIECE))


def shortened(text: str, length: int) -> str:
    """At most so many characters, an ellipsis for the rest."""
    return text if len(text) <= length else text[: length - 1] + "…"


def direction(text: str) -> str:
    """`rtl` where the first letter that has a direction is of a script that runs from right to left, else `ltr`."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


def _sign(character: str) -> str:
    return _PICTURES.get(character) or f"⟨U+{ord(character):04X}⟩"
