"""What each token of a biography is: of the name, of a fact, a pronoun, a function word, or something else."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from phrasings import PRONOUNS

Role = Literal["first name", "last name", "fact value", "pronoun", "function word", "other word", "punctuation"]
NAME_ROLES: Final = ("first name", "last name")

_FUNCTION_WORDS: Final = """
a an the of in on at to for from by with behind before between along near over under up down off and or but as if
than is are was were be been has had have do does did could would it its this that these those there here when where
who what which we them us not no nobody never then once again some any all much more
"""
FUNCTION_WORDS: Final = frozenset(_FUNCTION_WORDS.split())


def token_roles(
    text: str, offsets: Sequence[tuple[int, int]], *, name: str, values: Iterable[str]
) -> list[Role | None]:
    """One role a token, by its characters; None for a token without any, such as BOS."""
    start = text.index(name)
    first_name, _, last_name = name.partition(" ")
    spans: list[tuple[int, int, Role]] = [
        (start, start + len(first_name), "first name"),
        (start + len(name) - len(last_name), start + len(name), "last name"),
    ]
    for value in values:
        found = re.search(rf"\b{re.escape(value)}\b", text)
        if found is None:
            raise ValueError(f"the text does not state {value!r}: {text!r}")
        spans.append((*found.span(), "fact value"))
    return [_role(text, begin, end, spans) for begin, end in offsets]


def first_sentence_end(text: str) -> int:
    """Where the first sentence ends; openings hold no other full stop."""
    return text.index(".") + 1


def _role(text: str, begin: int, end: int, spans: Sequence[tuple[int, int, Role]]) -> Role | None:
    word = text[begin:end].strip()
    if not word:
        return None
    last = end - 1
    for span_begin, span_end, role in spans:
        if span_begin <= last < span_end:
            return role
    if not any(character.isalnum() for character in word):
        return "punctuation"
    if word in PRONOUNS:
        return "pronoun"
    return "function word" if word.lower() in FUNCTION_WORDS else "other word"
