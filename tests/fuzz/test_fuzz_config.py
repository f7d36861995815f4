"""Files of options: whatever they hold, they are valid options or one line that says what is wrong."""

import random
from pathlib import Path

import pytest

from elusive.config import AugmentConfig, load
from elusive.errors import ElusiveError
from tests.fuzz.tally import Tally, share

GOOD = b"""# options of a run
corpus: docs.jsonl
alpha: 0.6
beta: 1.0e-2
copies: 3
drop-mode: mask
mask_string: "\\u2588"
layers: 0,2-3,-1
protect: [digits, '\\bnot\\b']
originals: false
out: out
"""
_BILLION = "\n".join(["a0: &a0 x", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))])

REFUSED = {
    "nothing": "",
    "a list": "[]",
    "a number": "3",
    "a word": "alpha",
    "a bracket alone": "alpha: [",
    "a tab": "\t- x",
    "two mappings in one": "alpha: 0.1\n beta: 2",
    "a number for a name": "1: 2",
    "a list for a name": "{[a]: 1}",
    "a mapping for a name": "? {a: b}\n: 1",
    "itself": "alpha: &a [*a]",
    "itself as the whole": "&a [*a]",
    "a date that is none": "alpha: 2024-13-45",
    "a whole number that is none": "copies: !!int x",
    "a number that is none": "alpha: !!float x",
    "a truth that is none": "originals: !!bool x",
    "a time that is none": "alpha: !!timestamp x",
    "a number of 5,000 digits": f"seed: {'9' * 5000}",
    "brackets without end": f"x: {'[' * 3000}",
    "a billion words": f"{_BILLION}\nalpha: *a11",
    "two documents": "---\nalpha: 0.1\n---\nalpha: 0.2",
    "UTF-16": "alpha: 0.1".encode("utf-16"),
    "bytes that are no text": b"alpha: \xff",
    "a NUL": b"alpha: \x00",
    "an image": b"\x89PNG\r\n\x1a\n",
    "a call": "!!python/object/apply:os.getcwd []",
    "an object": "out: !!python/object:pathlib.Path {}",
    "an unknown anchor": "alpha: *x",
    "an unknown version": "%YAML 9.9\n---\na: 1",
    "a merge of a number": "<<: 3",
    "indices without number": "layers: 0-99999999999",
    "an index of 5,000 digits": f"layers: '{'9' * 5000}'",
    "a home of nobody": "scores: ~nobody-of-that-name/x\nalpha: 2",
    "a lone surrogate": 'mask_string: "\\ud800"',
}


def outcome(file: Path, content: bytes | str) -> str | None:
    """The line that refuses it; None where it is valid."""
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        load(AugmentConfig, file=file, flags={})
    except ElusiveError as error:
        line = str(error)
    else:
        return None
    assert len(line.splitlines()) == 1
    assert len(line) < 5_000
    return line


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_holds_no_options_is_refused(kind: str, tmp_path: Path, tally: Tally) -> None:
    line = outcome(tmp_path / "options.yaml", REFUSED[kind])
    tally.note("files that hold no options", "refused" if line else "wrong", line or "", hide=[tmp_path])
    assert line


def test_damaged_files_of_options_are_options_or_refused(tmp_path: Path, tally: Tally) -> None:
    signs = [b"[", b"]", b"{", b"}", b":", b"&a ", b"*a", b"!!int ", b"- ", b"\n", b"\t", b'"', b"\x00", b"\xff", b"9"]
    for seed in range(share(3000, usual=150)):
        rng = random.Random(seed)
        content = bytearray(GOOD)
        for _ in range(rng.choice([1, 2, 4])):
            at = rng.randrange(len(content))
            content[at : at + rng.choice([0, 1, 1, 9])] = rng.choice(signs)
        line = outcome(tmp_path / "options.yaml", bytes(content))
        tally.note("damaged files of options", "refused" if line else "survived", line or "", hide=[tmp_path])
