"""What every layout of a corpus has in common: the same texts, ids, columns and errors."""

import io
import json
import os
import re
import subprocess
import sys
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_files import WRITERS, as_arrow, as_csv, as_jsonl, as_parquet, read_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elusive.data.corpus import Text, read_corpus
from elusive.errors import InputError, OptionError

STRINGS = ["Ada was born in London.", "été — 東京 🙂", 'He said "no",\tand left.\nA second line.']


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_gives_the_same_texts(write, name):
    read = read_all(write(name, WRITERS[name](STRINGS)))
    assert read.strings == STRINGS
    assert read.ids == read_all(write("reference.jsonl", as_jsonl(STRINGS))).ids
    assert not read.rejections


any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(str.strip)
awkward = st.sampled_from(
    [
        "e\u0301",
        "\u202eabc\u202c",
        "👩‍👩‍👧",
        "a\x00b",
        "\ufefftext",
        "a\rb\r\nc\nd",
        "\u2028x\x85y",
        '""',
        "a,b\tc",
        "שלום",
        "NA",
    ]
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strings=st.lists(any_text | awkward, min_size=1, max_size=6))
@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.tsv", "c.parquet", "c.arrow", "c.jsonl.zst"])
def test_any_unicode_text_comes_back_unchanged(write, name, strings):
    read = read_all(write(name, WRITERS[name](strings)))
    assert read.strings == strings
    assert len(set(read.ids)) == len(strings)


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.tsv", "c.txt"])
def test_a_byte_order_mark_is_no_part_of_the_corpus(write, name):
    content = b"one" if name == "c.txt" else WRITERS[name](["one"])
    assert read_all(write(name, b"\xef\xbb\xbf" + content)).strings == ["one"]


def test_txt_is_one_text_untouched_or_one_a_paragraph(write):
    path = write("c.txt", "One\r\nline.\r\n\r\n \t\n\nTwo.\rstill two\n\n\n")
    assert read_all(path).strings == ["One\r\nline.\r\n\r\n \t\n\nTwo.\rstill two\n\n\n"]
    assert read_all(path, paragraphs=True).strings == ["One\r\nline.", "Two.\rstill two"]


def test_paragraphs_are_numbered_by_their_first_line_and_fail_alone(write):
    read = read_all(write("c.txt", b"one\n\n\nbad \xff\nstill\n\nthree"), paragraphs=True)
    assert read.strings == ["one", "three"]
    assert read.reasons == [(4, "invalid UTF-8")]


def test_made_ids_are_content_hash_and_occurrence(write):
    ids = read_all(write("c.jsonl", as_jsonl(["a", "b", "a", "a"]))).ids
    hashes = [text_id.rsplit("-", 1) for text_id in ids]
    assert all(re.fullmatch("[0-9a-f]{16}-[0-9]+", text_id) for text_id in ids)
    assert [n for _, n in hashes] == ["0", "0", "1", "2"]
    assert hashes[0][0] == hashes[2][0] == hashes[3][0] != hashes[1][0]
    assert set(read_all(write("d.jsonl", as_jsonl(["a", "a", "b", "a"]))).ids) == set(ids)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({}, ["7", "x"]),
        ({"id_column": "key"}, ["k1", "k2"]),
        ({"id_column": ""}, None),
        ({"id_column": "text"}, ["a", "b"]),
    ],
)
def test_ids_come_from_the_column_named_else_from_id(write, options, ids):
    path = write("c.jsonl", '{"text":"a","id":7,"key":"k1"}\n{"text":"b","id":"x","key":"k2"}\n')
    found = read_all(path, **options).ids
    assert found == ids if ids is not None else all(text_id.endswith("-0") for text_id in found)


def test_integer_ids_of_parquet_become_strings(tmp_path):
    pq.write_table(pa.table({"id": pa.array([1, 2], pa.int64()), "text": ["a", "b"]}), tmp_path / "c.parquet")
    assert read_all(tmp_path / "c.parquet").ids == ["1", "2"]


def test_double_ids_name_both_places(write):
    path = write("c.csv", "id,text\n1,a\n2,b\n3,\n1,c\n")
    with pytest.raises(
        InputError, match=rf"id '1' is there twice: {re.escape(str(path))}:2 and .*c\.csv:5; .*--id-column"
    ):
        read_all(path)


