"""Asked to end, or with nobody listening any more: the command ends without a traceback, and the next goes on."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.integration.faults.forks import DONE, Ended
from tests.integration.faults.house import House
from tests.integration.faults.ledger import FOLDER, KINDS, of_jobs, trials
from tests.integration.faults.moments import Watch

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
PIPES = "stdout or stderr closed"


def command_in_child(house: House, watch: Watch) -> tuple[int, str]:
    """The command in a child, with its own stderr; its exit status, and what it said there."""
    said = house.home / "stderr"

    def run() -> None:
        sys.stderr = os.fdopen(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w", buffering=1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            house.command(watch)
        except SystemExit as end:
            sys.stderr.flush()
            os._exit(int(end.code or 0))

    ended: Ended = house.in_child(run)
    assert not ended.said, ended.said
    return ended.status, said.read_text()


@pytest.mark.parametrize("seeds", trials(full=30, ordinary=3))
def test_a_signal_ends_the_command_cleanly_and_the_next_goes_on(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        house.clear()
        number = SIGNALS[seed % 3]
        at = random.Random(f"signal {seed}").randrange(5, len(house.events) - 30)
        with house.tried("Ctrl-C, SIGTERM, SIGHUP") as fault:
            watch = Watch(at, act=lambda number=number: os.kill(os.getpid(), number))
            status, said = command_in_child(house, watch)
            assert status == 128 + number
            assert said == f"{WORDS[number]}; the same command goes on from here\n"
            assert not [file for file in house.out.rglob("*.elusive-tmp") if file.exists()]
            house.goes_on(fault)


@pytest.mark.parametrize("seeds", trials(full=10, ordinary=1))
def test_asked_twice_it_ends_at_once_and_the_next_goes_on(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        house.clear()
        # In the middle of a file: on the way out, its half is removed, and then the second signal comes.
        at = random.Random(f"twice {seed}").choice(
            [n for n in house.numbers(what="fsync") if n < len(house.events) - 40]
        )
        with house.tried("Ctrl-C again while the first is obeyed") as fault:
            watch = Watch(at, act=lambda: os.kill(os.getpid(), signal.SIGINT), ever_after=True)
            status, said = command_in_child(house, watch)
            assert status == -signal.SIGINT
            assert not said
            house.goes_on(fault)


def test_a_signal_that_nohup_ignores_stays_ignored(house: House) -> None:
    with house.tried("Ctrl-C, SIGTERM, SIGHUP") as fault:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        watch = Watch(50, act=lambda: os.kill(os.getpid(), signal.SIGHUP))
        status, _ = command_in_child(house, watch)
        signal.signal(signal.SIGHUP, before)
        assert status == DONE
        house.must_be_whole(fault)


CLOSED = {
    "stdout goes to a reader that leaves": "{} | head -c 1",
    "stderr goes to a reader that leaves": "{} 2>&1 >/dev/null | head -c 1",
    "both go to a reader that leaves": "{} 2>&1 | true",
    "stdout is closed": "{} >&-",
    "stderr is closed": "{} 2>&-",
    "stdout is full": "{} > /dev/full",
}


@pytest.fixture
def users_house(furnished: House, build: Callable[..., House]) -> House:
    """With chunks as the installed command makes them."""
    house = build(furnished.job, small_chunks=False)
    house.clear()
    return house


@of_jobs("how", *(((job, how) for job in KINDS for how in CLOSED) if FOLDER else [("augment", list(CLOSED)[1])]))
def test_with_nobody_listening_there_is_no_traceback_and_the_run_is_there_or_goes_on(
    users_house: House, how: str
) -> None:
    house = users_house
    program = Path(sys.executable).with_name("elusive")
    with house.tried(PIPES) as fault:
        shell = subprocess.run(
            ["bash", "-c", CLOSED[how].format(f"{program} {' '.join(house.command_line)}")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in shell.stderr
        assert "Exception ignored" not in shell.stderr
        house.goes_on(fault)
