"""Closed-book questions about people: from rows with `name` and `facts`, or from texts that tag both.

What is known of one person is asked once: where several rows or texts tell of a name, their answers are joined, since
nobody who is asked without the text can tell two people of one name apart. Reads no file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from elusive.data.literals import number_as_text
from elusive.data.questions import Question
from elusive.data.tags import NAME, untagged
from elusive.data.unfit import is_usable
from elusive.evaluation.templates import Templates, question_on

NAME_TAG: Final = "name"
_CLOSING: Final = re.compile(rf"</({NAME.pattern})>")


class BiographyReason(StrEnum):
    """Why a person is not asked about: a closed list, so that reasons can be counted."""

    NO_NAME = "nobody is named (no usable name, or no <name>…</name>)"
    NO_FACTS = "no facts to ask for"
    FACTS = "facts are not a mapping of fields to strings"


class NobodyError(ValueError):
    """What is told is not enough to ask about; the argument is the reason."""


@dataclass(frozen=True, slots=True)
class FieldQuestion:
    """A question, whom it is about and what it asks for.

    Attributes:
        question: with its answers.
        group: what is drawn again for an interval: the person; the question's own id where nobody is known.
        field: of the person; None where the data has none.
        relevance: judgements of passages by their ids, in place of answers (BEIR); None where there are none.
    """

    question: Question
    group: str
    field: str | None = None
    relevance: Mapping[str, int] | None = None


def of_facts(name: object, facts: object, *, templates: Templates, fields: tuple[str, ...]) -> Iterator[FieldQuestion]:
    """The questions of a row.

    Args:
        name: of the person.
        facts: a string or a number, or a list of accepted ones, for each field; None is not known.
        templates: of the fields.
        fields: those that are wanted; empty is all.

    Raises:
        NobodyError: no usable name or facts.
        OptionError: a wanted field has no template.
    """
    if not is_usable(name):
        raise NobodyError(BiographyReason.NO_NAME)
    if not isinstance(facts, Mapping):
        raise NobodyError(BiographyReason.FACTS)
    known = {str(field): _answers(value) for field, value in facts.items() if number_as_text(value) is not None}
    yield from _asked(str(name), known, templates=templates, fields=fields, seen_in=f"the row of {str(name)!r}")


def of_tagged(text: str, *, id: str, templates: Templates, fields: tuple[str, ...]) -> Iterator[FieldQuestion]:
    """The questions of a text whose name and facts stand in tags: `<name>Mara Velting</name> … <city>Orsk</city>`.

    Args:
        text: with its tags.
        id: of the text, for messages.
        templates: of the tags.
        fields: those that are wanted; empty is all.

    Raises:
        NobodyError: no name, or nothing else, is tagged.
        BrokenTagsError: a tag that is not closed, or stands inside another.
        OptionError: a wanted tag has no template.
    """
    ignored = {tag for tag, template in templates.items() if template is None}
    # Of tags that can be asked for, one that is opened and never closed would be a fact lost.
    tags = {*tags_of(text), *templates, NAME_TAG} - ignored
    bare, spans = untagged(text, tags)
    told: dict[str, list[str]] = {}
    for span in spans:
        value = " ".join(bare[span.start : span.end].split())  # where its line ends is the text's own affair
        if value and value not in told.setdefault(span.tag, []):
            told[span.tag].append(value)
    names = told.pop(NAME_TAG, [])
    if not names:
        raise NobodyError(BiographyReason.NO_NAME)
    known = {tag: tuple(values) for tag, values in told.items() if values}
    yield from _asked(names[0], known, templates=templates, fields=fields, seen_in=f"the text {id!r}")


def tags_of(text: str) -> set[str]:
    """What is closed as a tag in a text."""
    return set(_CLOSING.findall(text))


def joined(questions: Iterable[FieldQuestion]) -> list[FieldQuestion]:
    """Each question once, with all answers that were given to it, in the order in which they first came."""
    each: dict[str, FieldQuestion] = {}
    for one in questions:
        before = each.get(one.question.id)
        if before is not None:
            answers = tuple(dict.fromkeys(before.question.answers + one.question.answers))
            one = replace(before, question=replace(before.question, answers=answers))
        each[one.question.id] = one
    return list(each.values())


def _asked(
    name: str, known: Mapping[str, tuple[str, ...]], *, templates: Templates, fields: tuple[str, ...], seen_in: str
) -> Iterator[FieldQuestion]:
    if not known:
        raise NobodyError(BiographyReason.NO_FACTS)
    for field, answers in known.items():
        asked = question_on(field, name, templates, seen_in=seen_in) if not fields or field in fields else None
        if asked is not None:
            yield FieldQuestion(Question(f"{name}/{field}", asked, answers), group=name, field=field)


def _answers(value: object) -> tuple[str, ...]:
    values = [number_as_text(one) for one in (value if isinstance(value, list) else [value])]
    if not values or not all(is_usable(one) for one in values):
        raise NobodyError(BiographyReason.FACTS)
    return tuple(dict.fromkeys(str(one) for one in values))
