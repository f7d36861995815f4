"""What is written is what is read: any rows, good and bad, in every format, in order, none lost, places right."""

import csv
import gzip
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.reading import Reading, read
from tests.fuzz.tally import Tally, share
from tests.unit.data.corpus_files import WRITERS, as_parquet

NASTY = [
    "e\u0301", "👩‍👩‍👧", "\u202eabc\u202c", "שלום", "a\x00b", "\ufeffa", "a\r\nb\rc\nd\x85e\u2028f",
    "\ue000\ufffe\uffff",
    "\U0010ffff", '"', '""', "a,b\tc", "{}", "NA", "null", "#", "\\", "\x1a", "=1+1", "\u200b",
]  # fmt: skip
strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(NASTY)
surrogates = st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | strings | surrogates,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
    max_leaves=6,
)


def examples(full: int, *, usual: int) -> settings:
    return settings(
        max_examples=share(full, usual=usual),
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def is_text(value: object) -> bool:
    if not isinstance(value, str) or not value.strip():
        return False
    return not any("\ud800" <= c <= "\udfff" for c in value)


def holds(reading: Reading, values: Sequence[object], *, lines: Sequence[int]) -> None:
    """Good rows come out exactly, in order; each other row is set aside under its number."""
    good = [value for value in values if is_text(value)]
    aside = [line for value, line in zip(values, lines, strict=True) if not is_text(value)]
    assert reading.strings == good
    assert [rejection.line for rejection in reading.rejections] == aside
    assert len(reading.texts) + len(reading.rejections) == len(values)
    assert (reading.error is None) == bool(good)


@given(
    values=st.lists(json_values, min_size=1, max_size=8),
    ascii_only=st.booleans(),
    newline=st.sampled_from([b"\n", b"\r\n", b"\n\n"]),
)
@examples(1500, usual=60)
def test_json_rows_of_any_value(values, ascii_only, newline, tmp_path: Path, tally: Tally) -> None:
    # A lone surrogate can only be written as an escape.
    written = [json.dumps({"n": 0, "text": value}, ensure_ascii=ascii_only) for value in values]
    rows = [row.encode("utf-8", "backslashreplace") for row in written]
    (tmp_path / "c.jsonl").write_bytes(newline.join(rows))
    step = newline.count(b"\n")
    meant = [json.loads(row)["text"] for row in rows]  # two surrogates in a row are one character to JSON
    holds(read(tmp_path / "c.jsonl"), meant, lines=range(1, 1 + step * len(values), step))
    tally.note("rows of any JSON value, written and read", "survived")


@given(
    values=st.lists(strings, min_size=1, max_size=8), end=st.sampled_from(["\n", "\r\n", "\r"]), packed=st.booleans()
)
@pytest.mark.parametrize("name", ["c.csv", "c.tsv"])
@examples(1000, usual=40)
def test_delimited_rows_and_their_lines(values, end, packed, name, tmp_path: Path, tally: Tally) -> None:
    file = io.StringIO(newline="")
    delimiter = "\t" if name == "c.tsv" else ","
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["n", "text"])
    lines = []
    for value in values:
        lines.append(len(re.findall("\r\n|\r|\n", file.getvalue())) + 1)
        writer.writerow([0, value])
    content = file.getvalue().encode()
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(content) if packed else content)
    holds(read(path), values, lines=lines)
    tally.note("rows of csv and tsv, written and read", "survived")


@given(values=st.lists(strings | st.none(), min_size=1, max_size=8))
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), "dictionary"], ids=str)
@examples(500, usual=25)
def test_columns_of_every_kind_of_string(values, kind, tmp_path: Path, tally: Tally) -> None:
    text = pa.array(values, pa.string()) if kind == "dictionary" else pa.array(values, kind)
    table = pa.table({"text": text.dictionary_encode() if kind == "dictionary" else text})
    pq.write_table(table, tmp_path / "c.parquet")
    with pa.ipc.new_file(tmp_path / "c.arrow", table.schema) as writer:
        writer.write_table(table)
    for name in ("c.parquet", "c.arrow"):
        holds(read(tmp_path / name), values, lines=range(1, len(values) + 1))
        tally.note("rows of parquet and arrow, written and read", "survived")


@given(values=st.lists(strings.filter(is_text), min_size=1, max_size=6))
@pytest.mark.parametrize("name", WRITERS)
@examples(150, usual=6)
def test_every_layout_gives_back_what_was_written(values, name, tmp_path: Path, tally: Tally) -> None:
    if "without" in name:  # nothing but its bytes tells what it is, and NUL makes it binary
        values = [value.replace("\x00", "0") for value in values]
    (tmp_path / name).write_bytes(WRITERS[name](values))
    holds(read(tmp_path / name), values, lines=range(len(values)))
    tally.note("texts in every layout, written and read", "survived")


@given(values=st.lists(strings.filter(is_text), min_size=1, max_size=6))
@examples(300, usual=15)
def test_a_folder_in_hub_layout_gives_back_what_was_written(values, tmp_path: Path, tally: Tally) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    for index in range(2):
        (tmp_path / "data" / f"train-0000{index}-of-00002.parquet").write_bytes(as_parquet(values))
    holds(read(tmp_path), [*values, *values], lines=range(2 * len(values)))
    tally.note("folders in Hub layout, written and read", "survived")


@given(value=strings.filter(is_text))
@examples(500, usual=40)
def test_a_text_file_gives_back_what_was_written(value, tmp_path: Path, tally: Tally) -> None:
    content = value.encode()
    (tmp_path / "c.txt").write_bytes(content)
    reading = read(tmp_path / "c.txt")
    if reading.error:  # NUL by the dozen, or beside every letter
        assert "\x00" in value
        tally.note("text files, written and read", "refused", reading.error, hide=[tmp_path])
    else:
        assert reading.strings == [value.removeprefix("\ufeff")]
        tally.note("text files, written and read", "survived")
