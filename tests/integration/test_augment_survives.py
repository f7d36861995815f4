"""Killed, interrupted or out of disk at any moment: the next call goes on, and the folder is the same bytes.

Runs happen in forked children, so that a kill is a real one and costs no second start of the libraries.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elusive.errors import FolderError
from tests.augment_fixtures import Run
from tests.files import contents

KILLED, DISK_FULL = -signal.SIGKILL, 7


def in_child(action: Callable[[], Any]) -> int:
    """Run `action` in a forked child; its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        except FolderError:
            status = DISK_FULL
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at_write(number: int, *, before_rename: bool) -> None:
    """From now on, this process is killed at its `number`-th file, just before or after the file appears."""
    written = 0
    replace = Path.replace

    def counting(self: Path, target: Path) -> Path:
        nonlocal written
        written += 1
        if written == number and before_rename:
            os.kill(os.getpid(), signal.SIGKILL)
        moved = replace(self, target)
        if written == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return moved

    Path.replace = counting  # type: ignore[method-assign]


@pytest.fixture
def whole(run: Run, tmp_path: Path) -> dict[str, bytes]:
    """What an undisturbed run writes."""
    run("whole")
    found = contents(tmp_path / "whole", "data", "clues")
    assert len(found) == 2
    return found


@pytest.mark.parametrize("before_rename", [True, False], ids=["before", "after"])
def test_a_run_killed_at_any_file_goes_on_to_the_same_bytes(
    run: Run, tmp_path: Path, whole: dict[str, bytes], before_rename: bool
) -> None:
    kills = 0
    for number in range(1, 100):
        out = f"killed-{number}"

        def die(number: int = number, out: str = out) -> None:
            die_at_write(number, before_rename=before_rename)
            run(out)

        if in_child(die) != KILLED:
            break
        kills += 1
        assert in_child(lambda out=out: run(out)) == 0
        assert contents(tmp_path / out, "data", "clues") == whole
        left = [f for f in (tmp_path / out).rglob("*.elusive-tmp") if "scores" not in f.parts]
        assert not left, "leftovers of the killed run; in a store that others may share they stay for an hour"
    assert kills >= 12, "staging, both models' scores, data, clues, counts, card and run.json"


def test_a_run_killed_again_and_again_gets_there(run: Run, tmp_path: Path, whole: dict[str, bytes]) -> None:
    def die() -> None:
        die_at_write(3, before_rename=False)  # a part is three files
        run("out")

    deaths = 0
    while in_child(die) == KILLED:
        deaths += 1
        assert deaths < 50, "no progress"
    assert deaths >= 3
    assert contents(tmp_path / "out", "data", "clues") == whole


@pytest.mark.parametrize("size", [200, 3_000, 20_000])
def test_a_full_disk_is_said_and_loses_nothing(run: Run, tmp_path: Path, whole: dict[str, bytes], size: int) -> None:
    def with_little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        run("out")

    assert in_child(with_little_room) == DISK_FULL
    for file in contents(tmp_path, "out"):
        assert not file.endswith(".elusive-tmp")
    assert in_child(lambda: run("out")) == 0
    assert contents(tmp_path / "out", "data", "clues") == whole


def test_a_folder_that_cannot_be_written_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FolderError, match="cannot write"):
        run("file")


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_the_command_cleanly_and_the_next_goes_on(
    run: Run, corpus: Path, large: str, small: str, tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    run("whole", batch_tokens=1, copies=2)
    command = [
        str(Path(sys.executable).with_name("elusive")), "augment", str(corpus), "--large", large, "--small", small,
        "--out", str(tmp_path / "out"), "--batch-tokens", "1", "--copies", "2",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        seen = ""
        while "score with large" not in seen:  # the models' turn has come
            seen += process.stderr.read(1)
        process.send_signal(sent)
        rest = process.stderr.read()
        assert process.wait(60) == status
    assert "the same command goes on from here" in rest
    assert "Traceback" not in rest
    assert not list((tmp_path / "out").rglob("*.elusive-tmp"))
    run("out", batch_tokens=1, copies=2)
    assert contents(tmp_path / "out", "data", "clues") == contents(tmp_path / "whole", "data", "clues")
