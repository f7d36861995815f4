"""Two runs at once: one folder is one run's, and a store may be shared by all."""

import errno
import os
import random
import re
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from elusive.data import folder_lock
from elusive.data.run_folder import open_run
from elusive.errors import FolderError
from tests.integration.faults.forks import DONE, KILLED
from tests.integration.faults.house import House
from tests.integration.faults.ledger import trials
from tests.integration.faults.moments import Watch

SECOND = "second run in a folder that is in use"
SHARED = "two runs with one store at the same time"


def stopped_at(house: House, at: int) -> int:
    """A run that has come to an event, and waits there to be continued; its process id."""
    process = house.start(lambda: house.work(Watch(at, act=lambda: os.kill(os.getpid(), signal.SIGSTOP))))
    _, status = os.waitpid(process, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    return process


@pytest.mark.parametrize("seeds", trials(full=12, ordinary=2))
def test_a_second_run_is_refused_at_once_with_the_owner_and_how_to_end_it(house: House, seeds: Sequence[int]) -> None:
    for seed in seeds:
        house.clear()
        first = stopped_at(house, random.Random(f"second {seed}").randrange(8, len(house.events)))
        with house.tried(SECOND) as fault:
            if seed % 3 == 1:
                (house.out / ".elusive" / "lock").unlink()  # somebody thinks that this would free it
            ended = house.run()
            house.refuses(fault, ended, f"{house.out} is in use by", "end it", "another folder")
            host = re.escape(socket.gethostname())
            owner = (
                rf"in use by process {first} on {host} since \d{{4}}-\S+ \S+ [+-]\d{{4}}; .*\(kill {first} on {host}\)"
            )
            assert seed % 3 == 1 or re.search(owner, ended.said)
            if seed % 3 == 2:
                os.kill(first, signal.SIGKILL)  # as it was told
            os.kill(first, signal.SIGCONT)
            assert house.wait(first).status == (KILLED if seed % 3 == 2 else DONE)
            house.goes_on(fault)


def lock_once(folder: Path) -> None:
    with open_run(folder, {}, products=()):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS], ids=errno.errorcode.get)
def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(folder_lock.fcntl, "flock", refuse)
    with pytest.raises(FolderError, match=r"cannot lock .*; name a folder on a local disk"):
        lock_once(tmp_path / "out")


def test_a_file_system_that_locks_files_only_is_good_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = folder_lock.fcntl.flock

    def files_only(place: object, how: int) -> None:
        if isinstance(place, int):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(place, how)

    monkeypatch.setattr(folder_lock.fcntl, "flock", files_only)
    with open_run(tmp_path / "out", {}, products=()), pytest.raises(FolderError, match="in use by process"):
        lock_once(tmp_path / "out")


@pytest.mark.parametrize("seeds", trials(full=12, ordinary=1))
def test_two_runs_with_one_store_end_with_the_right_bytes(house: House, seeds: Sequence[int]) -> None:
    store, other = house.home / "store", house.home / "other"
    for seed in seeds:
        house.clear()
        for folder in (store, other):
            shutil.rmtree(folder, ignore_errors=True)
        draw = random.Random(f"shared {seed}")
        with house.tried(SHARED) as fault:
            first = house.start(lambda: house.work(**{house.store: str(store)}))
            time.sleep(draw.random() * 0.3)
            at = draw.randrange(len(house.events)) if seed % 3 == 2 else None
            second = house.start(lambda at=at: house.work(Watch(at), **{house.store: str(store)}, out=other))
            assert house.wait(first).status == DONE
            fault.kills = int(house.wait(second).status == KILLED)
            if fault.kills:
                assert house.run(**{house.store: str(store)}, out=other).status == DONE
            right = {name: content for name, content in house.whole.items() if name.startswith(house.results)}
            for out in (house.out, other):
                found = house.files(out)
                fault.bytes_lost += sum(len(content) for name, content in right.items() if found.get(name) != content)
            assert not fault.bytes_lost
            fault.survived = True
