"""Every reason for which a row is set aside, and every file that is refused whole."""

import csv
import gzip
import io
import json
import sys
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from corpus_files import as_csv, as_jsonl, as_parquet, read_all

from elusive.data.rejected import Reason, RejectedLog, Rejection, excerpt
from elusive.errors import FolderError, InputError, MissingExtraError

GOOD = b'{"id": "good", "text": "good"}\n'
BAD_LINES = {
    b'{"id": "a", "text": ""}': Reason.EMPTY_TEXT,
    b'{"id": "a", "text": " \\t\\n\\u3000"}': Reason.EMPTY_TEXT,
    b'{"id": "a", "text": null}': Reason.NULL_TEXT,
    b'{"id": "a"}': Reason.NO_TEXT,
    b'{"id": "a", "text": 3}': Reason.TEXT_TYPE,
    b'{"id": "a", "text": ["x"]}': Reason.TEXT_TYPE,
    b'{"id": "a", "text": {"en": "x"}}': Reason.TEXT_TYPE,
    b'{"id": "a", "text": "\\ud800 x"}': Reason.SURROGATE,
    b'{"id": "\\udfff", "text": "x"}': Reason.SURROGATE,
    b'{"id": "a", "text": "\xff"}': Reason.BAD_UTF8,
    b'{"id": "a", "text": "x"': Reason.BROKEN_JSON,
    b"{'id': 'a', 'text': 'x'}": Reason.BROKEN_JSON,
    b'{"id": 1' + b"0" * 5_000 + b', "text": "x"}': Reason.BROKEN_JSON,
    b"[" * 200_000: Reason.BROKEN_JSON,
    b'["a", "x"]': Reason.NOT_AN_OBJECT,
    b'"a"': Reason.NOT_AN_OBJECT,
    b"null": Reason.NOT_AN_OBJECT,
    b'{"text": "x"}': Reason.NO_ID,
    b'{"id": null, "text": "x"}': Reason.NO_ID,
    b'{"id": "", "text": "x"}': Reason.NO_ID,
    b'{"id": 1.5, "text": "x"}': Reason.ID_TYPE,
    b'{"id": true, "text": "x"}': Reason.ID_TYPE,
}


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.items(), ids=range(len(BAD_LINES)))
def test_a_bad_json_line_costs_itself_alone(write, line, reason):
    path = write("c.jsonl", GOOD + line + b"\n\n" + GOOD.replace(b"good", b"last"))
    read = read_all(path)
    assert read.ids == ["good", "last"]
    assert read.reasons == [(2, reason)]
    assert read.rejections[0].file == str(path)
    assert len(read.rejections[0].detail) <= 200


def test_every_reason_has_a_test():
    assert set(Reason) - set(BAD_LINES.values()) == {Reason.BROKEN_CSV, Reason.FIELD_COUNT, Reason.TAGS}


def test_a_surrogate_pair_in_escapes_is_an_ordinary_character(write):
    assert read_all(write("c.jsonl", b'{"text": "\\ud83d\\ude42"}\n')).strings == ["🙂"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"2,\n", Reason.EMPTY_TEXT),
        (b"2,x,y\n", Reason.FIELD_COUNT),
        (b"2\n", Reason.FIELD_COUNT),
        (b"2,\xff\n", Reason.BAD_UTF8),
        (b"2,\xed\xa0\x80\n", Reason.BAD_UTF8),
        (b",x\n", Reason.NO_ID),
        (b'2,"x" y\n', Reason.BROKEN_CSV),
    ],
)
def test_a_bad_csv_row_costs_itself_alone(write, row, reason):
    content = b'id,text\n1,"one\r\nmore"\n' + row + b"\r\n3,three\r4,four\n"
    read = read_all(write("c.csv", content))
    assert read.strings == ["one\r\nmore", "three", "four"]
    assert read.reasons == [(4, reason)]


def test_a_quote_that_never_closes_is_told_with_the_line_that_opens_it(write):
    read = read_all(write("c.csv", 'id,text\n1,one\n2,"Hello: she said\n3,three\n'))
    assert read.strings == ["one", "three"]
    assert read.reasons == [(3, Reason.BROKEN_CSV)]
    assert "in line 4, of a quotation that begins here" in read.rejections[0].detail


def test_the_process_wide_limit_on_csv_fields_is_put_back(write):
    before = csv.field_size_limit()
    path = write("c.csv", as_csv(["x" * (before + 1), "y"]))
    seen = []

    def read():
        seen.append(len(read_all(path).texts))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [2] * 4
    assert csv.field_size_limit() == before


