"""The layouts that questions and passages come in, and which of them a file's columns fit.

A layout is a choice of columns and nothing more: what is in them is read in one way for all (`question_rows`,
`passage_files`). Files are told apart by columns, never by name. Reads no file.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from elusive.errors import InputError

TARGET_COLUMN: Final = "target"
NOUNS_COLUMN: Final = "nouns"


@dataclass(frozen=True, slots=True)
class QuestionLayout:
    """Columns of questions.

    Attributes:
        name: as the field calls it.
        question: the column of the question.
        answers: the column of the answers; None in a layout that has none.
        passages: columns of passages, which are read one after the other where they are there: of DPR's training
            files the positive ones, then the hard negatives, then the others.
        spelled: whether the answers of a file of text are always a written-out list.
        required: all columns without which a file is not in this layout.
        barred: columns that a file in this layout does not have.
    """

    name: str
    question: str
    answers: str | None
    passages: tuple[str, ...] = ()
    spelled: bool = False
    required: frozenset[str] = frozenset()
    barred: frozenset[str] = frozenset()

    @property
    def lists(self) -> tuple[str, ...]:
        """Those that hold lists."""
        answers = () if self.answers is None else (self.answers,)
        return (*answers, *self.passages, NOUNS_COLUMN)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that may be read, but for the id."""
        return (self.question, *self.lists, TARGET_COLUMN)


@dataclass(frozen=True, slots=True)
class PassageLayout:
    """Columns of passages; `titled` where the first line of the text is the title; `id` where no header names it."""

    name: str
    text: str
    titled: bool
    required: frozenset[str]
    barred: frozenset[str] = frozenset()
    id: str | None = None


_Layout = TypeVar("_Layout", QuestionLayout, PassageLayout)


def _asked(
    name: str, question: str, answers: str, *, passages: tuple[str, ...] = (), marks: tuple[str, ...] = ()
) -> QuestionLayout:
    return QuestionLayout(name, question, answers, passages, required=frozenset({question, answers, *marks}))


QUESTION_LAYOUTS: Final[tuple[QuestionLayout, ...]] = (
    _asked(
        "DPR training",
        "question",
        "answers",
        passages=("positive_ctxs", "hard_negative_ctxs", "negative_ctxs"),
        marks=("positive_ctxs",),
    ),
    _asked("DPR or FiD results", "question", "answers", passages=("ctxs",), marks=("ctxs",)),
    _asked("Atlas or SQuAD-like", "question", "answers", passages=("passages",)),
    _asked("NQ-open, or TriviaQA of the Hub", "question", "answer"),
    _asked("FlashRAG", "question", "golden_answers"),
    _asked("KILT", "input", "output"),
    _asked("TriviaQA original", "Question", "Answer"),
    QuestionLayout(
        "BEIR queries", "text", None, required=frozenset({"_id", "text"}), barred=frozenset({"title", "contents"})
    ),
)
PASSAGE_LAYOUTS: Final[tuple[PassageLayout, ...]] = (
    PassageLayout("DPR, Atlas or BEIR", "text", titled=False, required=frozenset({"text"})),
    PassageLayout("FlashRAG", "contents", titled=True, required=frozenset({"contents"})),
)
KNOWN_QUESTIONS: Final = (
    *(f"{layout.name} ({', '.join(sorted(layout.required))})" for layout in QUESTION_LAYOUTS),
    "DPR QA (no header: a question, a tab, a list of answers)",
)
KNOWN_PASSAGES: Final = (
    *(f"{layout.name} ({', '.join(sorted(layout.required))})" for layout in PASSAGE_LAYOUTS),
    "MS MARCO (no header: an id, a tab, a passage)",
)


def find_layout(layouts: Sequence[_Layout], columns: Collection[str], *, file: str, options: str) -> _Layout | None:
    """The one layout that the columns fit best; None where they fit none.

    Args:
        layouts: to choose from.
        columns: of the file.
        file: its name, for the error.
        options: by which columns can be named.

    Raises:
        InputError: they fit several layouts, none of which is part of another.
    """
    fitting = [x for x in layouts if x.required <= set(columns) and x.barred.isdisjoint(columns)]
    best = [x for x in fitting if not any(x.required < other.required for other in fitting)]
    if len(best) > 1:
        names = " and ".join(layout.name for layout in best)
        raise InputError(f"{file} fits the layouts {names}; name its columns with {options}")
    return best[0] if best else None


def headerless_layout(columns: Sequence[str]) -> QuestionLayout | None:
    """The layout of DPR's question files, whose first line is a question and no header; None for a header."""
    if len(columns) == 2 and columns[1].lstrip().startswith("["):
        return QuestionLayout("DPR QA", columns[0], columns[1], spelled=True)
    return None


def headerless_passages(columns: Sequence[str]) -> PassageLayout | None:
    """The layout of MS MARCO's collection, whose first line is an id and a passage; None for a header.

    Three columns are not read so: which of them is the title, nothing tells.
    """
    if len(columns) == 2 and re.fullmatch(r"\S*\d\S*", columns[0]) and len(columns[1].split()) > 1:
        return PassageLayout("MS MARCO", columns[1], titled=False, required=frozenset(), id=columns[0])
    return None
