"""Reads damaged files in a process of its own, so that a crash, a hang or a flood of memory is an outcome too.

    python -m tests.fuzz.reader_child mutants NAME FIRST LAST     mutants of one file, a line of JSON for each
    python -m tests.fuzz.reader_child file PATH                   one file, and the largest memory it took

Memory is limited to what the process holds after its imports, and as much again as `_MORE_BYTES`.
"""

import faulthandler
import json
import resource
import sys
import tempfile
import traceback
from pathlib import Path

import pyarrow  # noqa: F401  # counts as held
import zstandard  # noqa: F401

from tests.fuzz.mutants import SEEDS, mutant
from tests.fuzz.reading import hold_to, read

_MORE_BYTES = 2 << 30
_LONGEST_SECONDS = 60


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _mutants(name: str, first: int, last: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            faulthandler.dump_traceback_later(_LONGEST_SECONDS, exit=True)
            content = mutant(name, number)
            path = Path(folder) / name
            path.write_bytes(content)
            told = {"seed": number, "outcome": "wrong", "line": ""}
            try:
                reading = read(path, paragraphs=name.endswith(".txt"))
                hold_to(reading, SEEDS[name], content, name=name)
                told |= {"outcome": reading.outcome, "line": reading.line.replace(f"{folder}/", "")}
            except BaseException:  # noqa: BLE001  # whatever it is, it is wrong, and is told
                told["line"] = traceback.format_exc()
            print(json.dumps(told), flush=True)


def _file(path: Path) -> None:
    faulthandler.dump_traceback_later(_LONGEST_SECONDS, exit=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reading = read(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    told = {"outcome": reading.outcome, "line": reading.line, "n_texts": len(reading.texts), "grown_kib": grown}
    print(json.dumps(told))


if __name__ == "__main__":
    _limit_memory()
    if sys.argv[1] == "mutants":
        _mutants(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        _file(Path(sys.argv[2]))
