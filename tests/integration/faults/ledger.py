"""What was tried and what came of it: counted while the tests run, and shown as the tables of docs/RELIABILITY.md.

`make faults` names a folder in ELUSIVE_FAULTS: the suite then tries everything, and each process writes there, line by
line, what happened. `python -m tests.integration.faults.ledger FOLDER` sums them up in docs/reliability.json, where a
job that was not tried keeps its counts, and writes the tables anew; without FOLDER, the tables alone.
"""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[3] / "docs"
COUNTS, FUZZ, PAGE = DOCS / "reliability.json", DOCS / "fuzz.json", DOCS / "RELIABILITY.md"
FOLDER = os.environ.get("ELUSIVE_FAULTS")
Counts = dict[str, dict[str, Any]]
"""By kind: how many were tried, and what came of them."""

_KILLS = (
    "kill -9 just before or after a file appears",
    "kill -9 in the middle of a file",
    "kill -9 at any file-system call or step of progress",
    "kill -9 from outside, at a random time",
    "kill -9 of run after run, until one comes through",
)
_ROOM = (
    "Ctrl-C, SIGTERM, SIGHUP",
    "Ctrl-C again while the first is obeyed",
    "stdout or stderr closed",
    "disk full: no file may grow further",
    "disk full: a small file system",
    "file system read-only, folder or store unwritable",
    "output folder deleted during the run",
)
_OTHERS = (
    "file of a finished folder cut or deleted",
    "the user's own files in the folder, whatever comes",
    "kill -9 while another run is overwritten",
    "second run in a folder that is in use",
    "two runs with one store at the same time",
)
KINDS = {
    "augment": (
        "kill -9 while the corpus is read",
        "kill -9 while the large model scores",
        "kill -9 while the small model scores",
        "kill -9 while β is solved",
        "kill -9 while parts are written",
        "kill -9 while card, report and run.json are written",
        *_KILLS,
        "kill -9 of one of two workers",
        "kill -9 of the parent, its workers alive",
        *_ROOM,
        "data changed, cut or removed during the run",
        "data or model changed or removed after a kill",
        "score file: a byte flipped, cut, deleted, junk added",
        "staged chunk: likewise, after a kill",
        "staged.json, part counts: likewise, after a kill",
        "run.json: likewise, after a kill",
        "data, clues, rejected.jsonl: likewise, after a kill",
        *_OTHERS,
    ),
    "score-reader": (
        "kill -9 while questions are read",
        "kill -9 while the reader reads",
        "kill -9 while the reference reads",
        "kill -9 while readers are judged",
        "kill -9 while report, examples and run.json are written",
        *_KILLS,
        *_ROOM,
        "data changed, cut or removed during the run",
        "data or model changed or removed after a kill",
        "chunk of readings: a byte flipped, cut, deleted, junk added",
        "key.json of readings: likewise, after a kill",
        "records of questions and examples: likewise, after a kill",
        "run.json: likewise, after a kill",
        "questions, examples, rejected.jsonl: likewise, after a kill",
        *_OTHERS,
    ),
}
"""What is tried of each job, in the order of its table."""


@dataclass
class Fault:
    """One fault that was tried, and what came of it.

    Attributes:
        job: whose run met it.
        kind: one of the job's `KINDS`.
        kills: processes killed with SIGKILL.
        survived: the same command went on to the same bytes.
        refused: it was refused in one line that says what to do.
        bytes_lost: of the undisturbed run's files, those that the run after the fault lacks or has otherwise.
        chunks_again: chunks scored more than once, per kill; None where it was not measured.
        parts_again: parts written more than once, per kill; likewise.
    """

    job: str
    kind: str
    kills: int = 0
    survived: bool = False
    refused: bool = False
    bytes_lost: int = 0
    chunks_again: float | None = None
    parts_again: float | None = None


@contextlib.contextmanager
def tried(job: str, kind: str) -> Iterator[Fault]:
    """Counts a fault whatever comes of it, an exception too."""
    assert kind in KINDS[job]
    fault = Fault(job, kind)
    try:
        yield fault
    finally:
        if FOLDER:
            with (Path(FOLDER) / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(fault), ensure_ascii=False) + "\n")


