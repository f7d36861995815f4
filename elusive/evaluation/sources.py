"""Questions from whatever a user has: question files of any layout, rows with `name` and `facts`, tagged biographies.

The columns tell which of these a source is. All questions are held in memory.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from elusive.data.beir import Judgements, beir_file, judgements_of_split
from elusive.data.corpus import read_corpus
from elusive.data.folders import DEFAULT_SPLIT
from elusive.data.hub_dataset import HubDataset
from elusive.data.layouts import format_of_name
from elusive.data.literals import is_literal, read_literal
from elusive.data.question_files import read_questions
from elusive.data.question_layouts import KNOWN_QUESTIONS, QUESTION_LAYOUTS, find_layout, headerless_layout
from elusive.data.reading import Reading
from elusive.data.record_files import Records, open_records, unknown_layout
from elusive.data.rejected import Reason, Rejection, excerpt
from elusive.data.sources import locate
from elusive.data.tables import DEFAULT_TEXT
from elusive.data.tags import BrokenTagsError
from elusive.data.unfit import QuestionReason
from elusive.errors import InputError, near_matches
from elusive.evaluation.biographies import (
    NAME_TAG,
    FieldQuestion,
    NobodyError,
    joined,
    of_facts,
    of_tagged,
    tags_of,
)
from elusive.evaluation.templates import BUILT_IN, Templates

Kind = Literal["questions", "facts", "texts"]

_FACTS = ("name", "facts")
_OPTIONS = "--question-column and --answer-column"
_KNOWN = (*KNOWN_QUESTIONS, "biographies (facts, name)", "tagged biographies (text)")


@dataclass(frozen=True, kw_only=True)
class QuestionSource:
    """Where questions are, and how they are read.

    Attributes:
        place: a file, a folder, or the name of a Hugging Face dataset.
        templates: of the fields of people.
        question_column, answer_column: where the layout of questions is not known.
        text_column, id_column: of tagged texts; the id also of questions.
        split: which split, where the source has splits.
        paragraphs: in .txt files, each paragraph is a text.
        fields: those that are wanted; empty is all.
        judged: whether questions without answers are taken where passages are judged for them (BEIR).
    """

    place: str | Path
    templates: Templates = field(default_factory=lambda: BUILT_IN)
    question_column: str | None = None
    answer_column: str | None = None
    text_column: str | None = None
    id_column: str | None = None
    split: str = DEFAULT_SPLIT
    paragraphs: bool = False
    fields: tuple[str, ...] = ()
    judged: bool = False

    def kind(self) -> Kind:
        """What the source holds, told by the columns of its first file.

        Raises:
            InputError: it cannot be opened, or is in no known layout.
        """
        if self.question_column or self.answer_column or beir_file(self.place, "queries") is not None:
            return "questions"
        part = locate(self.place, self.split)[0]
        with open_records(part) as records:
            columns = records.table.columns or ()
            if set(_FACTS) <= set(columns):
                return "facts"
            layout = find_layout(QUESTION_LAYOUTS, columns, file=records.table.name, options=_OPTIONS)
            if layout is not None and layout.answers is not None:
                return "questions"
            if layout is not None and isinstance(part, Path) and beir_file(part.parent, "queries") is not None:
                raise InputError(f"{part} has no answers; name {part.parent}, whose qrels/ judge passages for them")
            if not records.typed and headerless_layout(columns) is not None:
                return "questions"
            is_prose = isinstance(part, Path) and format_of_name(part) == "txt"
            if is_prose or (self.text_column or DEFAULT_TEXT) in columns or not columns:
                return "texts"
            raise unknown_layout(records, "questions", _KNOWN)

    def read(self, *, on_rejected: Callable[[Rejection], None]) -> list[FieldQuestion]:
        """All its questions with an answer, in order, each once; without passages, which are found or not used.

        An answer of several lines is put on one: as a shot it would end its line, and for exact match and F1 all white
        space is the same.

        Raises:
            InputError: it cannot be read, there is no question that can be asked, or a wanted field is nowhere.
            OptionError: a field has no template.
        """
        match self.kind():
            case "questions":
                return list(map(_on_one_line, self._questions(on_rejected)))
            case "facts":
                return joined(map(_on_one_line, self._facts(on_rejected)))
            case "texts":
                return joined(self._tagged(on_rejected))

    def _questions(self, on_rejected: Callable[[Rejection], None]) -> Iterator[FieldQuestion]:
        if self.fields:
            raise InputError(f"{self.place} has questions without fields; leave --field out")
        questions = read_questions(
            self.place,
            question_column=self.question_column,
            answer_column=self.answer_column,
            id_column=self.id_column,
            split=self.split,
            on_rejected=on_rejected,
        )
        judgements = self._judgements()
        n_good = 0
        for question in questions:
            relevance = judgements.get(question.id)
            if not question.answers and relevance is None:
                on_rejected(Rejection(str(self.place), None, QuestionReason.NO_ANSWER, f"question {question.id}"))
                continue
            n_good += 1
            yield FieldQuestion(replace(question, passages=()), group=question.id, relevance=relevance)
        if not n_good:
            raise InputError(f"no question of {self.place} has answers; {self._without_answers()}")

    def _judgements(self) -> Judgements:
        """By question; empty where they are not wanted, or there are none."""
        queries = beir_file(self.place, "queries") if self.judged else None
        if queries is None:
            return {}
        # What is wrong with a row of them was told when the questions of the split were looked for.
        return judgements_of_split(queries.parent, split=self.split, on_rejected=lambda _: None) or {}

    def _without_answers(self) -> str:
        """What to do about a source in which no question has an answer."""
        queries = beir_file(self.place, "queries")
        if queries is None:
            return "name their column by --answer-column"
        if not (queries.parent / "qrels").is_dir():
            return "a folder of BEIR has judgements of passages in qrels/, and there are none"
        return (
            "a folder of BEIR judges passages instead, which measures a retriever alone: --retriever ENCODER "
            f"--passages {self.place}, without a model"
        )

    def _facts(self, on_rejected: Callable[[Rejection], None]) -> Iterator[FieldQuestion]:
        met: set[str] = set()
        reading = Reading(
            source=str(self.place),
            noun="facts",
            parts=locate(self.place, self.split),
            read_part=partial(self._people, met=met),
            on_rejected=on_rejected,
        )
        yield from self._wanted(itertools.chain.from_iterable(reading.items(None)), met)

    def _people(self, part: Path | HubDataset, *, met: set[str]) -> Iterator[list[FieldQuestion] | Rejection]:
        """The questions of each row; its fields, whether wanted or not, go into `met`."""
        with open_records(part) as records:
            for row in self._rows(records):
                if isinstance(row, Rejection):
                    yield row
                    continue
                line, name, facts = row
                if isinstance(facts, Mapping):
                    met |= {str(one) for one, value in facts.items() if value is not None}
                try:
                    yield list(of_facts(name, facts, templates=self.templates, fields=self.fields))
                except NobodyError as error:
                    yield Rejection(records.table.name, line, str(error), excerpt(name))

    def _rows(self, records: Records) -> Iterator[tuple[int, object, object] | Rejection]:
        for row in records.rows(_FACTS):
            if isinstance(row, Rejection):
                yield row
            else:
                yield row.line, row.values.get("name"), _read_facts(row.values.get("facts"))

    def _tagged(self, on_rejected: Callable[[Rejection], None]) -> Iterator[FieldQuestion]:
        met: set[str] = set()
        yield from self._wanted(itertools.chain.from_iterable(self._told(on_rejected, met)), met)

    def _told(self, on_rejected: Callable[[Rejection], None], met: set[str]) -> Iterator[list[FieldQuestion]]:
        """The questions of each text that names somebody; its tags, whether wanted or not, go into `met`."""
        texts = read_corpus(
            self.place,
            text_column=self.text_column,
            id_column=self.id_column,
            split=self.split,
            paragraphs=self.paragraphs,
            on_rejected=on_rejected,
        )
        first: Rejection | None = None
        n_good = 0
        for text in texts:
            met |= tags_of(text.text) - {NAME_TAG}
            try:
                told = list(of_tagged(text.text, id=text.id, templates=self.templates, fields=self.fields))
            except (NobodyError, BrokenTagsError) as error:
                reason = str(error) if isinstance(error, NobodyError) else Reason.TAGS
                rejection = Rejection(str(self.place), None, reason, excerpt(f"text {text.id}: {error}"))
                first = first or rejection
                on_rejected(rejection)
                continue
            n_good += 1
            yield told
        if not n_good:
            raise InputError(
                f"no text of {self.place} can be asked about; the first: {first}; expected questions with answers, "
                "rows with name and facts, or texts with tags such as <name>…</name> and <city>…</city>"
            )

    def _wanted(self, questions: Iterator[FieldQuestion], met: set[str]) -> Iterator[FieldQuestion]:
        """The same, once it is sure that each field that is wanted is there."""
        seen: set[str | None] = set()
        for one in questions:
            seen.add(one.field)
            yield one
        for name in self.fields:
            if name not in seen:
                there = sorted(one for one in met if self.templates.get(one, "") is not None)
                raise InputError(f"nobody in {self.place} has a {name!r}{near_matches(name, there)}")


def _read_facts(facts: object) -> object:
    """A mapping that is written out in a string, as a csv file has it, as a mapping; anything else as it is."""
    if isinstance(facts, str) and is_literal(facts):
        with contextlib.suppress(ValueError):  # no mapping: told of its row
            return read_literal(facts)
    return facts


def _on_one_line(one: FieldQuestion) -> FieldQuestion:
    asked = one.question
    answers = tuple(dict.fromkeys(map(_line, asked.answers)))
    return replace(one, question=replace(asked, answers=answers, target=asked.target and _line(asked.target)))


def _line(answer: str) -> str:
    return " ".join(answer.split()) if "\n" in answer else answer
