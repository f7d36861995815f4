"""Killed at any moment, again and again, workers or parent: the next call goes on, and the folder is the same bytes."""

import os
import random
import signal
import time
from collections.abc import Sequence

import psutil
import pytest

from tests.integration.faults.forks import DONE, KILLED, REFUSED
from tests.integration.faults.house import House
from tests.integration.faults.ledger import Fault, of_jobs, trials

STAGES = (
    ("augment", "kill -9 while the corpus is read", "read"),
    ("augment", "kill -9 while the large model scores", "score with large"),
    ("augment", "kill -9 while the small model scores", "score with small"),
    ("augment", "kill -9 while β is solved", "plan"),
    ("augment", "kill -9 while parts are written", "write"),
    ("augment", "kill -9 while card, report and run.json are written", "finish"),
    ("score-reader", "kill -9 while questions are read", "read questions"),
    ("score-reader", "kill -9 while the reader reads", "read with reader"),
    ("score-reader", "kill -9 while the reference reads", "read with reference"),
    ("score-reader", "kill -9 while readers are judged", "judge"),
    ("score-reader", "kill -9 while report, examples and run.json are written", "finish"),
)
ANYWHERE = "kill -9 at any file-system call or step of progress"
MANY = {"full": 40, "ordinary": 1}


def costs_one_chunk(fault: Fault) -> None:
    assert fault.chunks_again is not None
    assert fault.chunks_again <= 1
    assert (fault.parts_again or 0) <= 1


def killed_and_gone_on(house: House, kind: str, at: int, **how: object) -> None:
    house.clear()
    with house.tried(kind) as fault:
        assert house.run_until(at, **how).status == KILLED
        fault.kills = 1
        house.goes_on(fault)
        costs_one_chunk(fault)


@pytest.mark.parametrize("seeds", trials(full=10, ordinary=1))
@of_jobs("kind stage", *STAGES, ids=[f"{job}-{stage}" for job, _, stage in STAGES])
def test_killed_in_a_stage_it_goes_on(house: House, kind: str, stage: str, seeds: Sequence[int]) -> None:
    numbers = house.numbers(stage=stage)
    assert len(numbers) >= 5
    for seed in seeds:
        draw = random.Random(f"{kind} {seed}")
        killed_and_gone_on(house, kind, draw.choice(numbers), after=draw.random() < 0.5)


@pytest.mark.parametrize("seeds", trials(**MANY))
def test_killed_as_a_file_appears_it_goes_on(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        at = random.Random(f"file {seed}").choice(house.numbers(what="replace"))
        killed_and_gone_on(house, "kill -9 just before or after a file appears", at, after=bool(seed % 2))


@pytest.mark.parametrize("seeds", trials(**MANY))
def test_killed_in_the_middle_of_a_file_it_goes_on(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        draw = random.Random(f"torn {seed}")
        at = draw.choice(house.numbers(what="replace"))
        killed_and_gone_on(house, "kill -9 in the middle of a file", at, torn=draw.random())


@pytest.mark.parametrize("seeds", trials(full=60, ordinary=2))
def test_killed_at_any_event_it_goes_on(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        draw = random.Random(f"any {seed}")
        killed_and_gone_on(house, ANYWHERE, draw.randrange(len(house.events)), after=draw.random() < 0.5)


@pytest.mark.parametrize("seeds", trials(full=60, ordinary=1))
def test_killed_from_outside_it_goes_on(house: House, seeds: Sequence[int]) -> None:
    start = time.perf_counter()
    assert house.run().status == DONE
    usual = time.perf_counter() - start
    for seed in seeds:
        share = random.Random(f"outside {seed}").random()
        house.clear()
        child = house.start(house.work)
        time.sleep(share * usual)  # the moment is chance; what is asserted holds for every moment
        os.kill(child, signal.SIGKILL)
        if house.wait(child).status == DONE:
            continue  # it was faster this time: nothing was killed, and nothing is counted
        with house.tried("kill -9 from outside, at a random time") as fault:
            fault.kills = 1
            house.goes_on(fault)
            costs_one_chunk(fault)


@pytest.mark.parametrize("seeds", trials(full=6, ordinary=1, at_once=1))
def test_killed_again_and_again_it_gets_there(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        draw = random.Random(f"again {seed}")
        with house.tried("kill -9 of run after run, until one comes through") as fault:
            while (ended := house.run_until(draw.randrange(20, len(house.events) // 2), after=True)).status == KILLED:
                fault.kills += 1
                assert fault.kills < 60, "no progress"
            assert ended.status == DONE, ended.said
            assert fault.kills >= 3
            house.must_be_whole(fault)
            costs_one_chunk(fault)


@of_jobs("", ["augment"])
@pytest.mark.parametrize("seeds", trials(full=8, ordinary=1, at_once=1))
def test_a_worker_or_the_parent_killed_at_work_the_next_goes_on(house: House, seeds: Sequence[int]) -> None:
    kinds = {"worker": "kill -9 of one of two workers", "parent": "kill -9 of the parent, its workers alive"}
    for seed in seeds:
        whom = ("parent", "worker")[seed % 2]
        house.clear()
        with house.tried(kinds[whom]) as fault:
            parent = house.start(lambda: house.work(workers=2))
            workers = _workers_of(parent, n_files=seed % 3, house=house)
            os.kill(workers[seed // 2 % 2].pid if whom == "worker" else parent, signal.SIGKILL)
            fault.kills = 1
            ended = house.wait(parent)
            assert ended.status == (REFUSED if whom == "worker" else KILLED), ended.said
            assert whom == "parent" or "fewer --workers" in ended.said
            _, alive = psutil.wait_procs(workers, timeout=60)
            assert not alive, "a worker outlives its parent"
            house.goes_on(fault, workers=2 if seed == 2 else 1)
            fault.parts_again = None  # what the workers wrote is not counted


def _workers_of(parent: int, *, n_files: int, house: House) -> list[psutil.Process]:
    """The two workers, once so many files of data are there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        children = psutil.Process(parent).children()
        workers = [child for child in children if any("spawn_main" in word for word in child.cmdline())]
        if len(workers) == 2 and len(list((house.out / "data").glob("train-*"))) >= n_files:
            return workers
        time.sleep(0.01)
    raise AssertionError("no workers at work")
