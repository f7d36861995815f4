"""A JSON array is read as a stream: only what is needed, in any cut, with its faults told."""

import io
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from question_samples import as_array, as_one_line_array, as_wrapped, questions_of

import elusive.data.json_array as json_array
from elusive.data.question_files import read_questions
from elusive.data.rejected import Rejection
from elusive.errors import InputError

GOOD = {"question": "q", "answers": ["a"]}


def large(n_records: int) -> list[dict]:
    context = {"title": "T", "text": "word " * 200, "score": "1.5"}
    return [{**GOOD, "question": f"q{n}", "ctxs": [context] * 10} for n in range(n_records)]


@pytest.mark.parametrize("encode", [as_array, as_one_line_array, as_wrapped])
def test_the_first_question_costs_the_first_rows_of_a_file(write, monkeypatch, encode):
    path = write("q.json", encode(large(1_000)))
    read = []

    class Counting(io.StringIO):
        def read(self, size=-1):
            read.append(size)
            return super().read(size)

    stream = Counting(path.read_text())
    monkeypatch.setattr(json_array, "open_lines", lambda _: stream)
    questions = read_questions(path, on_rejected=print)
    assert next(questions).question == "q0"
    assert sum(read) < path.stat().st_size // 10
    assert [question.question for question in questions] == [f"q{n}" for n in range(1, 1_000)]


def test_memory_is_bounded_while_an_array_streams(write):
    path = write("q.json", as_one_line_array(large(2_000)))
    tracemalloc.start()
    n_questions = sum(1 for _ in read_questions(path, on_rejected=print))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_questions == 2_000
    assert peak < 4_000_000  # of 20 MB


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None, max_examples=150)
@given(
    values=st.lists(json_values, max_size=5),
    window=st.integers(1, 40),
    indent=st.sampled_from([None, 0, 2]),
    ascii_only=st.booleans(),
)
def test_any_array_is_read_as_json_reads_it_in_windows_of_any_length(values, window, indent, ascii_only):
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "_WINDOW_LEN", window)
        for whole, key in ((text, ""), (f'{{"a": [{{}}], "Data" :\n{text}, "b": 1}}', "Data")):
            sliding = json_array._Window(io.StringIO(whole), "f")
            if key:
                sliding.enter(key)
            found = list(json_array._records(sliding, "f", until_end=not key))
            assert len(found) == len(values)
            for record, value in zip(found, values, strict=True):
                if isinstance(value, dict):
                    assert record.values == value
                else:
                    assert isinstance(record, Rejection)


def test_unfit_records_are_numbered_and_cost_themselves(write):
    good = json.dumps(GOOD).encode()
    faults = [b"5", b'"s"', b'{"question": "q", "question": "r"}', b'{"a": %s}' % (b"1" * 5_000), b'{"a": "\xff"}']
    path = write("q.json", b"[" + b",\n".join([good, *faults, good]) + b"]\n")
    read = questions_of(path)
    assert len(read.items) == 2
    assert read.reasons == [
        (2, "JSON record is not an object"),
        (3, "JSON record is not an object"),
        (4, "broken JSON"),
        (5, "broken JSON"),
        (6, "invalid UTF-8"),
    ]


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        ("", r"from line 3 on: it ends within the array; is the file complete\?"),
        (',\n{"question": "q', "from line 4 on: Unterminated string"),
        (", {'question': 1}]", "from line 3 on: Expecting property name"),
        (' {"question": 1}]', "from line 3 on: '{' where ',' or ']' is needed"),
        (",]", "from line 3 on: Expecting value"),
        ("] []", "from line 3 on: something follows the array"),
        (", " + "[" * 100_000, "from line 3 on: brackets within brackets"),
    ],
)
def test_broken_json_ends_the_reading_with_its_line(write, tail, told):
    good = json.dumps(GOOD)
    path = write("q.json", f"[\n{good},\n{good}" + tail)
    with pytest.raises(InputError, match=rf"q\.json cannot be read as JSON {told}"):
        questions_of(path)


def test_a_broken_record_is_seen_at_once_and_not_at_the_end_of_the_file():
    records = large(300)
    content = as_one_line_array(records).decode().replace('"q100"', '"q100" "x"')
    stream = io.StringIO(content)
    with pytest.raises(InputError, match="Expecting ',' delimiter"):
        list(json_array._records(json_array._Window(stream, "f"), "f", until_end=True))
    assert stream.tell() < len(content) // 2


def test_lines_are_counted_across_windows(write, monkeypatch):
    monkeypatch.setattr(json_array, "_WINDOW_LEN", 50)
    path = write("q.json", as_array([GOOD] * 100).removesuffix(b"]"))
    with pytest.raises(InputError, match="from line 602 on: it ends within the array"):
        questions_of(path)


def test_a_record_longer_than_any_text_is_refused(write, monkeypatch):
    monkeypatch.setattr(json_array, "LONGEST_TEXT", 200_000)
    path = write("q.json", as_array([{**GOOD, "more": "x" * 1_000_000}]))
    with pytest.raises(InputError, match=r"a record of .*q\.json is longer"):
        questions_of(path)


@pytest.mark.parametrize(
    ("head", "key"),
    [
        (b"[]", ""),
        (b"\xef\xbb\xbf [\n {", ""),
        (b"[", ""),
        (b'{"Data": [', "Data"),
        (b'{"Version": 1.0, "b": {"c": [1]}, "Data":\n[{"Question', "Data"),
        (b'{"Data": "text"}', None),
        (b'{"question": "Data", "answers": []}', None),
        (b'{"question": "cut', None),
        (b"[1, 2]", None),
        (b"['a']\tb", None),
        (b"", None),
        (b"{" * 8192, None),
        (b'{"a": ' + b"[" * 8000, None),
    ],
)
def test_an_array_is_told_by_its_head(head, key):
    assert json_array.array_key(head) == key
