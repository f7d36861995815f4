"""The dev questions that a distillation gained and lost, with what was found for some of them before and after.

A hit is an answer in one of the first five passages, as the hit rate counts it. Costs a look for the answers in each of
these passages.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from elusive.data.questions import Passage, Question
from elusive.metrics import has_answer
from elusive.report.glyphs import direction, shortened

_N_SHOWN: Final = 6
_N_PASSAGES: Final = 5
_N_ANSWERS: Final = 3
_MAX_QUESTION, _MAX_ANSWER, _MAX_TITLE, _MAX_TEXT = 300, 60, 80, 280


@dataclass(frozen=True)
class ShownPassage:
    """A passage as the page shows it: a part of its text, with the answer in it by itself where one was seen.

    Attributes:
        title: perhaps shortened.
        before, answer, after: the text; all of it is in `before` where no answer is marked.
        direction: `ltr` or `rtl`.
        holds: whether an answer is in the whole text.
        other_place: among the first five of the other retriever, from 1; None where it is not one of them.
    """

    title: str
    before: str
    answer: str
    after: str
    direction: str
    holds: bool
    other_place: int | None


@dataclass(frozen=True)
class ShownQuestion:
    """A question with the first passages of either retriever."""

    question: str
    direction: str
    answers: str
    before: tuple[ShownPassage, ...]
    after: tuple[ShownPassage, ...]


@dataclass(frozen=True)
class Changes:
    """Questions by whether they were a hit before and after.

    Attributes:
        n_both, n_neither: hits before and after; neither.
        n_gained, n_lost: hits after alone, and before alone.
        gained, lost: some of these, spread evenly over the order of the data.
    """

    n_both: int
    n_neither: int
    n_gained: int
    n_lost: int
    gained: tuple[ShownQuestion, ...]
    lost: tuple[ShownQuestion, ...]


def changes(before: Sequence[Question], after: Sequence[Question]) -> Changes:
    """What changed between two retrievers.

    Args:
        before: questions with what the first one found, best first.
        after: the same questions in the same order, with what the second one found.
    """
    by_hits: dict[tuple[bool, bool], list[tuple[Question, Question]]] = {}
    for pair in zip(before, after, strict=True):
        by_hits.setdefault((_is_hit(pair[0]), _is_hit(pair[1])), []).append(pair)
    gained, lost = by_hits.get((False, True), []), by_hits.get((True, False), [])
    return Changes(
        n_both=len(by_hits.get((True, True), [])),
        n_neither=len(by_hits.get((False, False), [])),
        n_gained=len(gained),
        n_lost=len(lost),
        gained=_shown(gained),
        lost=_shown(lost),
    )


def _is_hit(question: Question) -> bool:
    return any(has_answer(passage.text, question.answers) for passage in question.passages[:_N_PASSAGES])


def _shown(pairs: Sequence[tuple[Question, Question]]) -> tuple[ShownQuestion, ...]:
    n = min(_N_SHOWN, len(pairs))
    return tuple(_question(*pairs[i * len(pairs) // n]) for i in range(n))


def _question(before: Question, after: Question) -> ShownQuestion:
    answers = ", ".join(shortened(answer, _MAX_ANSWER) for answer in before.answers[:_N_ANSWERS])
    more = len(before.answers) - _N_ANSWERS
    return ShownQuestion(
        question=shortened(before.question, _MAX_QUESTION),
        direction=direction(before.question),
        answers=answers + (f" and {more} more" if more > 0 else ""),
        before=_passages(before, beside=after),
        after=_passages(after, beside=before),
    )


def _passages(question: Question, *, beside: Question) -> tuple[ShownPassage, ...]:
    places = {passage.id: place for place, passage in enumerate(beside.passages[:_N_PASSAGES], 1)}
    return tuple(_passage(p, question.answers, places.get(p.id)) for p in question.passages[:_N_PASSAGES])


def _passage(passage: Passage, answers: Sequence[str], other_place: int | None) -> ShownPassage:
    text, holds = passage.text, has_answer(passage.text, answers)
    start, end = _place_of(text, answers) if holds else (0, 0)
    first = max(0, (start + end - _MAX_TEXT) // 2) if end > _MAX_TEXT else 0
    last = first + _MAX_TEXT
    return ShownPassage(
        title=shortened(passage.title, _MAX_TITLE),
        before=("…" if first else "") + (text[first:start] if end else text[first:last]),
        answer=shortened(text[start:end], _MAX_TEXT),
        after=(text[end:last] if end else "") + ("…" if len(text) > last else ""),
        direction=direction(text),
        holds=holds,
        other_place=other_place,
    )


def _place_of(text: str, answers: Sequence[str]) -> tuple[int, int]:
    """Where an answer stands as it is written, whatever its case and spaces; 0, 0 where none does.

    `has_answer` compares decomposed tokens, and may find one that is not seen here.
    """
    for answer in answers:
        words = r"\s+".join(map(re.escape, answer.split()))
        found = re.search(rf"(?<!\w){words}(?!\w)", text, re.IGNORECASE) if words else None
        if found:
            return found.span()
    return 0, 0
