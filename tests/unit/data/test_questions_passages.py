"""Every layout of passages gives the same passages."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_files import read_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from question_samples import (
    LAYOUTS,
    QUESTIONS,
    as_array,
    as_arrow,
    as_cells,
    as_lines,
    as_parquet,
    passages_of,
    questions_of,
)

from elusive.data.questions import Passage
from elusive.errors import InputError

PASSAGES = [
    Passage("1", "Aaron", 'Aaron ( or ; ""Ahärôn"") is a "prophet",\tsaid\nthey.'),
    Passage("2", 'The "A" Team', "東京 🙂"),
    Passage("30", "", "no title"),
]


def dpr(passages):
    return as_cells([{"id": p.id, "text": p.text, "title": p.title} for p in passages], delimiter="\t")


def atlas(passages):
    return as_lines([{"id": p.id, "title": p.title, "text": p.text, "section": ""} for p in passages])


def beir(passages):
    return as_lines([{"_id": p.id, "text": p.text, "title": p.title, "metadata": {}} for p in passages])


def flashrag(passages):
    return as_lines([{"id": p.id, "contents": f'"{p.title}"\n{p.text}' if p.title else p.text} for p in passages])


def parquet(passages):
    return as_parquet([{"text": p.text, "id": int(p.id), "embeddings": [0.5], "title": p.title} for p in passages])


WRITERS = {
    "psgs_w100.tsv": dpr,
    "psgs_w100.tsv.gz": lambda passages: gzip.compress(dpr(passages)),
    "p.jsonl": atlas,
    "p.json": lambda passages: as_array([json.loads(line) for line in atlas(passages).splitlines()]),
    "corpus.jsonl": beir,
    "wiki18.jsonl": flashrag,
    "p.parquet": parquet,
    "p.arrow": lambda passages: as_arrow([{"id": p.id, "title": p.title, "text": p.text} for p in passages]),
    "p.csv": lambda passages: as_cells([{"title": p.title, "id": p.id, "text": p.text} for p in passages]),
    "p": dpr,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_gives_the_same_passages(write, name):
    read = passages_of(write(name, WRITERS[name](PASSAGES)))
    assert read.items == PASSAGES
    assert not read.rejections


any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.tuples(any_text, any_text), min_size=1, max_size=4))
@pytest.mark.parametrize("name", ["psgs_w100.tsv", "p.jsonl", "wiki18.jsonl", "p.parquet"])
def test_any_unicode_comes_back_unchanged(write, name, texts):
    forbidden = {"wiki18.jsonl": '\n"', "psgs_w100.tsv": '"\r'}.get(name, "")  # no title with; see the two tests below
    strip = str.maketrans("", "", forbidden)
    passages = [
        Passage(str(n), title.translate(strip).strip(), text.translate(strip) + ".")
        for n, (title, text) in enumerate(texts)
    ]
    assert passages_of(write(name, WRITERS[name](passages))).items == passages


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"""quoted twice"""', "quoted twice"),
        ('"""Yes"" and ""no"""', '"Yes" and "no"'),
        ('"he said ""no"""', 'he said "no"'),
        ('""""', '"'),
        ("plain", "plain"),
    ],
)
def test_quotes_around_a_text_of_dpr_are_no_part_of_it(write, written, read):
    assert passages_of(write("p.tsv", f"id\ttext\ttitle\n1\t{written}\tT\n")).items == [Passage("1", "T", read)]


def test_the_title_of_flashrag_is_the_first_line_without_its_quotes(write):
    contents = ['"A"\nb\nc', "A\nb", "no title", '""a" or b"\nc', "title alone\n", 5]
    read = passages_of(write("p.jsonl", as_lines([{"id": n, "contents": c} for n, c in enumerate(contents)])))
    assert [(p.title, p.text) for p in read.items] == [
        ("A", "b\nc"),
        ("A", "b"),
        ("", "no title"),
        ('"a" or b', "c"),
    ]
    assert read.reasons == [(5, "text is empty or white space"), (6, "text is not a string")]


def test_a_section_is_part_of_the_title(write):
    sections = ["Life", "", None, " "]
    rows = [{"id": n, "title": "Ada", "section": s, "text": "t"} for n, s in enumerate(sections)]
    read = passages_of(write("p.jsonl", as_lines([*rows, {"id": 9, "section": "Life", "text": "t"}])))
    assert [passage.title for passage in read.items] == ["Ada: Life", "Ada", "Ada", "Ada", "Life"]


def test_ids_are_made_from_the_text_where_there_are_none(write):
    rows = [{"text": text, "title": "T"} for text in ("a", "b", "a")]
    ids = [passage.id for passage in passages_of(write("p.jsonl", as_lines(rows))).items]
    assert [made[-2:] for made in ids] == ["-0", "-0", "-1"]
    assert len(set(ids)) == 3


def test_bad_rows_are_counted(write):
    read = passages_of(write("p.tsv", b"id\ttext\ttitle\n1\ta\tA\n2\t\tB\n\tc\tC\n4\td\n5\t\xff\tE\n6\tf\tF\n"))
    assert [passage.id for passage in read.items] == ["1", "6"]
    assert read.reasons == [
        (3, "text is empty or white space"),
        (4, "id is missing, null or empty"),
        (5, "wrong number of fields"),
        (6, "invalid UTF-8"),
    ]
    read = passages_of(write("p.jsonl", as_lines([{"text": "a", "title": 5}, {"text": "b", "title": None}])))
    assert read.reasons == [(1, "title is not a string")]
    assert read.items[0].title == ""


