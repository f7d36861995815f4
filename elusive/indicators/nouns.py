"""Which characters of a question are its nouns (NOUN and PROPN), and which tokens these are.

Three sources, each asked for by name, none standing in for another: TextBlob's pattern tagger (English; a lexicon of
its own, no download), spaCy's small English model, or nouns that came with the question. Words are cut here, so that
they keep their places in the question. Loading TextBlob takes a second, once.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elusive.choices import NounSource
from elusive.errors import InputError, MissingExtraError, ModelError, OptionError

Span: TypeAlias = tuple[int, int]
"""First code point, and one past the last."""

_SPACY_MODEL: Final = "en_core_web_sm"
_APOSTROPHE: Final = "['’]"
_CLITIC: Final = rf"{_APOSTROPHE}(?:s|re|ve|ll|d|m)\b"
# As the tagger's lexicon has them: abbreviations and initials with their dots, "did" and "n't" apart, "Tom" and "'s"
# apart, "O'Hara" and "Catch-22" whole; any other sign by itself.
_WORD: Final = re.compile(
    rf"""(?:[^\W\d_]\.){{2,}} | \b[A-Z]\.(?=\s*[A-Z])
    | \w+(?=n{_APOSTROPHE}t\b) | n{_APOSTROPHE}t\b | {_CLITIC}
    | \w+ (?: -\w+ | \.(?=\d)\w+ | (?!{_CLITIC}){_APOSTROPHE}\w+ )*
    | [^\w\s]""",
    re.VERBOSE | re.IGNORECASE,
)


def noun_spans(
    question: str, *, source: NounSource = "textblob", nouns: Sequence[str] | None = None
) -> tuple[Span, ...]:
    """Where the nouns of a question are, in its order; nothing where it has none.

    Args:
        question: in English for the two taggers.
        source: what says which words are nouns.
        nouns: for `given`, the nouns; each counts wherever it occurs, in any case.

    Raises:
        InputError: `given` without nouns, or a noun that is not in the question.
        MissingExtraError: spaCy is not installed.
        ModelError: its model is not.
        OptionError: an unknown source.
    """
    match source:
        case "given":
            return _given(question, nouns)
        case "textblob":
            return _by_textblob(question)
        case "spacy":
            return _by_spacy(question)
    raise OptionError(f"nouns from {source!r}; expected 'textblob', 'spacy' or 'given'")


def is_noun_token(
    starts: ArrayLike, ends: ArrayLike, *, nouns: Sequence[Span], question_start: int = 0
) -> NDArray[np.bool_]:
    """Which tokens share a character with a noun; a space that belongs to a token makes no difference.

    Args:
        starts: first code point of each token, [token], of a question or of a prompt around it.
        ends: one past its last, [token].
        nouns: spans in the question.
        question_start: where the question begins in the text that the offsets count in.
    """
    first, last = np.asarray(starts)[:, None], np.asarray(ends)[:, None]
    spans = np.array(nouns, dtype=np.int64).reshape(-1, 2) + question_start
    return np.asarray(((first < spans[:, 1]) & (last > spans[:, 0]) & (first < last)).any(axis=1))


def _given(question: str, nouns: Sequence[str] | None) -> tuple[Span, ...]:
    if nouns is None:
        raise InputError(
            f"the question {question!r} came without nouns; give its row a list of words in the column nouns, or take "
            "them from textblob or spacy"
        )
    return tuple(sorted({span for noun in nouns for span in _occurrences(noun, question)}))


def _occurrences(noun: str, question: str) -> list[Span]:
    """As whole words; inside others only where it is no word by itself, as in languages without spaces."""
    for pattern in (rf"(?<!\w){re.escape(noun)}(?!\w)", re.escape(noun)):
        found = [match.span() for match in re.finditer(pattern, question, re.IGNORECASE)]
        if found:
            return found
    raise InputError(f"the noun {noun!r} is not in the question {question!r}; expected words of the question")


def _by_textblob(question: str) -> tuple[Span, ...]:
    words = list(_WORD.finditer(question))
    text = " ".join(word.group().replace("’", "'") for word in words)
    tags = [tag for _, tag in _textblob()(text, tokenize=False)] if words else []
    return tuple(
        word.span()
        for word, tag in zip(words, tags, strict=True)
        # Signs that the lexicon lacks are nouns to the tagger, as all unknown words are.
        if tag.startswith("NN") and any(character.isalpha() for character in word.group())
    )


@cache
def _textblob() -> Callable[..., list[tuple[str, str]]]:
    """The tagger, its lexicon loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the lexicon's file to the garbage collector
        from textblob.en.taggers import PatternTagger

        tag: Callable[..., list[tuple[str, str]]] = PatternTagger().tag
        tag("load", tokenize=False)
    return tag


def _by_spacy(question: str) -> tuple[Span, ...]:
    return tuple((word.idx, word.idx + len(word.text)) for word in _spacy()(question) if word.pos_ in ("NOUN", "PROPN"))


@cache
def _spacy() -> Callable[[str], Any]:
    try:
        import spacy
    except ImportError as error:
        raise MissingExtraError("spacy", extra="spacy", purpose="finding nouns with it") from error
    try:
        pipeline: Callable[[str], Any] = spacy.load(_SPACY_MODEL, exclude=["parser", "ner", "lemmatizer"])
    except OSError as error:
        raise ModelError(
            f"spaCy's model {_SPACY_MODEL} is not installed, and spaCy alone has no tagger; "
            f"run: python -m spacy download {_SPACY_MODEL}"
        ) from error
    return pipeline
