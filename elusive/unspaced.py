"""Scripts that are written without spaces between words: Chinese, Japanese, Thai and their like.

A rule that takes what stands between spaces for a word takes a whole sentence of them for one, and finds no answer in
any passage. Here a character, with the marks on it, is what a word is elsewhere. Ranges are those of the line breaking
classes ID, CJ and SA of Unicode (UAX #14), letters and marks alone. Reads no file. A text costs one search; one in such
a script a look at each character.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_RANGES: Final = (
    ("\u0e01", "\u0e3a"),  # Thai
    ("\u0e40", "\u0e4e"),
    ("\u0e81", "\u0ece"),  # Lao
    ("\u0edc", "\u0edf"),
    ("\u1000", "\u103f"),  # Myanmar
    ("\u1050", "\u108f"),
    ("\u109a", "\u109d"),
    ("\u1780", "\u17d3"),  # Khmer
    ("\u17d7", "\u17d7"),
    ("\u17dc", "\u17dd"),
    ("\u1950", "\u19c9"),  # Tai Le, New Tai Lue
    ("\u1a20", "\u1a7c"),  # Tai Tham
    ("\u1aa7", "\u1aa7"),
    ("\u3005", "\u3007"),  # the iteration mark, and zero, of Han
    ("\u3021", "\u3029"),
    ("\u3031", "\u3035"),
    ("\u3038", "\u303c"),
    ("\u3041", "\u309a"),  # Hiragana
    ("\u309d", "\u309f"),
    ("\u30a1", "\u30fa"),  # Katakana, without its middle dot
    ("\u30fc", "\u30ff"),
    ("\u3105", "\u312f"),  # Bopomofo
    ("\u31a0", "\u31bf"),
    ("\u31f0", "\u31ff"),
    ("\u3400", "\u4dbf"),  # Han
    ("\u4e00", "\ua48c"),  # Han, Yi
    ("\ua9e0", "\ua9ef"),  # Myanmar
    ("\ua9fa", "\ua9fe"),
    ("\uaa60", "\uaa76"),
    ("\uaa7a", "\uaadd"),  # Tai Viet
    ("\uf900", "\ufaff"),  # Han
    ("\uff66", "\uff9f"),  # Katakana of half width
    ("\U00011700", "\U0001172b"),  # Ahom
    ("\U00011740", "\U00011746"),
    ("\U00017000", "\U000187f7"),  # Tangut
    ("\U00018800", "\U00018aff"),
    ("\U00018d00", "\U00018d08"),
    ("\U0001b000", "\U0001b16f"),  # Kana
    ("\U0001b170", "\U0001b2fb"),  # Nushu
    ("\U00020000", "\U0003ffff"),  # Han
)
LETTERS: Final = "".join(f"{first}-{last}" for first, last in _RANGES)
"""The letters of these scripts and the marks on them, as they stand in a class of a regular expression."""

_LETTER: Final = re.compile(f"[{LETTERS}]")


def is_unspaced(text: str) -> bool:
    """Whether a letter of such a script stands in a text."""
    return not text.isascii() and _LETTER.search(text) is not None


def n_unspaced(answers: Iterable[Iterable[str]]) -> int:
    """How many questions have an answer in such a script, by the answers of each."""
    return sum(any(map(is_unspaced, of_question)) for of_question in answers)


def spaced_out(text: str) -> str:
    """A text with spaces around each letter of such a script; marks stay with their letter."""
    if not is_unspaced(text):
        return text
    pieces: list[str] = []
    is_letter = False
    for character in text:
        if is_letter and unicodedata.category(character).startswith("M"):
            pieces.append(character)
            continue
        was_letter, is_letter = is_letter, _LETTER.match(character) is not None
        pieces.append(f" {character}" if was_letter or is_letter else character)
    return "".join(pieces)


def remark(n_questions: int, *, of: int) -> str:
    """What a reader of the figures has to know, where there are such questions."""
    return (
        f"{n_questions:,} of the {of:,} questions have answers in a script without spaces between words (Chinese, "
        "Japanese, Thai): there each character counts as a word, for hits, exact match and F1."
    )
