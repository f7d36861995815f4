"""Files and folders that no corpus should be, each with what must come of it: its texts, or the refusal's words."""

import gzip
import json
import os
import pickle
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.fuzz.tally import share

Make = Callable[[Path], Path]
FLOOD_LEN = share(1 << 30, usual=1 << 28)


def _file(name: str, content: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _card(front_matter: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / "README.md").write_text(f"---\n{front_matter}\n---\n")
        (folder / "a.jsonl").write_text('{"text": "a"}\n')
        return folder

    return make


def _saved(state: str, *, splits: str | None = None) -> Make:
    def make(folder: Path) -> Path:
        (folder / "dataset_info.json").write_text("{}")
        (folder / "state.json").write_text(state)
        if splits is not None:
            (folder / "dataset_dict.json").write_text(splits)
        return folder

    return make


def _parquet(values: pa.Array) -> Make:
    def make(folder: Path) -> Path:
        pq.write_table(pa.table({"text": values}), folder / "c.parquet")
        return folder / "c.parquet"

    return make


def _linked(name: str, target: str) -> Make:
    """A folder of one good file and one link."""

    def make(folder: Path) -> Path:
        corpus = folder / "corpus"
        corpus.mkdir()
        (folder / "other").mkdir()
        (folder / "other" / "b.jsonl").write_text('{"text": "b"}\n')
        (corpus / "a.jsonl").write_text('{"text": "a"}\n')
        (corpus / name).symlink_to(target)
        return corpus

    return make


def _link_to_itself(folder: Path) -> Path:
    (folder / "x.jsonl").symlink_to(folder / "x.jsonl")
    return folder / "x.jsonl"


def _pipe_within(folder: Path) -> Path:
    os.mkfifo(folder / "x.jsonl")
    return folder


def _folder_named_as_a_file(folder: Path) -> Path:
    (folder / "x.jsonl").mkdir()
    return folder / "x.jsonl"


def _many_columns(folder: Path) -> Path:
    pq.write_table(pa.table({f"c{i}": [0] for i in range(10_000)} | {"text": ["a"]}), folder / "c.parquet")
    return folder / "c.parquet"


_DEEP = 100_000
_BILLION = "\n".join(["a0: &a0 x", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))])

TEXTS: dict[str, tuple[Make, list[str]]] = {
    "a key that repeats, beside good rows": (
        _file("c.jsonl", b'{"text": "a", "text": "b"}\n{"text": "c"}\n'),
        ["c"],
    ),
    "100,000 brackets in one row": (
        _file("c.jsonl", b'{"text": "a", "x": ' + b"[" * _DEEP + b"]" * _DEEP + b'}\n{"text": "b"}\n'),
        ["b"],
    ),
    "100,000 objects in one another": (
        _file("c.jsonl", b'{"text": ' + b'{"a":' * _DEEP + b'\n{"text": "b"}\n'),
        ["b"],
    ),
    "NaN and infinity beside the text": (
        _file("c.jsonl", b'{"text": "a", "x": NaN, "y": -Infinity, "z": 1e999}\n'),
        ["a"],
    ),
    "an integer of 5,000 digits": (
        _file("c.jsonl", b'{"text": "a", "n": ' + b"9" * 5_000 + b'}\n{"text": "b"}'),
        ["b"],
    ),
    "parquet with 10,000 columns": (_many_columns, ["a"]),
    "a text of NUL and controls": (_file("c.txt", b"a\x00b\x1b[31m\x07"), ["a\x00b\x1b[31m\x07"]),
    "a mark of UTF-8 before text": (_file("c.txt", b"\xef\xbb\xbfa"), ["a"]),
    "a link to a folder beside": (_linked("more", "../other"), ["a", "b"]),
    "a link to the folder itself": (_linked("more", "."), ["a"]),
    "csv with a quote that never closes": (_file("c.csv", b'text\na\n"b\nc\n'), ["a", "c"]),
    "a file name with a line break's escape": (_file("a\\nb.jsonl", b'{"text": "a"}'), ["a"]),
    "a file name that is not UTF-8": (_file(os.fsdecode(b"a\xff.jsonl"), b'{"text": "a"}'), ["a"]),
    "a file name with a line break": (_file("a\nb.jsonl", b'{"text": "a"}'), ["a"]),
}

