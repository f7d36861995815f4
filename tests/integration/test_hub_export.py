"""Commands against a Hub on this machine, as a user runs them: a process of its own, real HTTP, real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.augment_fixtures import Run
from tests.files import contents, rows
from tests.hub.folders import READER, REPO, TOKEN, pushed_names
from tests.hub.server import Fault, Hub, User, serving

ELUSIVE = str(Path(sys.executable).with_name("elusive"))


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as hub:
        hub.users = {TOKEN: User("you"), READER: User("you", role="read")}
        yield hub


@pytest.fixture
def out(run: Run, tmp_path: Path) -> Path:
    """A finished run."""
    run("out", copies=2)
    return tmp_path / "out"


def start(hub: Hub, home: Path, *command: str, token: str | None = TOKEN, **environment: str) -> subprocess.Popen:
    """A process that asks this Hub, and knows no other user, cache or network."""
    dropped = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_TOKEN", "HF_HUB_DISABLE_PROGRESS_BARS")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    env |= {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    env |= environment | ({"HF_TOKEN": token} if token else {})
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home)


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=110)
    return process.returncode, stdout, stderr


def wait_until_asleep(process: subprocess.Popen) -> None:
    """Wait until it waits for an answer: a signal just before that is seen only when the answer comes."""
    deadline = time.monotonic() + 30
    while psutil.Process(process.pid).status() != psutil.STATUS_SLEEPING:
        assert time.monotonic() < deadline, "never at rest"
        time.sleep(0.01)


LOAD = """
import json, sys
from datasets import load_dataset
for subset in (None, "clues"):
    print(json.dumps(load_dataset(sys.argv[1], subset, split="train").to_list()))
"""


def test_a_run_is_pushed_loaded_and_read_as_a_corpus(
    hub: Hub, corpus: Path, large: str, small: str, tmp_path: Path
) -> None:
    command = [ELUSIVE, "augment", str(corpus), "--large", large, "--small", small, "--out", "out", "--copies", "2"]
    pushing = [*command, "--license", "cc0-1.0", "--push-to-hub", REPO, "--private"]
    status, stdout, stderr = ended(start(hub, tmp_path, *pushing))
    assert status == 0, stderr
    assert f"{hub.url}/datasets/{REPO}" in stdout
    assert "push:" in stderr, "a bar of ours"
    assert "Upload" not in stderr, "none of the library's"
    assert hub.repos[REPO].private
    assert hub.repos[REPO].files.keys() - {".gitattributes"} == pushed_names(1)
    written = b"".join(hub.received) + b"".join(contents(tmp_path, "out").values()) + (stdout + stderr).encode()
    assert TOKEN.encode() not in written

    status, stdout, stderr = ended(start(hub, tmp_path, sys.executable, "-c", LOAD, REPO))
    assert status == 0, stderr
    assert [json.loads(line) for line in stdout.splitlines()] == [
        rows(tmp_path / "out"),
        rows(tmp_path / "out", "clues"),
    ]

    again = [ELUSIVE, "augment", REPO, "--large", large, "--small", small, "--out", "again"]
    status, stdout, stderr = ended(start(hub, tmp_path, *again, "--guide", "random", "--limit", "4", "--json"))
    assert status == 0, stderr
    originals = [row["text"] for row in rows(tmp_path / "again") if row["copy"] == 0]
    assert originals == [row["text"] for row in rows(tmp_path / "out")[:4]]


def test_push_says_what_it_does_and_does_it_once(hub: Hub, out: Path, tmp_path: Path) -> None:
    status, stdout, stderr = ended(start(hub, tmp_path, ELUSIVE, "push", "out", REPO, "--dry-run"))
    assert status == 0, stderr
    assert "(to be made)" in stdout
    assert "data/train-00000-of-00001.parquet, " in stdout
    assert hub.repos == {}
    status, stdout, stderr = ended(start(hub, tmp_path, ELUSIVE, "push", "out", REPO, "--json"))
    assert status == 0, stderr
    assert stderr == ""
    told = json.loads(stdout)
    assert (set(told["upload"]), told["commit"]) == (pushed_names(1), hub.repos[REPO].head)


@pytest.mark.parametrize("token", [None, READER])
def test_who_may_not_push_is_told_before_any_work(hub: Hub, tmp_path: Path, token: str | None) -> None:
    command = [ELUSIVE, "augment", "--out", "out", "--push-to-hub", REPO]
    status, stdout, stderr = ended(
        start(hub, tmp_path, *command, *(["--dry-run"] if token == READER else []), token=token)
    )
    assert status == 1
    assert stdout == ""
    [line] = stderr.splitlines()
    assert line.startswith(f"error: cannot push to {REPO}: ")
    assert "hf auth login" in line
    assert not (tmp_path / "out").exists()


def test_offline_is_one_line(hub: Hub, out: Path, tmp_path: Path) -> None:
    status, _, stderr = ended(start(hub, tmp_path, ELUSIVE, "push", "out", REPO, HF_HUB_OFFLINE="1"))
    assert status == 1
    [line] = stderr.splitlines()
    assert "HF_HUB_OFFLINE is set" in line
    assert line.endswith(f"push it later with: elusive push out {REPO}")


def test_a_push_that_fails_at_the_end_leaves_the_run_and_says_how_to_go_on(
    hub: Hub, corpus: Path, tmp_path: Path
) -> None:
    hub.faults = [Fault("commit", at=None, status=403)]
    command = [ELUSIVE, "augment", str(corpus), "--guide", "random", "--out", "out", "--push-to-hub", REPO]
    status, _, stderr = ended(start(hub, tmp_path, *command))
    assert status == 1
    line = stderr.splitlines()[-1]
    assert "the token may not write there (403 told to fail)" in line
    assert "the run in out is finished and kept; push it later with: " in line
    assert json.loads((tmp_path / "out" / "run.json").read_text())["finished"]
    hub.faults.clear()
    later = line.rpartition("push it later with: elusive ")[2].split()
    assert ended(start(hub, tmp_path, ELUSIVE, *later))[0] == 0
    assert hub.repos[REPO].files.keys() - {".gitattributes"} == pushed_names(1)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_push_that_is_stopped_is_made_again(
    hub: Hub, out: Path, tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    before = contents(tmp_path, "out/data", "out/clues", "out/README.md")
    hub.faults = [Fault("commit", hang=True)]
    process = start(hub, tmp_path, ELUSIVE, "push", "out", REPO)
    hub.wait_for("hanging")
    wait_until_asleep(process)
    process.send_signal(sent)
    returned, _, stderr = ended(process)
    assert returned == status
    assert "Traceback" not in stderr
    assert len(hub.repos[REPO].commits) == 1
    assert contents(tmp_path, "out/data", "out/clues", "out/README.md") == before
    assert ended(start(hub, tmp_path, ELUSIVE, "push", "out", REPO))[0] == 0
    assert hub.kinds().count("put") == 2, "what had arrived was not sent again"


def test_two_pushes_of_a_folder_at_once_are_one_after_the_other(hub: Hub, out: Path, tmp_path: Path) -> None:
    hub.faults = [Fault("commit", hang=True)]
    first = start(hub, tmp_path, ELUSIVE, "push", "out", REPO)
    hub.wait_for("hanging")
    status, _, stderr = ended(start(hub, tmp_path, ELUSIVE, "push", "out", REPO))
    first.kill()
    ended(first)
    assert status == 1
    assert f"in use by process {first.pid}" in stderr
