"""Every layout of passages gives the same passages."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from question_samples import LAYOUTS, QUESTIONS, as_array, as_arrow, as_cells, as_lines, as_parquet, passages_of

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
