"""Tells which format a file is in: by its first bytes where they leave no doubt, by its name, by its content.

Binary files and files in another encoding are refused here, by name, before a row is read. Costs the first
8 KiB of a file.
"""

import codecs
import contextlib
import re
from pathlib import Path
from typing import Final, Literal

from elusive.data.columnar import arrow_table, parquet_table
from elusive.data.delimited import delimited_table
from elusive.data.json_lines import json_table
from elusive.data.plain_text import plain_table
from elusive.data.separators import SEPARATORS, separator_of
from elusive.data.streams import CONVERSION, compression_of, read_head
from elusive.data.tables import Table
from elusive.errors import InputError

Format = Literal["jsonl", "csv", "tsv", "txt", "parquet", "arrow"]

FORMAT_OF_SUFFIX: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "txt",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
COMPRESSED_SUFFIXES: Final = (".gz", ".zst")

_HEAD_LEN: Final = 8192
_BOMS: Final = {  # the mark of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # in no text of any encoding that has ASCII
_JSON_ARRAY = re.compile(rb"\s*\[\s*(\{|$)")


def format_of_name(path: Path) -> Format | None:
    """The format that the name of `path` tells, compression aside; None where it tells none."""
    name = path.name.lower()
    for suffix in COMPRESSED_SUFFIXES:
        name = name.removesuffix(suffix)
    return FORMAT_OF_SUFFIX.get(Path(name).suffix)


def detect_format(path: Path) -> Format:
    """The format of the file at `path`.

    Raises:
        InputError: it cannot be opened, is binary, is not in UTF-8, or holds one JSON array.
        MissingExtraError: it is compressed with zstandard, which is not installed.
    """
    head = read_head(path, _HEAD_LEN)
    named = format_of_name(path)
    found = _by_magic(head)
    if (found or named) in ("parquet", "arrow"):
        if compression_of(path) is not None:
            raise InputError(f"{path} is a compressed {found or named} file; decompress it first")
        return found or named or "parquet"
    _refuse_binary(path, head, named)
    if named == "jsonl" or named is None:
        _refuse_array(path, head)
    return named or _by_content(head)


def open_table(
    path: Path, *, kind: Format, text_column: str, paragraphs: bool
) -> contextlib.AbstractContextManager[Table]:
    """Opens `path`, in a known format, as a table.

    Raises:
        InputError: on entering: it is damaged, or not of that format.
    """
    match kind:
        case "jsonl":
            return json_table(path, text_column=text_column)
        case "csv" | "tsv":
            usual = "," if kind == "csv" else "\t"
            head = read_head(path, _HEAD_LEN)
            return delimited_table(path, delimiter=separator_of(head, usual=usual, column=text_column))
        case "txt":
            return plain_table(path, paragraphs=paragraphs)
        case "parquet":
            return parquet_table(path)
        case "arrow":
            return arrow_table(path)


def _by_magic(head: bytes) -> Format | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    return "arrow" if head.startswith(b"ARROW1") else None


def _by_content(head: bytes) -> Format:
    """The format of an untold text, by its first line: an object, a header with `text`, or prose."""
    first = head.removeprefix(codecs.BOM_UTF8).lstrip().split(b"\n", 1)[0].strip()
    if first.startswith(b"{"):
        return "jsonl"
    cells = (first.split(separator.encode()) for separator in SEPARATORS)
    return "csv" if any(len(header) > 1 and b"text" in header for header in cells) else "txt"


def _refuse_binary(path: Path, head: bytes, named: Format | None) -> None:
    encoding = _other_encoding(head)
    if encoding:
        raise InputError(f"{path} is in {encoding}; convert it: iconv -f {encoding} -t UTF-8")
    n_nul = head.count(0)
    undecodable = not _is_utf8(head)
    # A few NUL characters are part of a text; bytes that are not UTF-8 as well, or NUL by the dozen, are not.
    binary = n_nul > 0 and (undecodable or (len(head) >= 256 and n_nul * 4 > len(head)))
    if undecodable and not binary and named is None and not _CONTROL.search(head):
        raise InputError(f"{path} is not in UTF-8; {CONVERSION} {path.name}")
    if binary or (named is None and (undecodable or n_nul)):
        known = ", ".join(FORMAT_OF_SUFFIX)
        raise InputError(f"{path} is a binary file, not a corpus of texts in UTF-8; what can be read: {known}")


def _other_encoding(head: bytes) -> str | None:
    """UTF-32 or UTF-16, by their marks, or by a NUL beside each of the first characters."""
    for mark, name in _BOMS.items():
        if head.startswith(mark):
            return name
    even, odd = head[0:64:2], head[1:64:2]
    if len(odd) > 1 and not any(odd) and all(even):
        return "UTF-16LE"
    return "UTF-16BE" if len(odd) > 1 and not any(even) and all(odd) else None


def _is_utf8(head: bytes) -> bool:
    """Whether `head` is UTF-8, not counting a character that its end cuts in two."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < _HEAD_LEN)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_array(path: Path, head: bytes) -> None:
    if _JSON_ARRAY.match(head.removeprefix(codecs.BOM_UTF8)):
        raise InputError(
            f"{path} holds one JSON array, and one object a line is needed; convert it: "
            f"jq -c '.[]' {path.name} > {path.stem}.jsonl"
        )
