"""Shared by the tests of `elusive.data`: reading a corpus whole, and writing small files of any layout."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from elusive.data.corpus import Rejection, Text, read_corpus


@dataclass(frozen=True)
class Read:
    texts: list[Text]
    rejections: list[Rejection]

    @property
    def strings(self) -> list[str]:
        return [text.text for text in self.texts]

    @property
    def ids(self) -> list[str]:
        return [text.id for text in self.texts]

    @property
    def reasons(self) -> list[tuple[int | None, str]]:
        return [(rejection.line, rejection.reason) for rejection in self.rejections]


def read_all(source, **options) -> Read:
    rejections: list[Rejection] = []
    texts = list(read_corpus(source, on_rejected=rejections.append, **options))
    return Read(texts, rejections)


def as_jsonl(strings: Sequence[str]) -> bytes:
    return "".join(json.dumps({"text": s}, ensure_ascii=False) + "\n" for s in strings).encode()


def as_csv(strings: Sequence[str], *, delimiter: str = ",") -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(["n", "text"])
    writer.writerows([[i, s] for i, s in enumerate(strings)])
    return file.getvalue().encode()


def as_parquet(strings: Sequence[str]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"n": range(len(strings)), "text": pa.array(strings, pa.string())}), sink)
    return sink.getvalue()


def as_arrow(strings: Sequence[str], *, stream: bool = True) -> bytes:
    sink = io.BytesIO()
    table = pa.table({"text": pa.array(strings, pa.string())})
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


WRITERS: dict[str, Callable[[Sequence[str]], bytes]] = {
    "c.jsonl": as_jsonl,
    "c.ndjson": as_jsonl,
    "c.json": as_jsonl,
    "c.jsonl.gz": lambda s: gzip.compress(as_jsonl(s)),
    "c.jsonl.zst": lambda s: zstandard.compress(as_jsonl(s)),
    "c.csv": as_csv,
    "c.csv.gz": lambda s: gzip.compress(as_csv(s)),
    "c.tsv": lambda s: as_csv(s, delimiter="\t"),
    "c.tsv.gz": lambda s: gzip.compress(as_csv(s, delimiter="\t")),
    "c.parquet": as_parquet,
    "c.arrow": as_arrow,
    "file.arrow": lambda s: as_arrow(s, stream=False),
    "C.JSONL": as_jsonl,
    "jsonl-without-suffix": as_jsonl,
    "csv-without-suffix": as_csv,
    "tsv-without-suffix": lambda s: as_csv(s, delimiter="\t"),
    "parquet-without-suffix": as_parquet,
    "gzip-without-suffix": lambda s: gzip.compress(as_jsonl(s)),
    "unpacked.jsonl.gz": as_jsonl,
    "packed.jsonl": lambda s: gzip.compress(as_jsonl(s)),
}