def test_double_ids_are_found_across_files(write):
    write("corpus/a.jsonl", '{"id":1,"text":"a"}\n')
    path = write("corpus/b.jsonl", '{"id":"0","text":"a"}\n{"id":"1","text":"b"}\n')
    with pytest.raises(InputError, match=r"a\.jsonl:1 and .*b\.jsonl:2"):
        read_all(path.parent)


def test_the_first_file_decides_on_ids_for_all(write):
    write("corpus/a.jsonl", '{"text":"a"}\n')
    path = write("corpus/b.jsonl", '{"id":"1","text":"b"}\n')
    assert all(text_id.endswith("-0") for text_id in read_all(path.parent).ids)
    write("reversed/a.jsonl", '{"id":"1","text":"b"}\n')
    path = write("reversed/b.jsonl", '{"text":"a"}\n')
    with pytest.raises(InputError, match=r"no column 'id' in .*b\.jsonl"):
        read_all(path.parent)


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.parquet", "c.arrow"])
def test_a_missing_column_is_an_error_with_near_matches(write, name):
    path = write(name, WRITERS[name](STRINGS))
    with pytest.raises(InputError, match=r"no column 'txet' in .*c\..*; did you mean 'text'\? .*--text-column"):
        read_all(path, text_column="txet")
    with pytest.raises(InputError, match=r"no column 'nr' in .*--id-column"):
        read_all(path, id_column="nr")


def test_no_column_is_guessed(write):
    path = write("c.jsonl", '{"content":"a"}\n')
    with pytest.raises(InputError, match=r"no column 'text' in .*; there are: 'content'"):
        read_all(path)
    assert read_all(path, text_column="content").strings == ["a"]


def test_a_column_there_twice_is_refused(write):
    with pytest.raises(InputError, match="column 'text' is there 2 times"):
        read_all(write("c.csv", "text,text\na,b\n"))


def test_a_file_without_header_is_told_in_few_words(write):
    path = write("c.csv", b"1," + b"x\xff" * 100_000 + b"\n")
    with pytest.raises(InputError, match=r"no column 'text' in .*; there are: '1', 'x") as error:
        read_all(path)
    assert len(str(error.value)) < 400
    str(error.value).encode()


def test_paragraphs_and_splits_are_refused_where_there_are_none(write, tmp_path):
    path = write("c.jsonl", as_jsonl(["a"]))
    with pytest.raises(OptionError, match=r"paragraphs are for plain text, and .*c\.jsonl is jsonl"):
        read_all(path, paragraphs=True)
    for source in (path, tmp_path):
        with pytest.raises(InputError, match=r"no split 'test': .* has no splits"):
            read_corpus(source, split="test", on_rejected=print)


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is neither a file nor a folder"):
        read_corpus(tmp_path / "pipe", on_rejected=print)


def test_columns_of_parquet_may_have_dots_in_their_names(tmp_path):
    pq.write_table(pa.table({"my.text": ["a"], "my": ["b"]}), tmp_path / "c.parquet")
    assert read_all(tmp_path / "c.parquet", text_column="my.text").strings == ["a"]


def test_limit_ends_the_reading_there(write):
    path = write("c.jsonl", b'{"text":""}\n' + as_jsonl(["a", "b", "c"]) + b"broken\n")
    read = read_all(path, limit=2)
    assert read.strings == ["a", "b"]
    assert len(read.rejections) == 1
    with pytest.raises(OptionError, match="limit is 0"):
        read_corpus(path, limit=0, on_rejected=print)


def test_a_missing_file_is_told_at_once_with_near_matches(write, tmp_path):
    write("corpus.jsonl", "")
    with pytest.raises(InputError, match=r"no file or folder '.*corpsu\.jsonl'; did you mean 'corpus\.jsonl'\?"):
        read_corpus(tmp_path / "corpsu.jsonl", on_rejected=print)
    with pytest.raises(InputError, match=r"there is no folder '.*nowhere' either"):
        read_corpus(tmp_path / "nowhere" / "c.jsonl", on_rejected=print)


