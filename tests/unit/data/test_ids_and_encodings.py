"""Ids as pandas leaves them, rows in other encodings: what can be read is, and what cannot names the way out."""

import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_files import read_all
from question_samples import as_array, as_arrow, as_lines, as_parquet, passages_of, questions_of

from elusive.data.rejected import Reason
from elusive.data.texts import id_of
from elusive.errors import InputError

REMEDY = "--id-column '' makes ids from the texts"
TYPED = {"c.jsonl": as_lines, "c.parquet": as_parquet, "c.arrow": as_arrow}


@pytest.mark.parametrize("name", TYPED)
def test_whole_numbers_held_as_floats_are_ids(write, name):
    rows = [{"id": 1.0, "text": "one"}, {"id": 2.0, "text": "two"}, {"id": None, "text": "three"}]
    path = write(name, TYPED[name](rows))
    for read in (read_all(path), passages_of(path)):
        items = read.texts if hasattr(read, "texts") else read.items
        assert [item.id for item in items] == ["1", "2"]
        assert read.reasons == [(3, Reason.NO_ID)]
        assert REMEDY in read.rejections[0].detail
    assert len(read_all(path, id_column="").texts) == 3


def test_questions_have_such_ids_too(write):
    rows = [{"id": n, "question": "q", "answers": ["a"]} for n in (1.0, 2.5, None)]
    read = questions_of(write("q.json", as_array(rows)))
    assert [question.id for question in read.items] == ["1"]
    assert read.reasons == [(2, Reason.ID_TYPE), (3, Reason.NO_ID)]
    assert all(REMEDY in rejection.detail for rejection in read.rejections)


def test_passages_of_a_question_have_such_ids_too(write):
    passages = [{"id": n, "text": "t"} for n in (7.0, math.nan, None, 7.5)]
    read = questions_of(write("q.jsonl", as_lines([{"question": "q", "answers": ["a"], "ctxs": passages}])))
    assert read.items[0].passages[0].id == "7"
    assert len(read.items[0].passages) == 3
    assert [rejection.detail for rejection in read.rejections] == ["number 4 of ctxs: id 7.5"]


@pytest.mark.parametrize("name", TYPED)
def test_a_column_without_any_id_names_the_way_out(write, name):
    path = write(name, TYPED[name]([{"id": None, "text": t} for t in ("one", "two")]))
    with pytest.raises(InputError, match=r"all 2 rows are rejected; the first: .*id is missing.*--id-column ''"):
        read_all(path)
    assert len(read_all(path, id_column="").texts) == 2


def test_nan_is_a_missing_id(tmp_path):
    pq.write_table(pa.table({"id": [1.0, math.nan], "text": ["one", "two"]}), tmp_path / "c.parquet")
    assert read_all(tmp_path / "c.parquet").reasons == [(2, Reason.NO_ID)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        ("007", "007"),
        (7.0, "7"),
        (-3.0, "-3"),
        (2.0**53 - 1, "9007199254740991"),
        (2.0**53, None),  # 2⁵³ + 1 is the same float
        (7.5, None),
        (math.inf, None),
        (math.nan, None),
        (True, None),
        (" ", None),
        ("\ud800", None),
        (b"7", None),
    ],
)
def test_what_is_an_id(value, text):
    assert id_of(value) == text


FRENCH = "L'été à la mer: café"
LATIN = {
    "c.jsonl": b'{"text": "plain"}\n{"text": "%s"}\n',
    "c.csv": b"n,text\n1,plain\n2,%s\n",
    "c.tsv": b"n\ttext\n1\tplain\n2\t%s\n",
    "c.txt": b"plain\n\n%s\n",
}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("name", LATIN)
def test_a_row_in_another_encoding_is_set_aside_with_the_command_that_converts(write, name, encoding):
    read = read_all(write(name, LATIN[name] % FRENCH.encode(encoding)), paragraphs=name == "c.txt")
    assert read.strings == ["plain"]
    [rejection] = read.rejections
    assert rejection.reason == Reason.BAD_UTF8
    assert "is 0xe9" in rejection.detail
    assert "L'été à la" in rejection.detail
    assert "iconv -f WINDOWS-1252 -t UTF-8" in rejection.detail


@pytest.mark.parametrize("name", ["q.json", "q.jsonl"])
def test_likewise_of_questions(write, name):
    line = f'{{"question": "{FRENCH}?", "answers": ["a"]}}'.encode("latin-1")
    content = b"[" + line + b"]" if name == "q.json" else line
    with pytest.raises(InputError, match=r"invalid UTF-8 \(byte 17 of the .* is 0xe9.*iconv -f WINDOWS-1252"):
        questions_of(write(name, content))


def test_a_whole_text_in_another_encoding_says_so(write):
    with pytest.raises(InputError, match=r"invalid UTF-8.*iconv -f WINDOWS-1252 -t UTF-8"):
        read_all(write("c.txt", FRENCH.encode("cp1252")))
    with pytest.raises(InputError, match="is not in UTF-8; convert the file: iconv -f WINDOWS-1252 -t UTF-8 notes"):
        read_all(write("notes", FRENCH.encode("cp1252")))
