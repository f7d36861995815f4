"""Why rows of questions and passages are set aside, besides the reasons that hold for every text.

`Unfit` carries a reason from where it is seen to where the row is given up.
"""

from enum import StrEnum

from elusive.data.texts import encode_utf8


class QuestionReason(StrEnum):
    """Why a row, or an answer or passage of it, is set aside: a closed list, so that reasons can be counted."""

    NO_ANSWER = "question has no usable answer"
    ANSWERS = "answers are in no known form"
    ANSWER = "answer is empty or not a string"
    PASSAGES = "passages are not a list"
    PASSAGE = "passage of a question cannot be used"
    TITLE = "title is not a string"
    TARGET = "target is not a string"
    NOUNS = "nouns are not a list of strings"
    LITERAL = "list cannot be read"
    NO_PASSAGES = "question has no passages"
    NO_NOUNS = "question has no list of nouns"


class Unfit(Exception):  # noqa: N818 - it ends a row and no program
    """A row, or a passage within it, that cannot be used."""

    def __init__(self, reason: QuestionReason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def is_usable(value: object) -> bool:
    """Whether `value` is a string that is not blank and that UTF-8 can hold."""
    return isinstance(value, str) and bool(value.strip()) and encode_utf8(value) is not None
