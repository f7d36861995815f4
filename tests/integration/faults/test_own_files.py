"""Whatever goes wrong, the user's own files in the folder stay as they are, byte for byte."""

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.files import contents
from tests.integration.faults.forks import DONE, KILLED, REFUSED
from tests.integration.faults.house import House
from tests.integration.faults.ledger import Fault, trials
from tests.integration.faults.moments import Watch, die

OWN = "the user's own files in the folder, whatever comes"
OVERWRITE = "kill -9 while another run is overwritten"


def put(house: House, names: Sequence[str], draw: random.Random) -> dict[str, bytes]:
    """Some files of the user's, with their contents."""
    mine = {name: draw.randbytes(99) for name in draw.sample(names, k=draw.randrange(1, len(names) + 1))}
    for name, content in mine.items():
        (house.out / name).parent.mkdir(parents=True, exist_ok=True)
        (house.out / name).write_bytes(content)
    return mine


def still(house: House, mine: dict[str, bytes]) -> bool:
    return all((house.out / name).read_bytes() == content for name, content in mine.items())


def take(house: House, mine: dict[str, bytes]) -> None:
    """The user takes them away again."""
    for name in mine:
        (house.out / name).unlink()
    shutil.rmtree(house.out / "clues" / "mine", ignore_errors=True)


def refused(house: House, draw: random.Random, fault: Fault) -> dict[str, bytes]:
    mine = put(house, house.others_in_the_way, draw)
    if record := draw.choice(["", "{}", '{"options": {}}']):
        mine["run.json"] = record.encode()
        (house.out / "run.json").write_bytes(mine["run.json"])
    house.refuses(fault, house.run(overwrite=draw.random() < 0.5), "name another --out")
    assert contents(house.out, "") == mine, "nothing beside them"
    shutil.rmtree(house.out)
    return {}


def bad_input(house: House, draw: random.Random, fault: Fault) -> dict[str, bytes]:
    mine = put(house, ("notes.txt", "mine/notes.txt", "data.txt"), draw)
    (house.home / house.data).write_text("{broken\n")
    house.refuses(fault, house.run(), house.data)
    assert house.files() == mine, "nothing beside them"
    house.restore()
    return mine


def killed(house: House, draw: random.Random, fault: Fault) -> dict[str, bytes]:
    mine = put(house, ("notes.txt", "mine/notes.txt", "data.txt"), draw)
    assert house.run_until(draw.randrange(len(house.events))).status == KILLED
    fault.kills = 1
    return mine


def overwritten(house: House, draw: random.Random, fault: Fault) -> dict[str, bytes]:
    at = draw.randrange(8, len(house.events) + 40)
    ended = house.in_child(lambda: house.work(Watch(at, after=True), **house.another))
    assert ended.status in (DONE, KILLED)
    mine = put(house, house.beside, draw)
    assert house.run().status == REFUSED or at < 12, "it holds another run"
    assert still(house, mine)
    assert house.run(overwrite=True).status == DONE
    return mine


CASES: tuple[Callable[[House, random.Random, Fault], dict[str, bytes]], ...] = (
    refused,
    bad_input,
    killed,
    overwritten,
)


@pytest.mark.parametrize("seeds", trials(full=40, ordinary=3))
def test_the_users_own_files_survive(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        house.clear()
        with house.tried(OWN) as fault:
            mine = CASES[seed % len(CASES)](house, random.Random(f"own {seed}"), fault)
            assert still(house, mine)
            assert house.run().status == DONE
            assert still(house, mine)
            take(house, mine)
            shutil.rmtree(house.out / "mine", ignore_errors=True)
            house.must_be_whole(fault)


@pytest.fixture(scope="module")
def another(furnished: House, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A folder of another run, and how many events it takes to overwrite it, until the corpus is read."""
    furnished.clear()
    assert furnished.run(**furnished.another).status == DONE
    kept = tmp_path_factory.mktemp("another") / "out"
    shutil.copytree(furnished.out, kept)
    told = kept.parent / "events"

    def count() -> None:
        watch = Watch()

        def stop(*_: object, **__: object) -> None:
            told.write_text(str(len(watch.events)))
            die()

        watch.stage = stop  # type: ignore[method-assign,assignment]
        furnished.work(watch, overwrite=True)

    assert furnished.in_child(count).status == KILLED
    return kept, int(told.read_text())


@pytest.mark.parametrize("seeds", trials(full=80, ordinary=1))
def test_killed_while_it_overwrites_it_goes_on(house: House, another: tuple[Path, int], seeds: Sequence[int]) -> None:
    kept, n_events = another
    for seed in seeds:
        house.clear()
        shutil.copytree(kept, house.out)
        at = seed * 37 % n_events  # 37 is prime: as many trials as events try each of them
        with house.tried(OVERWRITE) as fault:
            watch = Watch(at, after=bool(seed // n_events % 2))
            assert house.in_child(lambda watch=watch: house.work(watch, overwrite=True)).status == KILLED
            fault.kills = 1
            ended = house.run()  # without the option: on from the moment at which the record tells of this run
            if ended.status == REFUSED:
                house.refuses(fault, ended, "holds a run with other options")
                assert house.files().items() >= house.files(kept).items(), "nothing was removed as yet"
                ended = house.run(overwrite=True)
            assert ended.status == DONE, ended.said
            house.must_be_whole(fault)
