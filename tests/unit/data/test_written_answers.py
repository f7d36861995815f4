"""Answers in whatever form a file writes them: lists in strings, numbers, the dictionaries of TriviaQA and SQuAD."""

import json

import pytest
from question_samples import as_array, as_arrow, as_cells, as_lines, as_parquet, as_wrapped, questions_of

from elusive.data.literals import read_literal
from elusive.data.questions import Passage
from elusive.evaluation.sources import QuestionSource

FORMATS = {
    "q.jsonl": as_lines,
    "q.json": as_array,
    "wrapped.json": as_wrapped,
    "q.parquet": as_parquet,
    "q.arrow": as_arrow,
    "q.csv": as_cells,
    "q.tsv": lambda records: as_cells(records, delimiter="\t"),
}
WRITTEN = {
    "['1969', '69']": ("1969", "69"),
    '["Help!", "the \\"Help\\""]': ("Help!", 'the "Help"'),
    "[1969, 69.0, 0.5]": ("1969", "69", "0.5"),
    "{'text': ['Orsk', 'in Orsk'], 'answer_start': [0, 3]}": ("Orsk", "in Orsk"),
    "{'text': array(['Orsk', 'in\\nOrsk'], dtype=object), 'answer_start': array([515], dtype=int32)}": (
        "Orsk",
        "in\nOrsk",
    ),
    "[{'text': 'Orsk', 'answer_start': 0}]": ("Orsk",),
    "{'value': 'Orsk', 'aliases': ['Orsk City']}": ("Orsk City", "Orsk"),
    "no list [at all]": ("no list [at all]",),
    "1969": ("1969",),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("column", ["answers", "golden_answers", "answer"])
@pytest.mark.parametrize("cell", WRITTEN)
def test_a_written_list_is_a_list_in_every_format(write, name, column, cell):
    read = questions_of(write(name, FORMATS[name]([{"question": "when", column: cell}])))
    assert [question.answers for question in read.items] == [WRITTEN[cell]]
    assert not read.rejections


@pytest.mark.parametrize("name", FORMATS)
def test_written_passages_are_passages_and_the_broken_list_is_told(write, name):
    passages = repr([{"id": 7, "title": "T", "text": 'It\'s "long".'}])
    rows = [{"question": q, "answers": "['a']", "ctxs": c} for q, c in (("one", passages), ("two", "[{'text': f()}]"))]
    read = questions_of(write(name, FORMATS[name](rows)))
    assert [question.passages for question in read.items] == [(Passage("7", "T", 'It\'s "long".'),)]
    assert [reason for _, reason in read.reasons] == ["list cannot be read"]


def test_one_answer_in_brackets_names_its_way_out(write):
    rows = [{"question": "q", "answers": "[a song]"}, {"question": "r", "answers": ["[a song]"]}]
    read = questions_of(write("q.jsonl", as_lines(rows)))
    assert [question.answers for question in read.items] == [("[a song]",)]
    assert "one answer in brackets is written as" in read.rejections[0].detail


@pytest.mark.parametrize(
    ("value", "answers"),
    [
        (1969, ("1969",)),
        (1969.0, ("1969",)),
        (-0.25, ("-0.25",)),
        ([1969, "69", 1e3], ("1969", "69", "1000")),
        ({"value": 42, "aliases": None}, ("42",)),
    ],
)
def test_a_number_is_an_answer(write, value, answers):
    read = questions_of(write("q.jsonl", as_lines([{"question": "when", "answer": value, "target": 7}])))
    assert [(question.answers, question.target) for question in read.items] == [(answers, "7")]


def test_a_column_of_numbers_in_parquet_is_one_of_answers(write):
    rows = [{"question": "when", "answers": 1969.0}, {"question": "where", "answers": None}]
    read = questions_of(write("q.parquet", as_parquet(rows)))
    assert [question.answers for question in read.items] == [("1969",)]
    assert read.reasons == [(2, "question has no usable answer")]


@pytest.mark.parametrize(
    ("answer", "answers"),
    [
        ({"value": "York", "aliases": ["Eoforwic", "City of York"]}, ("Eoforwic", "City of York", "York")),
        ({"value": "York", "aliases": ["York", "Eoforwic"]}, ("York", "Eoforwic")),
        ({"value": "York"}, ("York",)),
        ({"value": "York", "aliases": None}, ("York",)),
        ({"value": "<unk>", "aliases": ["York"]}, ("York",)),
    ],
)
def test_the_value_of_triviaqa_is_an_accepted_answer(write, answer, answers):
    original = {key.title(): value for key, value in answer.items()}
    for record in ({"question": "q", "answer": answer}, {"Question": "q", "Answer": original}):
        [question] = questions_of(write("q.jsonl", as_lines([record]))).items
        assert question.answers == answers
        assert question.target_answer == (answers[0] if answer["value"] == "<unk>" else "York")


SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Orsk",
            "paragraphs": [
                {
                    "context": "Orsk lies on the Tarn.",
                    "qas": [
                        {"question": "Where?", "id": "a", "answers": [{"text": "on the Tarn", "answer_start": 10}] * 2},
                        {"question": "Why?", "id": "b", "answers": [], "is_impossible": True},
                    ],
                },
                {"context": "no questions"},
            ],
        },
        {"paragraphs": [{"context": "c", "qas": [{"question": "Who?", "id": "c", "answers": [{"text": "Ann"}]}, 5]}]},
    ],
}


def test_the_original_file_of_squad_is_read(write):
    flipped = {"data": SQUAD["data"][::-1], "version": "1.1"}
    for content, ids in ((SQUAD, ["a", "c"]), (flipped, ["c", "a"])):
        for indent in (None, 2):
            read = questions_of(write("train.json", json.dumps(content, indent=indent)))
            assert [question.id for question in read.items] == ids
            assert {question.answers for question in read.items} == {("on the Tarn",), ("Ann",)}
            assert sorted(reason for _, reason in read.reasons) == [
                "JSON record is not an object",
                "question has no usable answer",
            ]


def test_a_line_with_a_list_of_data_is_no_file_of_squad(write):
    rows = [{"data": [{"n": 1}], "question": q, "answers": ["a"]} for q in ("one", "two")]
    assert [question.question for question in questions_of(write("q.jsonl", as_lines(rows))).items] == ["one", "two"]


@pytest.mark.parametrize("cell", ["array(['a'], f())", "arrays(['a'])", "array('a')", "array(['a'], dtype=f())"])
def test_no_call_but_that_of_an_array_is_read(cell):
    with pytest.raises(ValueError, match="neither a Python literal nor JSON"):
        read_literal(cell)


def test_facts_of_people_may_be_written_in_a_cell_and_be_numbers(write):
    rows = [{"name": "Ada", "facts": {"major": "law", "date": 1815}}]
    written = [{"name": "Ada", "facts": str(rows[0]["facts"])}]
    for place in (
        write("p.jsonl", as_lines(rows)),
        write("p.csv", as_cells(written)),
        write("w.jsonl", as_lines(written)),
    ):
        asked = QuestionSource(place=place).read(on_rejected=print)
        assert {one.field: one.question.answers for one in asked} == {"major": ("law",), "date": ("1815",)}
