"""Evaluation questions that stand in a text which the model was trained on: what it answers there, it may have read.

A question is found where its words follow one another, up to case, punctuation, spaces and Unicode form
(`normalised_question`), whatever stands around them. Texts are streamed; a text costs its normalisation and a look at
each of its words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from elusive.data.questions import Question, normalised_question
from elusive.unspaced import spaced_out

_KEY_LEN: Final = 4
"""Words by which a question is looked for; shorter ones by all they have."""


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """Questions found in training texts.

    Attributes:
        leaked: questions found, of `questions`.
        questions: that were looked for.
        texts: that were looked through.
        first: the first question that was found; None where there is none.
        first_in: where that was.
        sources: what was looked through.
        unread: what the model was trained on and could not be looked through, and why.
    """

    leaked: int
    questions: int
    texts: int
    first: str | None
    first_in: str | None
    sources: tuple[str, ...]
    unread: tuple[str, ...]


class LeakSearch:
    """Looks for questions in texts.

    Args:
        questions: the evaluation's.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self.n_texts = 0
        self.found: dict[str, str] = {}
        self._by_key: dict[tuple[str, ...], list[tuple[tuple[str, ...], Question]]] = {}
        for question in questions:
            words = _words(question.question)
            self._by_key.setdefault(words[:_KEY_LEN], []).append((words, question))
        self._lens = sorted({len(key) for key in self._by_key})

    def search(self, texts: Iterable[str], *, source: str) -> None:
        """Note the questions that stand in texts: in `found`, by id, with the source that holds them."""
        for text in texts:
            self.n_texts += 1
            words = _words(text)
            for key_len in self._lens:
                # Each run of so many words, made without slicing the list at each of its words.
                for place, key in enumerate(zip(*(words[i:] for i in range(key_len)), strict=False)):
                    for wanted, question in self._by_key.get(key, ()):
                        if words[place : place + len(wanted)] == wanted:
                            self.found.setdefault(question.id, source)


def _words(text: str) -> tuple[str, ...]:
    """Its words, up to case and punctuation; in a script without spaces its characters, or a text would be one word."""
    return tuple(spaced_out(normalised_question(text)).split())
