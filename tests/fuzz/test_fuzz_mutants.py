"""Files damaged at random, in every format: right texts, rows set aside, or one line; never a crash or a hang."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.mutants import SEEDS
from tests.fuzz.reading import read
from tests.fuzz.tally import Tally, share

_ROOT = Path(__file__).parents[2]


def outcomes(name: str, last: int) -> list[dict[str, object]]:
    """One a mutant; after a death of the process a new one goes on behind the mutant that killed it."""
    found: list[dict[str, object]] = []
    while len(found) < last:
        command = [sys.executable, "-m", "tests.fuzz.reader_child", "mutants", name, str(len(found)), str(last)]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
        found += [json.loads(line) for line in done.stdout.splitlines()]
        if len(found) < last:
            found.append({"seed": len(found), "outcome": "wrong", "line": f"{done.returncode}: {done.stderr[-2000:]}"})
    return found


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.timeout(600)
def test_a_damaged_file_is_read_or_refused_and_never_more(name: str, tally: Tally) -> None:
    found = outcomes(name, share(2000, usual=60))
    for one in found:
        tally.note(f"damaged files: {name}", one["outcome"], str(one["line"]))
    assert [one for one in found if one["outcome"] == "wrong"] == []


@pytest.mark.parametrize("name", SEEDS)
def test_the_file_itself_is_read_rightly(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(SEEDS[name].content)
    reading = read(tmp_path / name, paragraphs=name.endswith(".txt"))
    assert tuple(reading.strings) == SEEDS[name].strings
    assert not reading.rejections
