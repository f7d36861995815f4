"""Small corpora in every format, and seeded damage to them.

What a mutant must still give is known where the format makes it known: in a text format, the rows that end before the
first damage; in a compressed file with a checksum, everything or an error.
"""

import csv
import gzip
import io
import json
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

STRINGS = [
    "Ada was born in London. " * 3,
    "été — 東京 🙂 e\u0301 👩‍👩‍👧",
    'He said "no",\tand left.\nA second line.',
    "\u202eשלום\u202c \u2028 \x85 \x00 \ufffe \ue000",
    *(f"text {i}" for i in range(150)),
]


@dataclass(frozen=True)
class Seed:
    """A good file.

    Attributes:
        content: its bytes.
        row_ends: where each row ends in them; empty where rows do not lie one behind the other.
        checked: whether damage can be told from content, by a checksum over all of it.
        strings: its texts.
    """

    content: bytes
    row_ends: tuple[int, ...] = ()
    checked: bool = False
    strings: tuple[str, ...] = tuple(STRINGS)

    def n_untouched(self, mutant: bytes) -> int:
        """How many rows end before the first byte that differs."""
        lengths = range(1, min(len(self.content), len(mutant)) + 1)
        n_equal = bisect_left(lengths, True, key=lambda n: self.content[:n] != mutant[:n])
        return sum(end <= n_equal for end in self.row_ends)


def _rows(header: str, rows: Sequence[str]) -> Seed:
    encoded = [row.encode() for row in rows]
    begin = len(header.encode())
    ends = tuple(begin + end for end in accumulate(map(len, encoded)))
    return Seed(header.encode() + b"".join(encoded), ends)


def _delimited(delimiter: str) -> Seed:
    rows = []
    for i, string in enumerate(STRINGS):
        line = io.StringIO(newline="")
        csv.writer(line, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow([i, string])
        rows.append(line.getvalue())
    return _rows(f"n{delimiter}text\r\n", rows)


def _parquet(**options) -> Seed:
    sink = io.BytesIO()
    table = pa.table({"n": range(len(STRINGS)), "text": pa.array(STRINGS, pa.string())})
    pq.write_table(table, sink, row_group_size=60, **options)
    return Seed(sink.getvalue())


def _arrow(texts: pa.Array, *, stream: bool = True, compression: str | None = None) -> Seed:
    sink = io.BytesIO()
    table = pa.table({"text": texts})
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=60)
    return Seed(sink.getvalue())


_JSON = _rows("", [json.dumps({"n": i, "text": s}, ensure_ascii=False) + "\n" for i, s in enumerate(STRINGS)])
_ZSTD = zstandard.ZstdCompressor(write_checksum=True).compress(_JSON.content)
_TEXTS = pa.array(STRINGS, pa.string())

SEEDS = {
    "c.jsonl": _JSON,
    "c.csv": _delimited(","),
    "c.tsv": _delimited("\t"),
    "c.txt": _rows("", [f"{s}\n\n" for s in STRINGS]),
    "without-suffix": _JSON,
    "c.jsonl.gz": Seed(gzip.compress(_JSON.content, mtime=0), checked=True),
    "c.jsonl.zst": Seed(_ZSTD, checked=True),
    "plain.parquet": _parquet(compression="none"),
    "packed.parquet": _parquet(compression="zstd", use_dictionary=False),
    "checked.parquet": _parquet(write_page_checksum=True),
    "stream.arrow": _arrow(_TEXTS),
    "file.arrow": _arrow(_TEXTS, stream=False),
    "dictionary.arrow": _arrow(_TEXTS.dictionary_encode()),
    "view.arrow": _arrow(_TEXTS.cast(pa.string_view())),
    "large.arrow": _arrow(_TEXTS.cast(pa.large_string()), stream=False),
    "packed.arrow": _arrow(_TEXTS, stream=False, compression="zstd"),
}


def mutant(name: str, seed: int) -> bytes:
    """The file `name`, damaged: the same for the same seed."""
    return damaged(SEEDS[name].content, random.Random(f"{name} {seed}"))


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The same bytes, but for a few places."""
    mutable = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 16])):
        if mutable:
            _damage(mutable, rng)
    return bytes(mutable)


def _damage(content: bytearray, rng: random.Random) -> None:
    at, there = rng.randrange(len(content)), rng.randrange(len(content))
    width = rng.randrange(1, 64)
    match rng.randrange(7):
        case 0:
            content[at] ^= 1 << rng.randrange(8)
        case 1:
            content[at] = rng.choice([0, 0x7F, 0x80, 0xFF, 0x0A, 0x0D, 0x22, 0x7B, rng.randrange(256)])
        case 2:
            del content[at : at + width]
        case 3:
            content[at:at] = rng.randbytes(width)
        case 4:
            content[at : at + width] = content[there : there + width]
        case 5:
            content[at:at] = content[there : there + width]
        case _:
            if rng.random() < 0.3:
                del content[at:]
            else:
                content[at : at + width] = bytes(len(content[at : at + width]))
