"""What a run leaves is what `datasets` loads, in every format, and the same bytes each time."""

import csv
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from corpus_files import read_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elusive.data.dataset_folder import clues_schema, data_schema, dataset_card, part_name, write_rows

FORMATS = ["parquet", "jsonl", "csv"]
DATA = [
    {"text": "NA", "source_id": "a1", "copy": 0, "kept": 3, "dropped": 0, "dropped_spans": []},
    {
        "text": 'é "q",\r\n🙂\rש',
        "source_id": "null",
        "copy": 1,
        "kept": 2,
        "dropped": 1,
        "dropped_spans": [[0, 3], [5, 9]],
    },
]
DATA.append({**DATA[0], "text": "a return\r and nothing\u2028else", "source_id": "1-0"})
CLUES = [
    {
        "source_id": "a1", "position": i, "token": token, "start": i, "end": i + 1, "unit": i,
        "received_large": large, "received_small": 0.1, "score": -0.3, "rank": rank, "p_drop": 1e-7,
    }
    for i, (token, large, rank) in enumerate([("NaN", None, None), ("Ġb", 0.125, 1), ('"', 3.4e38, 0)])
]  # fmt: skip


def data_table():
    return pa.Table.from_pylist(DATA, schema=data_schema())


def clues_table():
    return pa.Table.from_pylist(CLUES, schema=clues_schema())


def write_folder(folder, row_format) -> None:
    for name, table in (("data", data_table()), ("clues", clues_table())):
        (folder / name).mkdir(parents=True)
        for i in range(2):
            write_rows(folder / name / part_name(i, 2, row_format), table.slice(i, 1 + i), format=row_format)
    (folder / "README.md").write_text(dataset_card({"license": "cc0-1.0"}, "# A title", format=row_format))
    (folder / "rejected.jsonl").write_text('{"file": "x"}\n')
    (folder / "run.json").write_text("{}")


LOAD = """
import json, sys, warnings
import datasets
for name in (None, "clues"):
    loaded = datasets.load_dataset(sys.argv[1], name, split="train")
    streamed = list(datasets.load_dataset(sys.argv[1], name, split="train", streaming=True))
    assert streamed == loaded.to_list(), (streamed, loaded.to_list())
    print(json.dumps([{k: str(v) for k, v in loaded.features.items()}, loaded.to_list()]))
"""


@pytest.mark.parametrize("row_format", FORMATS)
def test_load_dataset_gives_data_and_clues(tmp_path, row_format):
    write_folder(tmp_path / "out", row_format)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD, tmp_path / "out"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "ignored" not in done.stderr
    (data_types, data), (clue_types, clues) = map(json.loads, done.stdout.splitlines())
    for row in data:
        if row_format == "csv":
            row["dropped_spans"] = json.loads(row["dropped_spans"])
    assert data == DATA
    assert clues == pa.Table.from_pylist(CLUES, schema=clues_schema()).to_pylist()
    assert data_types["source_id"] == data_types["text"] == "Value('string')"
    assert clue_types["rank"] == "Value('int32')"
    assert clue_types["p_drop"] == "Value('float32')"


@pytest.mark.parametrize("row_format", FORMATS)
def test_same_rows_same_bytes(tmp_path, row_format):
    rows = [{**DATA[1], "copy": i, "text": f"text {i} " * (i % 50)} for i in range(20_000)]
    whole = pa.Table.from_pylist(rows, schema=data_schema())
    table = pa.concat_tables([whole.slice(0, 17), whole.slice(17, 9_000), whole.slice(9_017)])
    write_rows(tmp_path / "a", table, format=row_format)
    write_rows(tmp_path / "b", whole, format=row_format)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strings=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip), min_size=1))
@pytest.mark.parametrize("row_format", FORMATS)
def test_any_unicode_text_written_is_read_again(tmp_path, row_format, strings):
    rows = [{**DATA[0], "text": text, "source_id": str(i)} for i, text in enumerate(strings)]
    path = tmp_path / f"c.{row_format}"
    write_rows(path, pa.Table.from_pylist(rows, schema=data_schema()), format=row_format)
    read = read_all(path, id_column="source_id")
    assert [(text.id, text.text) for text in read.texts] == [(str(i), text) for i, text in enumerate(strings)]


def test_parquet_keeps_the_schema_and_checks_pages(tmp_path):
    write_rows(tmp_path / "a", clues_table(), format="parquet")
    assert pq.read_table(tmp_path / "a", page_checksum_verification=True).equals(clues_table())


def test_csv_holds_lists_as_json_and_nulls_as_nothing(tmp_path):
    write_rows(tmp_path / "a", data_table(), format="csv")
    write_rows(tmp_path / "b", clues_table(), format="csv")
    with (tmp_path / "a").open(newline="", encoding="utf-8") as file:
        assert [row["dropped_spans"] for row in csv.DictReader(file)] == ["[]", "[[0, 3], [5, 9]]", "[]"]
    with (tmp_path / "b").open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    assert (row["received_large"], row["rank"]) == ("", "")
    assert (row["received_small"], row["score"], row["p_drop"]) == ("0.1", "-0.3", "1e-07")


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_float32_comes_back_exactly_from_jsonl(tmp_path, numbers):
    column = pa.array(numbers, pa.float32())
    write_rows(tmp_path / "a", pa.table({"x": column}), format="jsonl")
    lines = (tmp_path / "a").read_text().splitlines()
    assert pa.array([json.loads(line)["x"] for line in lines], pa.float32()).equals(column)


def test_nan_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_rows(tmp_path / "a", pa.table({"x": [float("nan")]}), format="jsonl")
    assert not list(tmp_path.iterdir())


def test_part_names():
    assert part_name(0, 7, "parquet") == "train-00000-of-00007.parquet"
    assert part_name(12, 100_000, "csv") == "train-00012-of-100000.csv"


def test_the_card_keeps_its_fields_and_tells_no_clues_where_there_are_none():
    card = dataset_card({"license": "cc0-1.0", "pretty_name": "Étude"}, "\n# Title\n\nBody.\n\n", clues=False)
    fence, header, body = card.split("---\n", 2)
    assert fence == ""
    assert body == "\n# Title\n\nBody.\n"
    loaded = yaml.safe_load(header)
    assert list(loaded) == ["license", "pretty_name", "configs", "dataset_info"]
    assert loaded["pretty_name"] == "Étude"
    assert [config["config_name"] for config in loaded["configs"]] == ["default"]


def test_schemas_are_as_documented():
    assert data_schema().names == ["text", "source_id", "copy", "kept", "dropped", "dropped_spans"]
    assert str(data_schema().field("dropped_spans").type) == "list<item: list<item: int32>>"
    assert clues_schema().names[:6] == ["source_id", "position", "token", "start", "end", "unit"]
    assert {str(kind) for kind in clues_schema().types} == {"string", "int32", "float"}
