"""What no corpus should be: its good rows, or one line that names the file and says what to do."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fuzz.hostile import FLOODS, NAMES, REFUSALS, TEXTS
from tests.fuzz.reading import Reading, read
from tests.fuzz.tally import Tally

_ROOT = Path(__file__).parents[2]
_NOBODY = 65534
_MOST_KIB = 800 << 10


@pytest.mark.parametrize("kind", TEXTS)
def test_good_rows_come_out_of_strange_files(kind: str, tmp_path: Path, tally: Tally) -> None:
    make, strings = TEXTS[kind]
    reading = read(make(tmp_path))
    right = reading.strings == strings and reading.error is None
    tally.note("strange files with good rows", "survived" if right else "wrong")
    assert reading.strings == strings
    assert reading.error is None


@pytest.mark.parametrize("kind", REFUSALS)
def test_what_no_corpus_should_be_is_refused_by_name(kind: str, tmp_path: Path, tally: Tally) -> None:
    make, words = REFUSALS[kind]
    path = make(tmp_path)
    _refused(read(path), words, tally, what="files and folders that are no corpus", hide=tmp_path)


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_that_can_be_no_corpus_is_refused(kind: str, tally: Tally) -> None:
    name, words = NAMES[kind]
    _refused(read(name), words, tally, what="names that are no corpus")


@pytest.mark.parametrize("place", ["closed/a.jsonl", "closed", "closed/gone.jsonl", "."])
def test_what_may_not_be_opened_is_refused_and_not_left_out(place: str, closed: Path, tally: Tally) -> None:
    with _as_somebody_else():
        reading = read(place)
    _refused(reading, r"cannot read \S*closed\S*: Permission denied", tally, what="files that may not be opened")


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that nobody may enter, beside a good file, in the working folder."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    (tmp_path / "a.jsonl").write_text('{"text": "a"}')
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"text": "a"}')
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)


@pytest.mark.parametrize("kind", FLOODS)
def test_a_small_file_does_not_flood_the_memory(kind: str, tmp_path: Path, tally: Tally) -> None:
    make, expected = FLOODS[kind]
    path = make(tmp_path)
    assert path.stat().st_size < 16 << 20
    command = [sys.executable, "-m", "tests.fuzz.reader_child", "file", str(path)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["grown_kib"] < _MOST_KIB
    tally.note("far more text than the file is large", told["outcome"], told["line"], hide=[tmp_path])
    if isinstance(expected, int):
        assert (told["outcome"], told["n_texts"]) == ("survived", expected)
    else:
        assert re.search(expected, told["line"])


def _refused(reading: Reading, words: str, tally: Tally, *, what: str, hide: Path = Path()) -> None:
    right = reading.error is not None and re.search(words, reading.error) is not None
    tally.note(what, "refused" if right else "wrong", reading.line, hide=[hide])
    assert right, (reading.error, reading.strings[:3])


@contextmanager
def _as_somebody_else() -> Iterator[None]:
    """Root may open everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
