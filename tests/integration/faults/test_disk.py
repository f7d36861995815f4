"""No room, or no right to write: one line says it, nothing is half-written, and with room the same command goes on."""

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from elusive.data import atomic
from elusive.errors import FolderError
from tests.integration.faults.forks import KILLED
from tests.integration.faults.house import House
from tests.integration.faults.ledger import of_jobs, trials

READ_ONLY = "file system read-only, folder or store unwritable"
UNWRITABLE = (
    *(("augment", name) for name in ("", "data", "scores", ".elusive")),
    *(("score-reader", name) for name in ("", ".elusive")),
)
"""Folders of a killed run that the next one has to write in."""
Mount = Callable[[str], None]


@pytest.fixture
def mounted(house: House) -> Iterator[Mount]:
    """Mounts a file system of its own at the output folder, or mounts it anew with other options."""
    house.out.mkdir()

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(house.out)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            pytest.skip("this user may not mount a file system")

    yield mount
    subprocess.run(["umount", "-l", str(house.out)], capture_output=True, check=False)


@pytest.mark.parametrize("seeds", trials(full=20, ordinary=1))
def test_a_limit_on_files_is_said_and_loses_nothing(house: House, seeds: Sequence[int]) -> None:
    largest = max(map(len, house.whole.values()))
    for seed in seeds:
        size = random.Random(f"limit {seed}").randrange(100, largest)
        house.clear()

        def with_little_room(size: int = size) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            house.work()

        with house.tried("disk full: no file may grow further") as fault:
            house.refuses(fault, house.in_child(with_little_room), "File too large", "free space and run the same")
            assert not half_written(house.out)
            house.goes_on(fault)


@pytest.mark.parametrize("seeds", trials(full=20, ordinary=1))
def test_a_full_file_system_is_said_and_with_room_it_goes_on(
    house: House, mounted: Mount, seeds: Sequence[int]
) -> None:
    mounted("size=16m")
    assert house.run().status == 0
    in_all = sum(file.stat().st_blocks * 512 for file in house.out.rglob("*") if file.is_file())
    for seed in seeds:
        size = random.Random(f"small {seed}").randrange(8192, in_all * 9 // 10)
        empty(house.out)
        mounted(f"remount,size={size}")
        with house.tried("disk full: a small file system") as fault:
            house.refuses(fault, house.run(), "No space left", "same command")
            assert not half_written(house.out)
            mounted("remount,size=16m")
            house.goes_on(fault)


@pytest.mark.parametrize("seeds", trials(full=10, ordinary=1))
def test_a_read_only_file_system_is_said_and_made_writable_it_goes_on(
    house: House, mounted: Mount, seeds: Sequence[int]
) -> None:
    mounted("size=16m")
    for seed in seeds:
        empty(house.out)
        at = random.Random(f"read-only {seed}").randrange(5, len(house.events) - 5)  # the folder is there already
        with house.tried(READ_ONLY) as fault:
            assert house.run_until(at).status == KILLED
            mounted("remount,ro")
            house.refuses(fault, house.run(), "Read-only file system", "folder that can be written")
            mounted("remount,rw")
            house.goes_on(fault)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@of_jobs("name", *UNWRITABLE)
def test_a_folder_without_the_right_to_write_is_said(house: House, name: str) -> None:
    with house.tried(READ_ONLY) as fault:
        assert house.run_until(house.numbers(stage="finish", what="replace")[0]).status == KILLED
        folder = house.out / name
        folder.chmod(0o555)
        ended = house.run()
        folder.chmod(0o755)
        house.refuses(fault, ended, "Permission denied")
        house.goes_on(fault)


def test_a_file_where_the_folder_should_be_is_said_and_left_alone(house: House) -> None:
    house.out.write_text("not a folder")
    with house.tried(READ_ONLY) as fault:
        house.refuses(fault, house.run(), "cannot write in", "name a folder that can be written")
        assert house.out.read_text() == "not a folder"


def test_a_store_where_a_file_is_or_no_folder_can_be_is_said(house: House) -> None:
    (house.home / "file").write_text("")
    for store in (house.home / "file", house.home / "file" / "store"):
        with house.tried(READ_ONLY) as fault:
            house.refuses(fault, house.run(**{house.store: str(store)}), str(store))


@pytest.mark.parametrize("seeds", trials(full=20, ordinary=1))
def test_an_output_folder_deleted_during_the_run_is_said_and_the_next_begins_anew(
    house: House, seeds: Sequence[int]
) -> None:
    for seed in seeds:
        house.clear()
        at = random.Random(f"deleted {seed}").randrange(len(house.events) - 1)
        with house.tried("output folder deleted during the run") as fault:
            ended = house.run_until(at, act=lambda: shutil.rmtree(house.out, ignore_errors=True))
            if ended.status:
                house.refuses(fault, ended, "ame command")
                house.goes_on(fault)


def test_a_device_that_takes_nothing_is_said(tmp_path: Path) -> None:
    """A write that the device refuses, rather than a limit or a quota."""

    def write() -> None:
        with atomic.atomic_write(tmp_path / "a") as temporary:
            temporary.unlink()
            temporary.symlink_to("/dev/full")
            temporary.write_bytes(b"content")

    with pytest.raises(FolderError, match=os.strerror(errno.ENOSPC)):
        write()
    assert not list(tmp_path.iterdir())


def half_written(out: Path) -> list[Path]:
    return list(out.rglob("*.elusive-tmp"))


def empty(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