def trials(*, full: int, ordinary: int, at_once: int = 10) -> list[Any]:
    """The numbers of trials, for `parametrize`, in handfuls: all of them under `make faults`, else a few."""
    numbers = range(full if FOLDER else ordinary)
    handfuls = [numbers[i : i + at_once] for i in range(0, len(numbers), at_once)]
    return [pytest.param(handful, id=f"{handful[0]}-{handful[-1]}") for handful in handfuls]


def of_jobs(names: str, *cases: Sequence[object], ids: Sequence[str] | None = None) -> pytest.MarkDecorator:
    """Runs a test in the houses of the jobs that its cases begin with, and with the rest of each case as `names`."""
    return pytest.mark.parametrize(("furnished", *names.split()), cases, indirect=["furnished"], ids=ids)


def summed(faults: Sequence[Fault]) -> dict[str, Counts]:
    """Counts by kind, of each job of which anything was tried."""
    jobs = dict.fromkeys(fault.job for fault in faults)
    return {
        job: {kind: _row([fault for fault in faults if (fault.job, fault.kind) == (job, kind)]) for kind in KINDS[job]}
        for job in jobs
    }


def _row(faults: Sequence[Fault]) -> dict[str, Any]:
    return {
        "tried": len(faults),
        "kills": sum(fault.kills for fault in faults),
        "survived": sum(fault.survived for fault in faults),
        "refused": sum(fault.refused for fault in faults),
        "bytes_lost": sum(fault.bytes_lost for fault in faults),
        "chunks_again": max((n for fault in faults if (n := fault.chunks_again) is not None), default=None),
        "parts_again": max((n for fault in faults if (n := fault.parts_again) is not None), default=None),
    }


def fault_table(counts: Counts) -> str:
    """The counts in Markdown."""
    lines = [
        "| fault | tried | same bytes | refused in one line | worse | bytes lost | scored again | written again |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, row in counts.items():
        worse = row["tried"] - row["survived"] - row["refused"]
        again = ("" if row[name] is None else f"{row[name]:.3g}" for name in ("chunks_again", "parts_again"))
        shown = (row["tried"], row["survived"], row["refused"], worse, row["bytes_lost"], *again)
        lines.append(f"| {kind} | " + " | ".join(str(cell) for cell in shown) + " |")
    total = {name: sum(row[name] for row in counts.values()) for name in ("tried", "kills")}
    lines += ["", f"In all {total['tried']:,} faults, with {total['kills']:,} processes killed outright."]
    return "\n".join(lines)


def fuzz_table(counts: dict[str, dict[str, Any]]) -> str:
    """What bad input came to, in Markdown."""
    lines = [
        "| bad input | tried | read, bad rows set aside | refused in one line | wrong |",
        "|---|---:|---:|---:|---:|",
    ]
    for what, row in counts.items():
        lines.append(f"| {what} | {row['tried']} | {row['survived']} | {row['refused']} | {row['wrong']} |")
    return "\n".join(lines)


def with_tables(page: str) -> str:
    """The page with its tables as the counts have them now; without the fuzzing's counts, without its table."""
    counts: dict[str, Counts] = json.loads(COUNTS.read_text(encoding="utf-8"))
    tables = {
        **{f"faults of {job}": fault_table(counts[job]) for job in KINDS},
        "bad input": fuzz_table(json.loads(FUZZ.read_text(encoding="utf-8"))) if FUZZ.exists() else "",
    }
    for name, table in tables.items():
        body = f"<!-- table: {name} -->\n{table}\n<!-- end -->"
        page, n = re.subn(rf"<!-- table: {name} -->\n.*?<!-- end -->", lambda _, b=body: b, page, flags=re.DOTALL)
        assert n == 1, name
    return page


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        records = [json.loads(line) for file in Path(folder).glob("*.jsonl") for line in file.open(encoding="utf-8")]
        before = json.loads(COUNTS.read_text(encoding="utf-8"))
        counts = before | summed([Fault(**record) for record in records])
        COUNTS.write_text(json.dumps(counts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
