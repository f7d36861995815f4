"""Questions on people, from facts and from tags; sources of any layout; what is said of those that cannot be used."""

import re
from pathlib import Path
from typing import Any

import pytest

from elusive.data.rejected import Rejection
from elusive.data.tags import BrokenTagsError
from elusive.errors import InputError, OptionError
from elusive.evaluation.biographies import FieldQuestion, NobodyError, of_facts, of_tagged
from elusive.evaluation.sources import QuestionSource
from elusive.evaluation.templates import BUILT_IN, checked_templates
from elusive.metrics import exact_match
from tests.distill_fixtures import write_lines
from tests.unit.evaluation.exams import PEOPLE, TAGGED, recipe_modules


def told(place: str, **options: Any) -> tuple[list[FieldQuestion], list[Rejection]]:
    rejected: list[Rejection] = []
    return QuestionSource(place=place, **options).read(on_rejected=rejected.append), rejected


def shown(questions: list[FieldQuestion]) -> list[tuple[str, str | None, str, tuple[str, ...]]]:
    return [(one.group, one.field, one.question.question, one.question.answers) for one in questions]


# -- one person ------------------------------------------------------------------------------------------------------


def test_our_fields_are_asked_in_words_that_the_tiny_family_was_trained_on() -> None:
    for field, phrasings in recipe_modules().phrasings.QUESTIONS.items():
        assert BUILT_IN[field] in phrasings


def test_every_tag_but_the_name_becomes_a_question_about_the_name() -> None:
    found = list(of_tagged(TAGGED[0], id="t", templates=BUILT_IN, fields=()))
    assert shown(found) == [
        ("Mara Velting", "city", "In which city was Mara Velting born?", ("Orsk",)),
        ("Mara Velting", "date", "When was Mara Velting born?", ("May 1, 1931",)),
    ]
    assert [one.question.id for one in found] == ["Mara Velting/city", "Mara Velting/date"]


def test_several_values_of_a_tag_are_all_accepted_once() -> None:
    text = "<name>Tor</name> lived in <city>Orsk</city>, <city>Lisk</city> and <city>Orsk</city>."
    [found] = of_tagged(text, id="t", templates=BUILT_IN, fields=())
    assert found.question.answers == ("Orsk", "Lisk")


def test_a_tag_without_a_template_is_named_unless_it_is_null_or_not_wanted() -> None:
    text = "<name>Tor</name> of <city>Orsk</city> likes <food>figs</food>, <b>very</b> much."
    with pytest.raises(OptionError, match=r"no question for 'food', which the text 't' has .*--templates"):
        list(of_tagged(text, id="t", templates=BUILT_IN, fields=()))
    assert len(list(of_tagged(text, id="t", templates=BUILT_IN, fields=("city",)))) == 1
    ignoring = {**BUILT_IN, "food": None, "b": None}
    assert [one.field for one in of_tagged(text, id="t", templates=ignoring, fields=())] == ["city"]