def test_a_file_without_passages_is_an_error(write):
    for content in (b"", b"id\ttext\ttitle\n"):
        with pytest.raises(InputError, match="is empty: it has no rows; name a file with passages"):
            passages_of(write("p.tsv", content))


def test_double_ids_and_unknown_layouts_are_refused(write):
    with pytest.raises(InputError, match="id '1' is there twice"):
        passages_of(write("p.tsv", "id\ttext\ttitle\n1\ta\tA\n1\tb\tB\n"))
    with pytest.raises(InputError, match=r"no known layout of passages; its first record: .*'a'.*FlashRAG"):
        passages_of(write("p.jsonl", as_lines([{"a": 1}])))
    with pytest.raises(InputError, match="fits the layouts DPR, Atlas or BEIR and FlashRAG; name its columns with"):
        passages_of(write("p.jsonl", as_lines([{"text": "a", "contents": "b"}])))
    with pytest.raises(InputError, match="no known layout"):
        passages_of(write("p.tsv", "1\ta text without header\ttitle\n"))


def test_columns_may_have_any_names(tmp_path):
    pq.write_table(pa.table({"körper": ["a"], "nr": [5], "title": ["T"]}), tmp_path / "p.parquet")
    read = passages_of(tmp_path / "p.parquet", text_column="körper", id_column="nr")
    assert read.items == [Passage("5", "T", "a")]


def test_the_corpus_of_a_beir_folder_is_read_whatever_the_split(write):
    corpus = write("beir/corpus.jsonl", beir(PASSAGES))
    write("beir/queries.jsonl", as_lines([{"_id": "q", "text": "query"}]))
    write("beir/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq\t1\t1\n")
    assert passages_of(corpus.parent, split="test").items == passages_of(corpus.parent).items == PASSAGES


@pytest.mark.parametrize("layout", sorted(LAYOUTS.keys() - {"beir"}))  # queries of BEIR are a corpus without titles
def test_questions_are_not_taken_for_passages(write, layout):
    with pytest.raises(InputError, match="no known layout of passages"):
        passages_of(write("q.jsonl", as_lines([LAYOUTS[layout].record(question) for question in QUESTIONS])))


def test_ids_under_other_names_are_ids(write):
    for name in ("docid", "passage_id", "psg_id", "pid"):
        read = passages_of(write("p.jsonl", as_lines([{name: "d-7", "title": "T", "text": "t"}])))
        assert read.items == [Passage("d-7", "T", "t")]
    for name in ("query_id", "qid"):
        rows = [{name: 7, "docid": "d", "question": "q", "answers": ["a"]}]
        assert questions_of(write("q.jsonl", as_lines(rows))).items[0].id == "7"


def test_passages_of_a_question_may_be_contents(write):
    passages = [
        {"id": 1, "contents": "Tarn\nThe boat to Tarn.", "score": 1.5},
        {"docid": "d2", "contents": '"The "A" Team"\nb\nc'},
        {"id": 3, "contents": "no title"},
        {"id": 4, "contents": "\nno title either"},
        {"id": 5, "title": "T", "contents": "told apart"},
        {"id": 6, "contents": "title alone\n"},
        {"id": 7, "passage": "unknown"},
    ]
    read = questions_of(write("q.jsonl", as_lines([{"question": "q", "answers": ["a"], "ctxs": passages}])))
    assert read.items[0].passages == (
        Passage("1", "Tarn", "The boat to Tarn.", 1.5),
        Passage("d2", 'The "A" Team', "b\nc"),
        Passage("3", "", "no title"),
        Passage("4", "", "no title either"),
        Passage("5", "T", "told apart"),
    )
    assert [rejection.detail for rejection in read.rejections] == [
        "number 6 of ctxs: text ''",
        "number 7 of ctxs: neither text nor contents among id, passage",
    ]


def test_a_collection_without_a_header_is_ids_and_passages(write):
    rows = '0\tThe boat, to Tarn.\n1\t"Help!" sang the Beatles.\nD2\tthree\n'
    read = passages_of(write("collection.tsv", rows))
    assert [(passage.id, passage.text) for passage in read.items] == [
        ("0", "The boat, to Tarn."),
        ("1", '"Help!" sang the Beatles.'),
        ("D2", "three"),
    ]


@pytest.mark.parametrize(
    "content", ["1\tThe boat to Tarn.\tTarn\n", "1,The boat to Tarn,Tarn\n", f"a\t{'long ' * 20}\tb\n"]
)
def test_a_file_without_a_header_that_leaves_a_doubt_names_the_cure(write, content):
    for read in (passages_of, questions_of, read_all):
        with pytest.raises(InputError, match="its first line seems to be a row: write the names of the columns"):
            read(write("p.tsv", content))


def test_columns_that_are_numbers_are_no_rows(write):
    with pytest.raises(InputError, match=r"no column 'text' in .*; there are: '0' \(choose one with --text-column\)"):
        read_all(write("c.parquet", as_parquet([{"0": "a"}])))
