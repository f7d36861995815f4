"""A damaged file is noticed by its checksum: made again, or refused in one line. It never gets into the result."""

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.integration.faults.forks import DONE, KILLED
from tests.integration.faults.house import House
from tests.integration.faults.ledger import of_jobs, trials

Damage = Callable[[Path, random.Random], object]


def _flip(file: Path, draw: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
    file.write_bytes(content)


def _cut(file: Path, draw: random.Random) -> None:
    file.write_bytes(file.read_bytes()[: draw.randrange(file.stat().st_size)])


def _delete(file: Path, draw: random.Random) -> None:
    file.unlink()


def _append(file: Path, draw: random.Random) -> None:
    file.write_bytes(file.read_bytes() + draw.randbytes(draw.randrange(1, 99)))


def _digit(file: Path, draw: random.Random) -> None:
    """Still of its format, where it is JSON: a checksum alone can tell."""
    content = bytearray(file.read_bytes())
    digits = [i for i, byte in enumerate(content) if byte in b"0123456789"] or [0]
    at = draw.choice(digits)
    content[at] = draw.choice([digit for digit in b"123456789" if digit != content[at]])
    file.write_bytes(content)


DAMAGES: tuple[Damage, ...] = (_flip, _cut, _delete, _append, _digit)
TARGETS = (
    ("augment", "score file: a byte flipped, cut, deleted, junk added", ("scores/*/part-*",)),
    ("augment", "staged chunk: likewise, after a kill", (".elusive/corpus/chunk-*",)),
    (
        "augment",
        "staged.json, part counts: likewise, after a kill",
        (".elusive/corpus/staged.json", ".elusive/parts/*.json"),
    ),
    ("augment", "run.json: likewise, after a kill", ("run.json",)),
    ("augment", "data, clues, rejected.jsonl: likewise, after a kill", ("data/*", "clues/*", "rejected.jsonl")),
    ("score-reader", "chunk of readings: a byte flipped, cut, deleted, junk added", ("readings/*/chunk-*",)),
    ("score-reader", "key.json of readings: likewise, after a kill", ("readings/*/key.json",)),
    ("score-reader", "records of questions and examples: likewise, after a kill", (".elusive/parts/*.json",)),
    ("score-reader", "run.json: likewise, after a kill", ("run.json",)),
    (
        "score-reader",
        "questions, examples, rejected.jsonl: likewise, after a kill",
        ("questions.jsonl", "examples.jsonl", "rejected.jsonl"),
    ),
)
KILLED_AT = {
    "augment": {"early": ("write", 2), "late": ("write", -2)},
    "score-reader": {"early": ("read with reference", 16), "late": ("finish", -6)},
}
"""In which stage, and at which of its events."""


@pytest.fixture(scope="module")
def killed(furnished: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a run that was killed early, and late."""
    kept = {}
    for when, (stage, place) in KILLED_AT[furnished.job].items():
        furnished.clear()
        assert furnished.run_until(furnished.numbers(stage=stage)[place]).status == KILLED
        kept[when] = tmp_path_factory.mktemp("killed") / when
        shutil.copytree(furnished.out, kept[when])
    return kept


@pytest.mark.parametrize("seeds", trials(full=30, ordinary=1))
@of_jobs("kind patterns", *TARGETS, ids=[f"{job}-{kind.split(':')[0].split(',')[0]}" for job, kind, _ in TARGETS])
def test_a_damaged_file_is_made_again_or_refused(
    house: House, killed: dict[str, Path], kind: str, patterns: Sequence[str], seeds: Sequence[int]
) -> None:
    for seed in seeds:
        house.clear()
        draw = random.Random(f"{kind} {seed}")
        shutil.copytree(killed["early" if seed % 5 == 4 else "late"], house.out)
        files = sorted(file for pattern in patterns for file in house.out.glob(pattern))
        with house.tried(kind) as fault:
            for file in draw.sample(files, k=min(len(files), draw.choice([1, 1, 3]))):
                DAMAGES[(seed + len(kind)) % len(DAMAGES)](file, draw)
            ended = house.run()
            if ended.status != DONE:
                house.refuses(fault, ended, "--out" if "run.json" in kind else "delete")
            else:
                house.must_be_whole(fault)


@pytest.mark.parametrize("seeds", trials(full=10, ordinary=1))
def test_a_lost_or_cut_file_of_a_finished_folder_is_noticed(house: House, seeds: Sequence[int]) -> None:
    assert house.run().status == DONE
    kept = house.home / "kept"
    shutil.copytree(house.out, kept)
    for seed in seeds:
        draw = random.Random(f"finished {seed}")
        shutil.rmtree(house.out)
        shutil.copytree(kept, house.out)
        with house.tried("file of a finished folder cut or deleted") as fault:
            victim = draw.choice(sorted(house.out / name for name in house.whole if name.startswith(house.results)))
            (_cut, _delete)[seed % 2](victim, draw)
            house.refuses(fault, house.run(), victim.name, "--overwrite")
            assert house.run(overwrite=True).status == DONE
            house.must_be_whole(fault)
            fault.survived, fault.refused = False, True
    shutil.rmtree(kept)