REFUSALS: dict[str, tuple[Make, str]] = {
    "an empty file": (_file("c.jsonl", b""), "is empty"),
    "a folder named as a file": (_folder_named_as_a_file, "nothing to read"),
    "a link to itself": (_link_to_itself, "a link that leads nowhere"),
    "a link that leads nowhere, in a folder": (_linked("b.jsonl", "gone"), "a link that leads nowhere"),
    "a pipe in a folder": (_pipe_within, "or no file"),
    "a pickle": (_file("c.jsonl", pickle.dumps({"text": ["a"] * 9})), "binary"),
    "a pickle in letters": (_file("c.jsonl", pickle.dumps({"text": ["a"] * 9}, 0)), "broken JSON"),
    "an image": (_file("c.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"), "binary"),
    "a program": (_file("c.csv", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00" + bytes(400)), "binary"),
    "UTF-16 without a mark": (_file("c.txt", "Ada was born.".encode("utf-16-le")), "is in UTF-16LE"),
    "UTF-16 without a mark, the other way round": (
        _file("c.jsonl", '{"text":1}'.encode("utf-16-be")),
        "is in UTF-16BE",
    ),
    "UTF-16 of Chinese without a mark": (_file("c.txt", "東京東京".encode("utf-16-be")), "invalid UTF-8"),
    "UTF-32": (_file("c.txt", "Ada".encode("utf-32")), "is in UTF-32"),
    "UTF-32, the other way round": (_file("c.txt", b"\x00\x00\xfe\xff" + "Ada".encode("utf-32-be")), "is in UTF-32"),
    "gzip cut short": (_file("c.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 999)[:60]), "is the file complete"),
    "gzip with refuse behind it": (_file("c.jsonl.gz", gzip.compress(b'{"text": "a"}\n') + b"refuse"), "to its end"),
    "zstandard cut short": (_file("c.jsonl.zst", zstandard.compress(b'{"text": "a"}\n' * 999)[:20]), "to its end"),
    "dates where texts should be": (_parquet(pa.array([2**30], pa.date32())), "not a string"),
    "times of a zone that is nowhere": (_parquet(pa.array([1], pa.timestamp("s", tz="No/Where"))), "not a string"),
    "bytes where texts should be": (_parquet(pa.array([b"\xff"])), "not a string"),
    "a list where texts should be": (_parquet(pa.array([["a"]])), "not a string"),
    "a card whose configs are words": (_card("configs: [foo]"), "not understood"),
    "a card with a list for a subset's name": (
        _card("configs:\n- {config_name: [a], data_files: x}\n- {config_name: b}"),
        "not understood",
    ),
    "a card with a number for files": (_card("configs:\n- {data_files: 3}"), "not understood"),
    "a card with files by split": (_card("configs:\n- {data_files: {train: a.jsonl}}"), "not understood"),
    "a card with no pattern": (_card("configs:\n- {data_files: ''}"), "no pattern"),
    "a card with half a pattern": (_card("configs:\n- {data_files: '**x'}"), "no pattern"),
    "a card with files of a folder above": (_card("configs:\n- {data_files: ../*.jsonl}"), "outside of it"),
    "a card with a date that is none": (_card("date: 2024-13-45"), "broken YAML"),
    "a card with a truth that is none": (_card("x: !!bool maybe"), "broken YAML"),
    "a card with brackets without end": (_card("x: " + "[" * 3_000), "broken YAML"),
    "a card that holds itself": (_card("configs: &c\n- *c"), "not understood"),
    "a card of a billion words": (_card(f"{_BILLION}\nconfigs:\n- data_files: *a11"), "not understood"),
    "splits that are a number": (_saved("{}", splits='{"splits": 3}'), "does not tell the splits"),
    "splits that are null": (_saved("{}", splits='{"splits": null}'), "does not tell the splits"),
    "splits of brackets without end": (_saved("{}", splits="[" * _DEEP), "cannot be read"),
    "a saved dataset of files elsewhere": (
        _saved('{"_data_files": [{"filename": "../../etc/passwd"}]}'),
        "no file beside it",
    ),
    "a saved dataset of a file that is gone": (
        _saved('{"_data_files": [{"filename": "a.arrow"}]}'),
        "no file beside it",
    ),
    "a saved dataset of a NUL": (_saved('{"_data_files": [{"filename": "a\\u0000"}]}'), "no file beside it"),
    "an empty file with a name that moves the cursor": (_file("a\x1b[31m.jsonl", b""), "is empty"),
    "an empty file with a line break in its name": (_file("a\nb.jsonl", b""), "is empty"),
}

NAMES = {
    "no name": ("", "no source is named"),
    "a name with a NUL": ("a\x00b", "no file or folder"),
    "a name longer than any file's": ("a" * 5_000, "cannot read"),
    "a path longer than any file's": ("/tmp/" + "b" * 300 + ".jsonl", "cannot read"),
    "a home of nobody": ("~nobody-of-that-name/x.jsonl", "no file or folder"),
    "a device": ("/dev/zero", "neither a file nor a folder"),
}


def _flood(begin: bytes, end: bytes) -> Iterator[bytes]:
    yield begin
    block = b"a" * (1 << 20)
    for _ in range(FLOOD_LEN >> 20):
        yield block
    yield end


def _packed(name: str, begin: bytes, end: bytes) -> Make:
    """Far more of one text than memory should hold, in a small file."""

    def make(folder: Path) -> Path:
        zst = name.endswith(".zst")
        packer = zstandard.ZstdCompressor().compressobj() if zst else zlib.compressobj(1, zlib.DEFLATED, 31)
        with (folder / name).open("wb") as file:
            for block in _flood(begin, end):
                file.write(packer.compress(block))
            file.write(packer.flush())
        return folder / name

    return make


def _many_texts(folder: Path) -> Path:
    """As much in lines of 100,000 letters."""
    line = json.dumps({"text": "a" * 100_000}).encode() + b"\n"
    with gzip.open(folder / "c.jsonl.gz", "wb", compresslevel=1) as file:
        for _ in range(FLOOD_LEN // 100_000):
            file.write(line)
    return folder / "c.jsonl.gz"


FLOODS: dict[str, tuple[Make, str | int]] = {
    "one row, jsonl.gz": (_packed("c.jsonl.gz", b'{"text": "', b'"}\n'), "longer than 128 MiB"),
    "one row, jsonl.zst": (_packed("c.jsonl.zst", b'{"text": "', b'"}\n'), "longer than 128 MiB"),
    "one cell, csv.gz": (_packed("c.csv.gz", b'text\n"', b'"\n'), "longer than 128 MiB"),
    "one text, txt.zst": (_packed("c.txt.zst", b"a", b"b"), "longer than 128 MiB"),
    "many rows, jsonl.gz": (_many_texts, FLOOD_LEN // 100_000),
}
"""What must not be loaded whole: the refusal's words, or how many texts there are."""
