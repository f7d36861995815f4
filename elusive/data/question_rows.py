"""The rules by which a row of any layout becomes a question, or is set aside.

Answers are a list of strings, one string, `{value, aliases}` (TriviaQA), `{text: […]}` or `[{text}]` (SQuAD) or
`[{answer}]` (KILT); a number is read as its digits. A string that looks like a list or a dictionary is read as one, in
every format alike. A fault of the row costs the row; a fault of one answer or passage costs that one, and the
question stands without it. Reads no file.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from elusive.data.literals import is_literal, number_as_text, read_literal
from elusive.data.passage_rows import passages_of
from elusive.data.question_layouts import NOUNS_COLUMN, TARGET_COLUMN, QuestionLayout
from elusive.data.questions import Question
from elusive.data.rejected import Rejection, excerpt
from elusive.data.tables import Columns, Row
from elusive.data.texts import Judge
from elusive.data.unfit import QuestionReason, Unfit, is_usable

_UNKNOWN: Final = "<unk>"  # the answer to each test question of TriviaQA on the Hub
_TRIVIA_KEYS: Final = (("value", "aliases"), ("Value", "Aliases"))
_ITEM_KEYS: Final = ("answer", "text")  # of KILT, of SQuAD


class QuestionJudge:
    """Turns rows into questions, in the order of the file, since ids depend on what came before."""

    def __init__(self) -> None:
        self._judge = Judge()

    def judge(
        self, row: Row, layout: QuestionLayout, *, id_column: str | None, file: str
    ) -> Iterator[Question | Rejection]:
        """Yields what is set aside of a row, then its question; or one rejection, where there is no question.

        Args:
            row: of the file.
            layout: which columns to read.
            id_column: None where ids are made from the questions.
            file: its name.

        Raises:
            InputError: the id was there before.
        """
        text = self._judge.judge(row, Columns(layout.question, id_column), file=file)
        if isinstance(text, Rejection):
            yield text
            return
        try:
            values = _read_cells(row.values, layout)
            answers, target, unfit_answers = _answers_of(values, layout)
            passages, unfit_passages = passages_of(values, layout)
            nouns = _nouns_of(values)
        except Unfit as unfit:
            yield Rejection(file, row.line, unfit.reason, unfit.detail)
            return
        yield from (Rejection(file, row.line, QuestionReason.ANSWER, detail) for detail in unfit_answers)
        yield from (Rejection(file, row.line, QuestionReason.PASSAGE, detail) for detail in unfit_passages)
        yield Question(text.id, text.text, answers, target, passages, nouns)


def _read_cells(values: Mapping[str, object], layout: QuestionLayout) -> dict[str, object]:
    """The values of a row, with the lists that are written out in strings read.

    Every format has them: csv has nothing else, and a table that went through csv keeps them as JSON lines or Parquet.
    """
    cells = {column: cell for column in layout.lists if isinstance(cell := values.get(column), str)}
    must = layout.answers if layout.spelled else None
    return {**values, **{column: _read_cell(cell, must=column == must) for column, cell in cells.items()}}


def _read_cell(cell: str, *, must: bool) -> object:
    if not (must or is_literal(cell)):
        return cell or None
    try:
        return read_literal(cell)
    except ValueError as error:
        fault = f'{error}; one answer in brackets is written as ["[…]"]: {cell}'
        raise Unfit(QuestionReason.LITERAL, excerpt(fault)) from None


def _answers_of(values: Mapping[str, object], layout: QuestionLayout) -> tuple[tuple[str, ...], str | None, list[str]]:
    """The answers, the target, and what is no answer."""
    found, value = ([], None) if layout.answers is None else _listed(values.get(layout.answers))
    target = _target_of(values.get(TARGET_COLUMN)) or _target_of(value)
    read = [number_as_text(answer) for answer in found]
    unfit = [excerpt(answer) for answer in read if not is_usable(answer)]
    answers = tuple(dict.fromkeys(str(answer) for answer in read if is_usable(answer)))
    if not answers and target is not None:
        answers = (target,)
    if not answers and layout.answers is not None:
        raise Unfit(QuestionReason.NO_ANSWER, excerpt(", ".join(unfit)))
    return answers, target, unfit


def _listed(value: Any) -> tuple[list[object], object]:
    """The answers in a value of any known form, and the one that it puts first."""
    value = number_as_text(value)
    match value:
        case None:
            return [], None
        case str():
            return [value], None
        case list() | tuple():
            return [a for item in value for a in _of_item(item)], None
        case {"text": list(texts)}:
            return list(texts), None
        case {"text": str(text)}:
            return [text], None
        case {"value": _} | {"Value": _}:
            return _of_trivia(value)
        case _:
            raise Unfit(QuestionReason.ANSWERS, excerpt(value))


def _of_trivia(value: Mapping[str, Any]) -> tuple[list[object], object]:
    """The aliases, the value among them, whether or not the file repeats it there."""
    for first_key, aliases_key in _TRIVIA_KEYS:
        if first_key in value:
            first, aliases = value[first_key], value.get(aliases_key)
            if aliases is not None and not isinstance(aliases, list):
                break
            first = None if first == _UNKNOWN else number_as_text(first)
            return [*(aliases or ()), *([] if first in (None, "") else [first])], first
    raise Unfit(QuestionReason.ANSWERS, excerpt(value))


def _of_item(item: object) -> Iterable[object]:
    """The answer in one item of a list: in KILT an object, which may hold provenance alone."""
    if not isinstance(item, dict):
        return (item,)
    return next(((item[key],) for key in _ITEM_KEYS if item.get(key) is not None), ())


def _target_of(value: object) -> str | None:
    value = number_as_text(value)
    if value is None or value == "":
        return None
    if not is_usable(value):
        raise Unfit(QuestionReason.TARGET, excerpt(value))
    return str(value)


def _nouns_of(values: Mapping[str, object]) -> tuple[str, ...] | None:
    nouns = values.get(NOUNS_COLUMN)
    if nouns is None:
        return None
    if not isinstance(nouns, list) or not all(is_usable(noun) for noun in nouns):
        raise Unfit(QuestionReason.NOUNS, excerpt(nouns))
    return tuple(nouns)
