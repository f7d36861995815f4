"""What a model answered while it was trained: figures by field at a few steps, and some answers, right and wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from elusive.evaluation.result import Answer, scores, scores_by_field
from elusive.report.glyphs import direction, shortened
from elusive.report.names import MAX_NAME
from elusive.report.printed import Cell, FigureTable, Group, interval, number
from elusive.statistics import Estimate

_N_SHOWN: Final = 6
_N_ANSWERS: Final = 3
_MAX_QUESTION, _MAX_ANSWER = 300, 120


@dataclass(frozen=True)
class ShownAnswer:
    """A question, what the model answered, and what was expected; `direction` is `ltr` or `rtl`."""

    question: str
    direction: str
    predicted: str
    expected: str


@dataclass(frozen=True)
class ShownAnswers:
    """Answers of one measurement: how many are right and wrong, and some of each, evenly spread over the data."""

    n_right: int
    n_wrong: int
    right: tuple[ShownAnswer, ...]
    wrong: tuple[ShownAnswer, ...]


def shown_answers(answers: Sequence[Answer]) -> ShownAnswers:
    """Some right and some wrong answers."""
    right = [answer for answer in answers if answer.em]
    wrong = [answer for answer in answers if not answer.em]
    return ShownAnswers(len(right), len(wrong), _some(right), _some(wrong))


def field_table(measured: Mapping[int, Sequence[Answer]], *, names: Mapping[int, str], seed: int) -> FigureTable:
    """Exact match of each field, and of all questions, at some steps.

    Args:
        measured: the answers by step.
        names: of the columns, by step.
        seed: of the intervals.
    """
    by_step = {step: scores_by_field(answers, seed=seed) for step, answers in measured.items()}
    fields = dict.fromkeys(field for found in by_step.values() for field in found)
    whole = {step: scores(answers, seed=seed) for step, answers in measured.items()}
    rows = [
        (shortened(field, MAX_NAME), tuple(_cell(found[field].exact_match) for found in by_step.values()))
        for field in fields
    ]
    rows.append(("all", tuple(_cell(found.exact_match if found else None) for found in whole.values())))
    return FigureTable("Exact match by field", tuple(names[step] for step in measured), (Group("", tuple(rows)),))


def _cell(found: Estimate | None) -> Cell:
    return Cell(number(found.mean, ".3f"), interval(found.interval, ".3f")) if found else Cell("n/a")


def _some(answers: Sequence[Answer]) -> tuple[ShownAnswer, ...]:
    n = min(_N_SHOWN, len(answers))
    return tuple(_shown(answers[i * len(answers) // n]) for i in range(n))


def _shown(answer: Answer) -> ShownAnswer:
    more = len(answer.answers) - _N_ANSWERS
    expected = ", ".join(shortened(one, _MAX_ANSWER) for one in answer.answers[:_N_ANSWERS])
    return ShownAnswer(
        question=shortened(answer.question, _MAX_QUESTION),
        direction=direction(answer.question),
        predicted=shortened(answer.prediction or "", _MAX_ANSWER),
        expected=expected + (f" and {more} more" if more > 0 else ""),
    )