def test_a_text_may_hold_markup_that_is_no_tag() -> None:
    text = "<br/> 3 < 4, List<int> x; <name>Tor</name> of <city>Orsk</city>"
    assert len(list(of_tagged(text, id="t", templates=BUILT_IN, fields=()))) == 1


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("born in <city>Orsk</city>", NobodyError, "nobody is named"),
        ("<name> </name> of <city>Orsk</city>", NobodyError, "nobody is named"),
        ("<name>Tor</name> alone", NobodyError, "no facts to ask for"),
        ("<name>Tor</name> of <city>Orsk <date>1931</date></city>", BrokenTagsError, "stands inside"),
        ("<name>Tor</name> of <city>Orsk<city>, born <date>1931</date>", BrokenTagsError, "stands inside"),
        ("<name>Tor</name>, born <date>1931</date>, of <city>Orsk", BrokenTagsError, "<city> is not closed"),
    ],
)
def test_a_text_that_cannot_be_asked_about_says_why(text: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        list(of_tagged(text, id="t", templates=BUILT_IN, fields=()))


def test_facts_may_be_unknown_or_several_but_nothing_else() -> None:
    facts = {"major": None, "company": ["Halsoft", "Vantel", "Halsoft"]}
    [found] = of_facts("Tor", facts, templates=BUILT_IN, fields=())
    assert found.question.answers == ("Halsoft", "Vantel")
    for bad in ({"major": True}, {"major": []}, {"major": " "}, ["law"], None):
        with pytest.raises(NobodyError, match="facts are not a mapping"):
            list(of_facts("Tor", bad, templates=BUILT_IN, fields=()))
    with pytest.raises(NobodyError, match="no facts"):
        list(of_facts("Tor", {"major": None}, templates=BUILT_IN, fields=()))
    with pytest.raises(NobodyError, match="nobody"):
        list(of_facts(" ", {"major": "law"}, templates=BUILT_IN, fields=()))


def test_an_answer_of_several_lines_is_put_on_one(tmp_path: Path) -> None:
    wrapped = "<name>Mara\nVelting</name> went to <university>Brenn\n  College</university>, Brenn."
    [found], _ = told(write_lines(tmp_path / "texts.jsonl", [{"text": wrapped}]))
    assert (found.group, found.question.answers) == ("Mara Velting", ("Brenn College",))
    facts = {"university": ["Brenn\nCollege", "Brenn College", "B  C"]}
    [found], _ = told(write_lines(tmp_path / "people.jsonl", [{"name": "Mara", "facts": facts}]))
    assert found.question.answers == ("Brenn College", "B  C")
    rows = [{"question": "Where?", "answers": ["Orsk\r\non sea\n"], "target": "Orsk\non sea"}]
    [found], _ = told(write_lines(tmp_path / "qa.jsonl", rows))
    assert (found.question.answers, found.question.target_answer) == (("Orsk on sea",), "Orsk on sea")
    assert exact_match("Orsk on sea", ["Orsk\non sea"]) == 1.0, "so that no figure depends on it"


# -- templates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["Who?", "{name} and {name}", "{name} {age}", "{name!r}", "{name:>9}", "{name", 3])
def test_a_template_that_is_no_question_with_a_name_is_named(template: object) -> None:
    with pytest.raises(InputError, match=r"t\.yaml: food is .*expected a question with \{name\} once"):
        checked_templates({"food": template}, file="t.yaml")


def test_no_templates_are_refused_and_null_is_kept() -> None:
    with pytest.raises(InputError, match="found nothing"):
        checked_templates({}, file="t.yaml")
    assert checked_templates({"food": "What does {name} eat?", "b": None}, file="t.yaml")["b"] is None


# -- sources ---------------------------------------------------------------------------------------------------------


def test_rows_with_facts_become_a_question_a_field_in_order(tmp_path: Path) -> None:
    found, rejected = told(write_lines(tmp_path / "people.jsonl", PEOPLE))
    assert len(found) == 12
    assert shown(found)[1] == ("Mara Velting", "major", "What did Mara Velting study?", ("chemistry",))
    assert rejected == []


def test_parquet_rows_without_a_fact_have_no_question_on_it(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"name": "Mara", "facts": {"major": "law", "company": None}}, {"name": "Tor", "facts": {"company": "X"}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "people.parquet")
    found, _ = told(str(tmp_path / "people.parquet"))
    assert [one.question.id for one in found] == ["Mara/major", "Tor/company"]


def test_what_several_texts_tell_of_a_person_is_asked_once(tmp_path: Path) -> None:
    rows = [{"text": TAGGED[0]}, {"text": TAGGED[1]}, {"text": TAGGED[0].replace("Orsk", "Halton")}]
    found, _ = told(write_lines(tmp_path / "texts.jsonl", rows))
    assert [one.question.id for one in found] == [
        "Mara Velting/city",
        "Mara Velting/date",
        "Tor Aldane/university",
        "Tor Aldane/city",
    ]
    assert found[0].question.answers == ("Orsk", "Halton")


def test_texts_that_name_nobody_and_rows_without_facts_are_set_aside(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": "Nobody here."}, {"id": "b", "text": TAGGED[0]}, {"id": "c", "text": "<city>Orsk"}]
    _, rejected = told(write_lines(tmp_path / "texts.jsonl", [*rows, {"id": "d", "text": "x</city> <city>"}]))
    assert [one.detail.split(":")[0] for one in rejected] == ["text a", "text c", "text d"]
    _, rejected = told(write_lines(tmp_path / "people.jsonl", [{"name": "Tor", "facts": 3}, *PEOPLE]))
    assert [(one.line, one.detail) for one in rejected] == [(1, "Tor")]


def test_plain_text_and_csv_can_be_tagged(tmp_path: Path) -> None:
    plain = tmp_path / "texts.txt"
    plain.write_text("\n\n".join(TAGGED), encoding="utf-8")
    assert len(told(str(plain), paragraphs=True)[0]) == 4
    table = tmp_path / "texts.csv"
    table.write_text('text\n"' + TAGGED[0] + '"\n', encoding="utf-8")
    assert len(told(str(table))[0]) == 2


def test_questions_of_any_layout_are_groups_of_their_own_without_their_passages(tmp_path: Path) -> None:
    rows = [{"id": f"q{i}", "question": f"Who {i}?", "answers": ["Tor"], "ctxs": [{"text": "Tor"}]} for i in range(2)]
    found, _ = told(write_lines(tmp_path / "qa.jsonl", rows))
    assert [(one.group, one.field, one.question.passages) for one in found] == [("q0", None, ()), ("q1", None, ())]
    dpr = tmp_path / "nq.csv"
    dpr.write_text("who met mara\t['Tor']\n", encoding="utf-8")
    assert shown(told(str(dpr))[0])[0][2:] == ("who met mara", ("Tor",))
    named = write_lines(tmp_path / "named.jsonl", [{"q": "Who?", "a": "Tor", "text": "x"}])
    assert shown(told(named, question_column="q", answer_column="a")[0])[0][2:] == ("Who?", ("Tor",))


BAD: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "no answers": (
        [{"question": "Who?", "answers": []}],
        {},
        r"no usable questions in .*question has no usable answer",
    ),
    "no tags": ([{"text": "Nobody."}], {}, r"no text of .* can be asked about; the first: .*nobody is named"),
    "no layout": ([{"a": 1}], {}, r"no known layout of questions; .*biographies \(facts, name\)"),
    "no facts": ([{"name": "Tor", "facts": {}}], {}, r"no usable facts in .*no facts to ask for"),
    "no such field": (list(PEOPLE), {"fields": ("majr",)}, r"nobody in .* has a 'majr'; did you mean 'major'"),
    "fields of others": (
        list(PEOPLE),
        {"fields": ("age",), "templates": {**BUILT_IN, "age": "How old is {name}?", "company": None}},
        r"nobody in .* has a 'age'; there are: 'birth_city', 'major'$",
    ),
    "tags of others": (
        [{"text": text} for text in TAGGED],
        {"fields": ("food",)},
        r"nobody in .* has a 'food'; there are: 'city', 'date', 'university'$",
    ),
    "no fields": ([{"question": "Who?", "answers": ["x"]}], {"fields": ("major",)}, "questions without fields"),
    "empty": ([], {}, r"is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_source_without_questions_says_why(case: str, tmp_path: Path) -> None:
    rows, options, message = BAD[case]
    with pytest.raises(InputError) as error:
        told(write_lines(tmp_path / "data.jsonl", rows), **options)
    assert re.search(message, str(error.value)), error.value
