"""What can be dropped as one: tokens that share a character, or whole words; and what is never dropped.

The bytes of one character are several tokens to a byte-level tokenizer, and cannot be dropped apart.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elusive.choices import UnitKind
from elusive.errors import OptionError
from elusive.tokenization import TokenizedText

_WORD = re.compile(r"\w+(?:['’\-\u200c\u200d]\w+)*")


class _MarksAsLetters(dict[int, int]):
    """For `str.translate`: accents and vowel signs are parts of words, though no letters to `re`."""

    def __missing__(self, code: int) -> int:
        self[code] = ord("a") if unicodedata.category(chr(code)).startswith("M") else code
        return self[code]


_MARKS_AS_LETTERS = _MarksAsLetters()
_PUNCTUATION = (",", ".")
PROTECTION_CLASSES = {
    "digits": r"\d",
    "negations": r"(?i)\b(?:no|not|nor|none|never|nothing|nobody|neither|without|cannot)\b|\w+n['’]t\b",
}
"""Ready-made patterns of things that should not be dropped, by name."""


@dataclass(frozen=True, eq=False)
class Units:
    """The units of one text.

    Attributes:
        of_token: unit of each token, [token].
        starts: first code point of each unit, [unit].
        ends: one past its last.
        protected: whether it is never dropped.
    """

    of_token: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    protected: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.starts)

    def mean(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean score of each unit's tokens that have one; NaN where none has."""
        defined = ~np.isnan(scores)
        counts = np.bincount(self.of_token[defined], minlength=len(self))
        sums = np.bincount(self.of_token[defined], weights=scores[defined], minlength=len(self))
        means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(len(self), np.nan), where=counts > 0)
        return means


@dataclass(frozen=True, eq=False)
class _Spans:
    """Sorted, disjoint spans of a text, such as the matches of a pattern."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, pattern: re.Pattern[str], text: str) -> "_Spans":
        found = [m.span() for m in pattern.finditer(text) if m.end() > m.start()]
        table = np.asarray(found, dtype=np.int64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1])

    def touched(self, tokens: TokenizedText) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First and last span that each token has a character in; first > last where there is none."""
        first = np.searchsorted(self.ends, tokens.starts, side="right")
        last = np.searchsorted(self.starts, tokens.ends, side="left") - 1
        empty = tokens.ends <= tokens.starts
        return np.where(empty, 1, first), np.where(empty, 0, last)


def protection(patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """The patterns of all that the user protects.

    They stay apart: in one pattern the matches of one would hide those of another, and group numbers would shift.

    Args:
        patterns: regular expressions, or names of `PROTECTION_CLASSES`.

    Raises:
        OptionError: not a regular expression.
    """
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re.compile(PROTECTION_CLASSES.get(pattern, pattern)))
        except (re.error, OverflowError) as error:
            raise OptionError(
                f"--protect {pattern!r} is neither a regular expression ({error}) nor one of "
                f"{', '.join(PROTECTION_CLASSES)}"
            ) from error
    return tuple(compiled)


def units_of(
    text: str, tokens: TokenizedText, *, kind: UnitKind = "token", protect: Iterable[re.Pattern[str]] = ()
) -> Units:
    """Group a text's tokens into units.

    Args:
        text: the text.
        tokens: its tokens, in order.
        kind: `token`; or `word`, letters, their marks and digits, with inner apostrophes, hyphens and joiners (a
            run of a script that writes no spaces is one word).
        protect: never drop what has a character in a match of one of these. Commas and full stops are never dropped.
    """
    of_token = _joined(text, tokens, kind=kind)
    n_units = int(of_token[-1]) + 1 if len(of_token) else 0
    starts = np.full(n_units, len(text), dtype=np.int32)
    ends = np.zeros(n_units, dtype=np.int32)
    np.minimum.at(starts, of_token, tokens.starts)
    np.maximum.at(ends, of_token, tokens.ends)
    protected = np.zeros(n_units, dtype=bool)
    protected[of_token[_protected_tokens(text, tokens, protect)]] = True
    return Units(of_token, starts, ends, protected)


def _joined(text: str, tokens: TokenizedText, *, kind: UnitKind) -> NDArray[np.int32]:
    if not len(tokens):
        return np.empty(0, dtype=np.int32)
    apart = tokens.starts[1:] >= np.maximum.accumulate(tokens.ends)[:-1]
    if kind == "word":
        first, last = _Spans.of(_WORD, text.translate(_MARKS_AS_LETTERS)).touched(tokens)
        reached = np.maximum.accumulate(np.where(first <= last, last, -1))[:-1]
        apart &= (first[1:] > last[1:]) | (first[1:] > reached)
    return np.concatenate([[0], np.cumsum(apart)]).astype(np.int32)


def _protected_tokens(text: str, tokens: TokenizedText, protect: Iterable[re.Pattern[str]]) -> NDArray[np.bool_]:
    pieces = tokens.pieces(text)
    # A dummy prefix has no characters to drop.
    protected = np.array([not piece or piece.strip() in _PUNCTUATION for piece in pieces], dtype=bool)
    for pattern in protect:
        first, last = _Spans.of(pattern, text).touched(tokens)
        protected |= first <= last
    return protected