def test_a_relative_name_beside_a_local_folder_is_a_missing_file(write, tmp_path, monkeypatch):
    write("data/corpus.jsonl", "")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no file or folder 'data/corpus'; did you mean 'corpus.jsonl'"):
        read_corpus("data/corpus", on_rejected=print)


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.parquet", "c.arrow", "c.jsonl.gz", "c.jsonl.zst"])
def test_an_empty_corpus_is_an_error(write, name):
    with pytest.raises(InputError, match="is empty: it has no rows"):
        read_all(write(name, WRITERS[name]([])))


@pytest.mark.parametrize("name", ["c.jsonl", "c.csv", "c.tsv", "c.jsonl.gz"])
def test_a_file_of_no_bytes_is_an_error(write, name):
    with pytest.raises(InputError, match="is empty"):
        read_all(write(name, b""))


def test_a_corpus_without_a_good_row_tells_counts_and_the_first_reason(write):
    path = write("c.jsonl", '{"text":" "}\n{"text":null}\n')
    with pytest.raises(
        InputError,
        match=r"no usable texts in .*: all 2 rows are rejected; the first: .*c\.jsonl:1: text is empty",
    ):
        read_all(path)


def test_a_line_of_ten_megabytes_is_a_text_in_every_layout(write):
    long = "aé\n" * 3_500_000
    for name in ("c.jsonl", "c.csv", "c.parquet"):
        assert read_all(write(name, WRITERS[name](["short", long]))).strings == ["short", long]


def test_a_hundred_thousand_columns(write):
    n = 100_000
    header = [f"c{i}" for i in range(n - 1)] + ["text"]
    rows = [",".join(["0"] * (n - 1) + [word]) for word in ("one", "two")]
    assert read_all(write("c.csv", "\n".join([",".join(header), *rows]))).strings == ["one", "two"]
    wide = json.dumps(dict.fromkeys(header, "one"))
    assert read_all(write("c.jsonl", wide)).strings == ["one"]
    with pytest.raises(InputError, match=r"there are: 'c0', .* and 99988 more"):
        read_all(write("d.csv", "\n".join([",".join(header), *rows])), text_column="xyzzy")


def test_memory_is_bounded_while_a_corpus_streams(write):
    path = write("c.jsonl", as_jsonl([f"{i} " + "x" * 10_000 for i in range(3_000)]))
    tracemalloc.start()
    n_texts = sum(1 for _ in read_corpus(path, on_rejected=print))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_texts == 3_000
    assert peak < 4_000_000  # of 30 MB


def test_an_error_of_the_consumer_is_not_taken_for_damage(write):
    def disk_full(_):
        raise OSError("no space")

    for name in ("c.jsonl", "c.csv", "c.parquet", "c.arrow"):
        path = write(name, WRITERS[name](["", "a"]))
        with pytest.raises(OSError, match="no space"):
            list(read_corpus(path, on_rejected=disk_full))


def test_reading_left_half_way_leaves_no_file_open(write):
    for name in ("c.jsonl", "c.csv", "c.parquet", "c.arrow", "c.jsonl.zst", "c.csv.gz"):
        texts = read_corpus(write(name, WRITERS[name](STRINGS)), on_rejected=print)
        next(texts)
        del texts  # an open file would warn here, and warnings are errors


def test_text_is_frozen():
    with pytest.raises(AttributeError):
        Text("1", "a").text = "b"


def test_importing_the_module_loads_nothing_heavy():
    code = (
        "import sys, elusive.data.corpus, elusive.data.staging, elusive.data.dataset_folder\n"
        "heavy = {'datasets', 'pyarrow', 'zstandard', 'numpy', 'torch', 'pandas'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_arrow_batches_of_both_kinds_are_cut_small(write):
    strings = [f"text {i}" for i in range(1_000)]
    for stream in (True, False):
        assert read_all(write("c.arrow", as_arrow(strings, stream=stream))).strings == strings


def test_parquet_with_several_row_groups_numbers_rows_through(tmp_path):
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"] * 700 + [None]}), sink, row_group_size=100)
    (tmp_path / "c.parquet").write_bytes(sink.getvalue())
    read = read_all(tmp_path / "c.parquet")
    assert len(read.texts) == 700
    assert read.reasons == [(701, "text is null")]


def test_formats_agree_with_what_the_writers_claim():
    assert as_csv(["a"]).startswith(b"n,text")
    assert as_parquet(["a"]).startswith(b"PAR1")
