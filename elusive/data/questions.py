"""What a question is, what a passage is, and how many questions two sets have in common.

Made by `question_files` and `passage_files` from files of any layout; nothing here reads a file. Costs nothing
but the count of common questions, which holds one set's questions in memory.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_SEPARATING: Final = frozenset("PZC")  # categories of punctuation, spaces and control characters


class _SpacesForSeparators(dict[int, str]):
    """What `str.translate` puts for each code point, judged when it is first met: whole corpora come by here."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = " " if unicodedata.category(character)[0] in _SEPARATING else character
        return self[code]


_SPACES: Final = _SpacesForSeparators()


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that a reader can be given.

    Attributes:
        id: from the file, or made from the text.
        title: empty where there is none; a section is part of it, `title: section`.
        text: never blank.
        score: what a retriever gave it for a question; None where none did.
    """

    id: str
    title: str
    text: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question, what answers it, and the passages that came with it.

    Attributes:
        id: from the file, or made from the question.
        question: never blank.
        answers: each accepted answer once, in the order of the file; empty only in a layout without answers.
        target: the answer that the data names as the one to be written; None where it names none.
        passages: in the order of the file, best first where a retriever wrote it.
        nouns: words of the question that were marked as nouns; None where the file marks none.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    target: str | None = None
    passages: tuple[Passage, ...] = ()
    nouns: tuple[str, ...] | None = None

    @property
    def target_answer(self) -> str | None:
        """The answer to train on: the target, else the first answer; None where there is none."""
        return self.target if self.target is not None else next(iter(self.answers), None)


def n_shared_questions(questions: Iterable[Question], others: Iterable[Question]) -> int:
    """How many of `questions` are asked in `others` too, up to case, punctuation, spaces and Unicode form.

    A question that is there twice in `questions` counts twice.
    """
    asked = {normalised_question(other.question) for other in others}
    return sum(normalised_question(question.question) in asked for question in questions)


def normalised_question(question: str) -> str:
    """What two askings of one question have in common; of a question without any word, the question itself."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", question).casefold())
    words = folded.translate(_SPACES).split()
    return " ".join(words) or question
