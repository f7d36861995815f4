"""Rows, answers and passages that cannot be used are set aside with their place and reason."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from question_samples import as_array, as_cells, as_lines, as_parquet, questions_of

from elusive.data import json_lines, literals
from elusive.data.literals import read_literal
from elusive.data.questions import Passage
from elusive.errors import InputError

GOOD = {"question": "q", "answers": ["a"]}


def read_one(write, row):
    """Reads a row between two good ones."""
    return questions_of(write("q.jsonl", "\n".join(json.dumps(record) for record in (GOOD, row, GOOD))))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": " ", "answers": ["a"]}, "text is empty or white space"),
        ({"question": None, "answers": ["a"]}, "text is null"),
        ({"question": 3, "answers": ["a"]}, "text is not a string"),
        ({"answers": ["a"]}, "row has no text column"),
        ({"question": "\ud800", "answers": ["a"]}, "lone surrogate, which UTF-8 cannot hold"),
        ({"question": "q"}, "question has no usable answer"),
        ({"question": "q", "answers": []}, "question has no usable answer"),
        ({"question": "q", "answers": [" ", None, True]}, "question has no usable answer"),
        ({"question": "q", "answers": math.nan}, "question has no usable answer"),
        ({"question": "q", "answers": True}, "answers are in no known form"),
        ({"question": "q", "answers": {"value": "a", "aliases": "abc"}}, "answers are in no known form"),
        ({"question": "q", "answers": ["a"], "target": [3]}, "target is not a string"),
        ({"question": "q", "answers": ["a"], "target": "\udfff"}, "target is not a string"),
        ({"question": "q", "answers": ["a"], "passages": "p"}, "passages are not a list"),
        ({"question": "q", "answers": ["a"], "nouns": "q"}, "nouns are not a list of strings"),
        ({"question": "q", "answers": ["a"], "nouns": ["q", ""]}, "nouns are not a list of strings"),
    ],
)
def test_a_bad_row_is_set_aside_alone(write, row, reason):
    read = read_one(write, row)
    assert len(read.items) == 2
    assert read.reasons == [(2, reason)]


def test_empty_answers_and_those_that_are_no_strings_are_set_aside_and_the_question_stands(write):
    read = read_one(write, {"question": "q", "answers": ["b", "", False, "b", "c", "\ud800", "b"]})
    assert read.items[1].answers == ("b", "c")
    assert read.reasons == [(2, "answer is empty or not a string")] * 3
    assert [rejection.detail for rejection in read.rejections] == ["", "False", r"\ud800"]


@pytest.mark.parametrize(
    ("passage", "detail"),
    [
        ("p", "not an object: 'p'"),
        ({}, "text None"),
        ({"text": " "}, "text ' '"),
        ({"text": "t", "id": True}, "id True"),
        ({"text": "t", "id": [1]}, "id [1]"),
        ({"text": "t", "score": "high"}, "score 'high'"),
        ({"text": "t", "score": "nan"}, "score 'nan'"),
        ({"text": "t", "score": math.inf}, "score inf"),
        ({"text": "t", "score": True}, "score True"),
        ({"text": "t", "title": 3}, "title 3, section ''"),
    ],
)
def test_a_bad_passage_is_set_aside_and_the_question_stands(write, passage, detail):
    read = read_one(write, {**GOOD, "passages": [{"text": "one", "id": 1}, passage, {"text": "two", "id": "2"}]})
    assert read.items[1].passages == (Passage("1", "", "one"), Passage("2", "", "two"))
    assert [(r.line, r.reason, r.detail) for r in read.rejections] == [
        (2, "passage of a question cannot be used", f"number 2 of passages: {detail}")
    ]


def test_scores_may_be_missing_or_written_out(write):
    passages = [{"text": "t", "score": score} for score in (None, "", "-1.5", 2)]
    read = questions_of(write("q.jsonl", as_lines([{**GOOD, "ctxs": passages}])))
    assert [passage.score for passage in read.items[0].passages] == [None, None, -1.5, 2.0]


def test_a_target_alone_is_the_answer_and_the_unknown_answer_is_none(write):
    rows = [
        {"question": "q", "answer": {"value": "v", "aliases": []}},
        {"question": "q", "answer": {"value": "<unk>", "aliases": []}},
    ]
    read = questions_of(write("q.jsonl", as_lines(rows)))
    assert [(question.answers, question.target) for question in read.items] == [(("v",), "v")]
    assert read.reasons == [(2, "question has no usable answer")]


HOSTILE = [
    "['a', __import__('os').system('touch PWNED')]",
    "__import__('os').system('touch PWNED')",
    "[open('PWNED', 'w')]",
    "['a' + 'b']",
    "[f'{1}']",
    "['a'",
    "[" * 10_000,
    "['a' 'b']",
    "['a'\n 'b']",
]


@pytest.mark.parametrize("cell", HOSTILE)
def test_a_list_that_is_code_is_a_bad_row_and_is_not_run(write, tmp_path, monkeypatch, cell):
    monkeypatch.chdir(tmp_path)
    records = [{"q": "one", "a": ["a"]}, {"q": "two", "a": cell}, {"q": "three", "a": ["c"]}]
    read = questions_of(write("q.qa.csv", as_cells(records, delimiter="\t", header=False)))
    assert [question.question for question in read.items] == ["one", "three"]
    assert read.reasons == [(2, "list cannot be read")]
    assert not (tmp_path / "PWNED").exists()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_any_list_of_strings_is_read_as_python_or_json_writes_it(strings):
    assert read_literal(repr(strings)) == strings
    assert read_literal(json.dumps(strings)) == strings


@settings(deadline=None)
@given(st.text())
def test_any_cell_is_a_value_or_a_value_error(cell):
    try:
        read_literal(cell)
    except ValueError:
        return


def test_cells_of_a_list_that_are_none_are_a_bad_row(write):
    read = questions_of(write("q.tsv", "one\t['a']\ntwo\t{1, 2}\nthree\tabc\nfour\n"))
    assert [reason for _, reason in read.reasons] == [
        "answers are in no known form",
        "list cannot be read",
        "wrong number of fields",
    ]


def test_a_file_without_a_good_row_is_an_error(write):
    with pytest.raises(InputError, match=r"no usable questions in .*: the one row is rejected; .*q\.jsonl:1: text is"):
        questions_of(write("q.jsonl", as_lines([{"question": "", "answers": ["a"]}])))
    for name, content in (
        ("q.jsonl", b""),
        ("q.json", b"[]"),
        ("q.json", b'{"Data": []}'),
        ("q.parquet", as_parquet([GOOD])[:0]),
    ):
        with pytest.raises(InputError, match=r"is empty: it has no rows|cannot be read as Parquet"):
            questions_of(write(name, content))
    with pytest.raises(InputError, match=r"all 2 rows are rejected; .*broken JSON"):
        questions_of(write("q.jsonl", b"{1\n{2\n"))


records = st.dictionaries(
    st.sampled_from(["question", "answers", "answer", "id", "ctxs", "passages", "target", "nouns"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["text", "title", "id", "score", "value", "aliases", "answer"]), inner)
        ),
        max_leaves=8,
    ),
)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(records, max_size=4))
def test_any_json_is_a_question_or_a_rejection_and_never_a_crash(write, rows):
    for encode in (as_lines, as_array):
        path = write("q.json", encode([GOOD, *rows]))
        read = questions_of(path, question_column="question", answer_column="answers", id_column="")
        assert all(question.answers and question.question.strip() for question in read.items)
        assert {rejection.line for rejection in read.rejections} <= set(range(2, len(rows) + 2))


def test_rows_behind_a_beginning_that_cannot_be_read_are_not_lost_silently(write, monkeypatch):
    monkeypatch.setattr(json_lines, "_AHEAD_REJECTIONS", 3)
    path = write("q.jsonl", b"{broken\n" * 5 + as_lines([GOOD]))
    with pytest.raises(InputError, match=r"cannot be read before row 6; take the rows before it out"):
        questions_of(path)


def test_a_literal_that_would_take_all_memory_is_refused(monkeypatch):
    monkeypatch.setattr(literals, "_LONGEST_LITERAL", 10)
    assert read_literal("['a', 'b']") == ["a", "b"]
    with pytest.raises(ValueError, match="a literal of 11 characters"):
        read_literal("['a', 'bc']")


def test_a_first_row_that_lacks_a_column_does_not_hide_the_layout(write):
    read = questions_of(write("q.jsonl", as_lines([{"question": "q"}, GOOD])))
    assert len(read.items) == 1
    assert read.reasons == [(1, "question has no usable answer")]