def test_bad_cells_of_parquet(tmp_path):
    text = pa.array(["good", None, "", "last"], pa.string())
    pq.write_table(pa.table({"text": text}), tmp_path / "c.parquet")
    read = read_all(tmp_path / "c.parquet")
    assert read.strings == ["good", "last"]
    assert read.reasons == [(2, Reason.NULL_TEXT), (3, Reason.EMPTY_TEXT)]


def test_a_parquet_string_that_is_not_utf8_costs_its_row(tmp_path):
    spoiled = pa.array([b"good", b"\xff", b"last"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": spoiled}), tmp_path / "c.parquet")
    read = read_all(tmp_path / "c.parquet")
    assert read.strings == ["good", "last"]
    assert read.reasons == [(2, Reason.BAD_UTF8)]


def test_a_column_of_another_type_is_told_in_the_end(tmp_path):
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "c.parquet")
    with pytest.raises(InputError, match=r"all 2 rows are rejected; the first: .*:1: text is not a string \(1\)"):
        read_all(tmp_path / "c.parquet")


def test_a_key_that_the_first_rows_lack_may_come_later(write):
    content = b'{"other": 1}\n' * 63 + b'{"text": "a"}\n'
    assert len(read_all(write("c.jsonl", content)).rejections) == 63
    with pytest.raises(InputError, match=r"no column 'text' in .*; there are: 'other'"):
        read_all(write("c.jsonl", b'{"other": 1}\n' + content))


BINARY = bytes(range(256)) * 4
REFUSED = {
    "c.jsonl": (BINARY, "is a binary file"),
    "c.csv": (BINARY, "is a binary file"),
    "c.txt": (BINARY, "is a binary file"),
    "zeros.txt": (bytes(1000), "is a binary file"),
    "c.bin": (b"\x89PNG\r\n\x1a\n\x00\x00", "is a binary file"),
    "c.unknown": (b"caf\xe9", "is not in UTF-8; convert the file: iconv -f WINDOWS-1252 -t UTF-8 c.unknown"),
    "controls": (b"caf\xe9\x01", "is a binary file"),
    "utf16.txt": ("text".encode("utf-16"), "is in UTF-16"),
    "utf16.csv": ("text\na\n".encode("utf-16"), "is in UTF-16"),
    "array.json": (
        b'[{"text": "a"},\n{"text": "b"}]',
        r"one JSON array.*jq -c '.\[\]' array.json > array.jsonl",
    ),
    "array.jsonl": (b'[\n{"text": "a"}]', "one JSON array"),
    "c.parquet": (b"PAR1 and no more", "cannot be read as Parquet"),
    "text.parquet": (b"text\n", "cannot be read as Parquet"),
    "empty.parquet": (b"", "cannot be read as Parquet"),
    "c.arrow": (b"ARROW1 and no more", "cannot be read as Arrow"),
    "text.arrow": (b"text\n", "cannot be read as Arrow"),
    "empty.arrow": (b"", "cannot be read as Arrow"),
    "c.parquet.gz": (gzip.compress(as_parquet(["a"])), "decompress it first"),
    "cut.jsonl.gz": (gzip.compress(as_jsonl(["a" * 99, "b"]))[:-12], "cannot be read to its end"),
    "cut.jsonl.zst": (zstandard.compress(as_jsonl(["a" * 99, "b"]))[:-5], "cannot be read to its end"),
    "spoiled.jsonl.zst": (b"\x28\xb5\x2f\xfd" + b"\xff" * 50, "cannot be read to its end"),
    "spoiled.jsonl.gz": (b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 50, "cannot be read to its end"),
    "header.csv": (b'"text" x\n', "the header of .* cannot be read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_a_corpus_is_refused_by_name(write, name):
    content, message = REFUSED[name]
    path = write(name, content)
    with pytest.raises(InputError, match=message) as error:
        read_all(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_damage_after_good_rows_is_still_an_error(write):
    noise = [str(hash(str(i))) * 20 for i in range(20_000)]
    path = write("c.jsonl.gz", gzip.compress(as_jsonl(noise))[:-100])
    with pytest.raises(InputError, match=r"c\.jsonl\.gz cannot be read to its end"):
        read_all(path)


def test_a_page_of_parquet_that_is_spoiled_names_the_file(write):
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": [f"text {i}" for i in range(5_000)]}), sink, write_page_checksum=True)
    content = bytearray(sink.getvalue())
    content[1_000:1_100] = bytes(100)
    with pytest.raises(InputError, match=r"c\.parquet cannot be read as Parquet"):
        read_all(write("c.parquet", bytes(content)))


def test_zstandard_frames_in_sequence_and_long_windows(write):
    parameters = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    frames = [zstandard.ZstdCompressor(compression_params=parameters).compressobj() for _ in range(2)]
    content = b"".join(f.compress(as_jsonl([s])) + f.flush() for f, s in zip(frames, "ab", strict=True))
    assert read_all(write("c.jsonl.zst", content)).strings == ["a", "b"]


def test_zstandard_missing_is_told_with_its_extra(write, monkeypatch):
    path = write("c.jsonl.zst", zstandard.compress(as_jsonl(["a"])))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtraError, match=r"reading .*c\.jsonl\.zst needs zstandard.*elusive\[zstd\]"):
        read_all(path)


@pytest.fixture
def a_short_limit(monkeypatch):
    """Texts of a hundred characters at most: 128 MiB take their time."""
    for module in ("streams", "plain_text", "delimited"):
        monkeypatch.setattr(f"elusive.data.{module}.LONGEST_TEXT", 100)


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("c.jsonl", as_jsonl(["a", "b" * 100]), r"line 2 of \S*c\.jsonl"),
        ("c.csv", b"text\n" + b"a" * 101, r"line 2 of \S*c\.csv"),
        ("c.txt", b"a" * 101, r"\S*c\.txt"),
        ("p.txt", b"a\n\n" + b"b\n" * 51, r"the paragraph at line 3 of \S*p\.txt"),
    ],
)
def test_a_text_without_end_is_refused_before_it_fills_the_memory(write, a_short_limit, name, content, place):
    with pytest.raises(InputError, match=rf"^{place} is longer than .* MiB"):
        read_all(write(name, content), paragraphs=name == "p.txt")


def test_a_quote_that_never_closes_costs_what_a_text_may_hold_and_no_more(write, a_short_limit):
    read = read_all(write("c.csv", 'text\none\n"open\n' + "row\n" * 50))
    assert read.reasons == [(3, Reason.BROKEN_CSV)]
    assert len(read.strings) > 20
    assert set(read.strings) == {"one", "row"}


def test_the_log_appears_when_closed_and_counts_by_reason(tmp_path):
    path = tmp_path / "rejected.jsonl"
    with RejectedLog(path) as log:
        log(Rejection("c.jsonl", 3, Reason.BROKEN_JSON, "é \u2028"))
        log(Rejection("c.jsonl", 4, Reason.BROKEN_JSON))
        log(Rejection("d.txt", None, Reason.BAD_UTF8))
        assert not path.exists()
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    assert rows[0] == {"file": "c.jsonl", "line": 3, "reason": "broken JSON", "detail": "é \u2028"}
    assert log.counts == {"broken JSON": 2, "invalid UTF-8": 1}
    assert log.n_rejected == len(rows) == 3
    log.close()


def test_a_log_bears_a_file_name_that_is_not_utf8(tmp_path):
    with RejectedLog(tmp_path / "rejected.jsonl") as log:
        log(Rejection("c\udcff.jsonl", 3, Reason.BROKEN_JSON))
    assert json.loads((tmp_path / "rejected.jsonl").read_text("utf-8"))["file"] == "c\udcff.jsonl"


def test_a_log_of_nothing_is_an_empty_file(tmp_path):
    with RejectedLog(tmp_path / "rejected.jsonl"):
        pass
    assert (tmp_path / "rejected.jsonl").read_bytes() == b""


def test_a_log_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), RejectedLog(tmp_path / "rejected.jsonl"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    with pytest.raises(FolderError), RejectedLog(tmp_path / "nowhere" / "rejected.jsonl"):
        pass


def test_excerpts_are_short_one_line_and_fit_for_utf8():
    assert excerpt("a\r\nb\ud800") == "a\\r\\nb\\ud800"
    assert len(excerpt("\ud800\n" * 500)) == len(excerpt(["x" * 500])) == 200


def test_a_rejection_reads_as_a_place_and_a_reason():
    assert str(Rejection("c.csv", 3, "broken quoting", "x")) == "c.csv:3: broken quoting (x)"
    assert str(Rejection("c.txt", None, "invalid UTF-8")) == "c.txt: invalid UTF-8"
