"""What a run is made from changes under it, or before it goes on: the old content, or one line; never half of each."""

import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.integration.faults.forks import DONE, KILLED
from tests.integration.faults.house import House
from tests.integration.faults.ledger import trials

DURING = "data changed, cut or removed during the run"
BETWEEN = "data or model changed or removed after a kill"


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _add(file: Path) -> None:
    with file.open("a") as stream:
        stream.write('\n{"id": "new", "text": "One more."}')


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _flip_last(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def _lowercase(file: Path) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | {"normalizer": {"type": "Lowercase"}}))


DATA: tuple[Callable[[Path], object], ...] = (_add, _cut, Path.unlink, _fifo)
READ = {"augment": "read", "score-reader": "read questions"}
"""In which stage data is read."""
MODELS: tuple[tuple[str, Callable[[Path], object]], ...] = (
    ("tokenizer.json", _lowercase),
    ("model.safetensors", _flip_last),
    ("model.safetensors", Path.unlink),
    ("config.json", Path.unlink),
    ("tokenizer.json", Path.unlink),
)


@pytest.mark.parametrize("seeds", trials(full=24, ordinary=1))
def test_data_changed_during_the_run_is_noticed_or_did_not_matter(house: House, seeds: Sequence[int]) -> None:
    reading = house.numbers(stage=READ[house.job])[-3]
    for seed in seeds:
        house.clear()
        at = random.Random(f"during {seed}").randrange(len(house.events) if seed % 8 > 5 else reading)
        with house.tried(DURING) as fault:
            ended = house.run_until(at, act=lambda seed=seed: DATA[seed % 3](house.home / house.data))
            if ended.status == DONE:
                house.must_be_whole(fault)
            else:
                house.refuses(fault, ended, str(house.home / house.data))
                house.restore()
                house.goes_on(fault)


@pytest.mark.parametrize("seeds", trials(full=16, ordinary=1))
def test_data_changed_after_a_kill_is_refused_and_restored_it_goes_on(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        house.clear()
        at = random.Random(f"between {seed}").randrange(8, len(house.events) - 40)
        with house.tried(BETWEEN) as fault:
            assert house.run_until(at).status == KILLED
            DATA[seed % 4](house.home / house.data)
            house.refuses(fault, house.run(), house.data.partition(".")[0])
            house.restore()
            house.goes_on(fault)


@pytest.mark.parametrize("seeds", trials(full=20, ordinary=1))
def test_a_model_changed_after_a_kill_is_refused_and_restored_it_goes_on(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        house.clear()
        (name, spoil), side = MODELS[seed % 5], house.models[seed % 2]
        at = random.Random(f"model {seed}").randrange(8, len(house.events) - 40)
        with house.tried(BETWEEN) as fault:
            assert house.run_until(at).status == KILLED
            spoil(house.home / side / name)
            house.refuses(fault, house.run(), side)
            house.restore()
            house.goes_on(fault)
