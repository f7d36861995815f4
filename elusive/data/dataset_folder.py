"""Writes what a run leaves: parts of a dataset as Parquet, JSON lines or csv, and the card that names them.

The same rows give the same bytes. `load_dataset(folder)` gives the data and `load_dataset(folder, "clues")`
the clues. `datasets` reads all subsets of a folder with the reader of the first one, hence data and clues
take one format. Memory is the part at hand.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from elusive.choices import RowFormat
from elusive.data.atomic import atomic_write
from elusive.data.cards import with_front_matter

# Readers stream by row groups, and viewers show the first: small enough for both.
_ROW_GROUP_LEN: Final = 16_384
_BATCH_ROWS: Final = 4_096


def data_schema() -> Any:
    """Columns of the data, a `pyarrow.Schema`.

    `copy` is 0 for an original; `kept` and `dropped` count units; `dropped_spans` are pairs of start and end
    in code points of the source text.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("text", pa.string()),
            ("source_id", pa.string()),
            ("copy", pa.int32()),
            ("kept", pa.int32()),
            ("dropped", pa.int32()),
            ("dropped_spans", pa.list_(pa.list_(pa.int32()))),
        ]
    )


def clues_schema() -> Any:
    """Columns of the clues, one row a token, a `pyarrow.Schema`.

    `start` and `end` are code points of the source text; scores and `rank` are null where they are not defined, or
    where the guide did not need them.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("source_id", pa.string()),
            ("position", pa.int32()),
            ("token", pa.string()),
            ("start", pa.int32()),
            ("end", pa.int32()),
            ("unit", pa.int32()),
            ("received_large", pa.float32()),
            ("received_small", pa.float32()),
            ("surprisal_large", pa.float32()),
            ("surprisal_small", pa.float32()),
            ("entropy_small", pa.float32()),
            ("score", pa.float32()),
            ("rank", pa.int32()),
            ("p_drop", pa.float32()),
        ]
    )


def part_name(index: int, n_parts: int, format: RowFormat) -> str:
    """The name of one part in Hub layout: `train-00000-of-00007.parquet`."""
    return f"train-{index:05d}-of-{n_parts:05d}.{format}"


def write_rows(path: Path, rows: Any, *, format: RowFormat) -> None:
    """Writes a table to `path`, atomically; equal tables give equal bytes.

    Args:
        path: the file, in a folder that exists.
        rows: a `pyarrow.Table`.
        format: csv holds lists as JSON and nulls as nothing; what it cannot hold through pandas, NUL
            characters and leading zeros of ids, only `read_corpus` reads back.

    Raises:
        FolderError: the folder cannot be written, or the disk is full.
        ValueError: a number is NaN or infinite, which JSON has no word for.
    """
    writers: dict[RowFormat, Callable[[Path, Any], None]] = {
        "parquet": _write_parquet,
        "jsonl": _write_jsonl,
        "csv": _write_csv,
    }
    with atomic_write(path) as temporary:
        writers[format](temporary, rows)


def dataset_card(
    front_matter: Mapping[str, Any],
    body: str,
    *,
    format: RowFormat = "parquet",
    clues: bool = True,
    identity: str = "",
) -> str:
    """The README.md of an output folder.

    Args:
        front_matter: further fields of the card: license, tags, `pretty_name`.
        body: the card's text, Markdown.
        format: the format of data and clues.
        clues: whether the folder holds clues.
        identity: names what is in the files. `datasets` finds a folder in its cache by name and card alone, and
            would go on giving the rows of an earlier folder of this name.

    Returns:
        the card. It declares files and column types: without the types, a reader of jsonl or csv would take
        ids for numbers and dates.
    """
    subsets = [("default", f"data/train-*.{format}", data_schema())]
    if clues:
        subsets.append(("clues", f"clues/train-*.{format}", clues_schema()))
    configs = [_config(name, files, schema, format) for name, files, schema in subsets]
    described = {"description": identity} if identity else {}
    infos = [{"config_name": name, **described, "features": _features(schema, format)} for name, _, schema in subsets]
    return with_front_matter({**front_matter, "configs": configs, "dataset_info": infos}, body)


def _config(name: str, files: str, schema: Any, row_format: RowFormat) -> dict[str, Any]:
    config = {"config_name": name, "data_files": [{"split": "train", "path": files}]}
    if row_format != "csv":
        return config
    # pandas takes a text "NA" or "null" for a missing value unless told that only empty numbers are missing.
    numbers = [field.name for field in schema if _feature(field.type, row_format) != {"dtype": "string"}]
    return {**config, "keep_default_na": False, "na_values": {number: [""] for number in numbers}}


def _features(schema: Any, row_format: RowFormat) -> list[dict[str, Any]]:
    return [{"name": field.name, **_feature(field.type, row_format)} for field in schema]


def _feature(kind: Any, row_format: RowFormat) -> dict[str, Any]:
    """One column's type in the words of a card."""
    import pyarrow as pa

    if not pa.types.is_list(kind):
        return {"dtype": "float32" if kind == pa.float32() else str(kind)}
    if row_format == "csv":
        return {"dtype": "string"}
    inner = _feature(kind.value_type, row_format)
    return {"list": inner.get("dtype", inner)}


def _write_parquet(path: Path, rows: Any) -> None:
    import pyarrow.parquet as pq

    pq.write_table(
        rows.combine_chunks(),  # pages end where chunks do, and equal rows must give equal bytes
        path,
        compression="zstd",
        row_group_size=_ROW_GROUP_LEN,
        write_page_checksum=True,
    )


def _write_jsonl(path: Path, rows: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for row in _records(rows):
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def _write_csv(path: Path, rows: Any) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        # Every string is quoted: Python before 3.13 leaves a lone carriage return bare, and rows fall apart.
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(rows.column_names)
        for row in _records(rows):
            writer.writerow([json.dumps(cell) if isinstance(cell, list) else cell for cell in row.values()])


def _records(rows: Any) -> Iterator[dict[str, Any]]:
    """Rows as dicts, a batch at a time; a float32 as the shortest decimal that gives it back."""
    import pyarrow as pa

    for index, field in enumerate(rows.schema):
        if field.type == pa.float32():
            short = rows.column(index).cast(pa.string()).cast(pa.float64())
            rows = rows.set_column(index, pa.field(field.name, pa.float64()), short)
    for batch in rows.to_batches(max_chunksize=_BATCH_ROWS):
        yield from batch.to_pylist()
