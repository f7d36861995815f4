"""What a run finds in its folder: its own it goes on from or removes, and what is the user's own it never touches."""

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elusive.data.run_folder import open_run
from elusive.data.sealed import write_sealed
from elusive.errors import ElusiveError, FolderError
from tests.files import contents
from tests.integration.faults.moments import Watch

PRODUCTS = ("data/train-*", "clues/train-*", "README.md", "rejected.jsonl")
OLD, NEW = {"copies": 2}, {"copies": 3}


def run(out: Path, options: dict[str, Any] = NEW, *, part: str = "train-0", **how: Any) -> None:
    """A run to its end, with one part of data and clues."""
    with open_run(out, options, products=PRODUCTS, **how) as folder:
        if folder.finished:
            return
        (out / "rejected.jsonl").write_text("rejected")
        for name in ("data", "clues"):
            (out / name).mkdir(exist_ok=True)
            (out / name / part).write_text(f"{name} {options}")
        (folder.work / "parts").mkdir(exist_ok=True)
        write_sealed(folder.work / "parts" / "0.json", {}, files=[out / name / part for name in ("data", "clues")])
        (out / "README.md").write_text("card")
        folder.finish({"result": {}})


def everything(out: Path) -> dict[str, bytes]:
    found = contents(out, "")
    found.pop(".elusive/lock", None)
    return found


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def finished(out: Path) -> Path:
    """A folder of a run with the options OLD, whose parts have other names."""
    run(out, OLD, part="train-old")
    return out


# -- the user's own ---------------------------------------------------------------------------------------------------

RECORDS = (None, "{}", "[1]", '{"options": {}, "name": "mine"}', '{"finished": true, "options": {}}')


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("record", RECORDS)
def test_a_refusal_leaves_everything_as_it_was(out: Path, record: str | None, overwrite: bool) -> None:
    out.mkdir()
    for name in ("README.md", "report.html", "rejected.jsonl", "notes.txt"):
        (out / name).write_text("mine")
    if record is not None:
        (out / "run.json").write_text(record)
    before = everything(out)
    with pytest.raises(FolderError, match=r"name another --out$"):
        run(out, overwrite=overwrite)
    assert everything(out) == before
    assert not (out / ".elusive").exists()


@pytest.mark.parametrize("name", ["run.json", "data", "README.md"])
def test_a_folder_in_the_place_of_a_file_is_the_users(out: Path, name: str) -> None:
    (out / name).mkdir(parents=True)
    with pytest.raises(FolderError, match=r"name another --out$"):
        run(out, overwrite=True)
    assert names(out) == [name]


def run_on_bad_input(out: Path) -> None:
    with open_run(out, NEW, products=PRODUCTS):
        (out / "rejected.jsonl").write_text("rejected")
        raise ElusiveError("bad input")


@pytest.mark.parametrize("was_there", [False, True])
def test_bad_input_leaves_the_place_as_it_was(out: Path, was_there: bool) -> None:
    if was_there:
        (out / "mine").mkdir(parents=True)
    with pytest.raises(ElusiveError, match="bad"):
        run_on_bad_input(out)
    assert out.exists() == was_there
    assert not was_there or names(out) == ["mine"]


def test_an_empty_folder_that_was_there_stays(out: Path) -> None:
    out.mkdir()
    with pytest.raises(ElusiveError, match="bad"):
        run_on_bad_input(out)
    assert names(out) == []


def test_overwrite_leaves_what_no_run_made_even_beside_the_parts(finished: Path) -> None:
    mine = {"notes.txt": b"1", "data/notes.txt": b"2", "clues/mine/train-0": b"3", ".elusive/mine": b"4"}
    for name, content in mine.items():
        (finished / name).parent.mkdir(exist_ok=True)
        (finished / name).write_bytes(content)
    run(finished, overwrite=True)
    found = everything(finished)
    assert {name: found[name] for name in mine} == mine
    assert not any("train-old" in name for name in found)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_link_to_a_larger_disk_is_followed_and_never_deleted_through(finished: Path, overwrite: bool) -> None:
    larger = finished.parent / "larger"
    shutil.move(finished / "data", larger)
    (finished / "data").symlink_to(larger)
    before = everything(finished) | contents(larger, "")
    if overwrite:
        with pytest.raises(FolderError, match=r"data is a symbolic link.*delete the link, .*or name another --out"):
            run(finished, overwrite=True)
    else:
        run(finished, OLD)
    assert everything(finished) | contents(larger, "") == before


def test_a_file_that_is_a_link_is_unlinked(finished: Path) -> None:
    mine = finished.parent / "mine"
    mine.write_text("mine")
    (finished / "README.md").unlink()
    (finished / "README.md").symlink_to(mine)
    with open_run(finished, NEW, products=PRODUCTS, overwrite=True):
        assert not os.path.lexists(finished / "README.md")
    assert mine.read_text() == "mine"


# -- our own ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: text.replace("2", "4"), lambda text: ""])
def test_a_damaged_record_of_a_run_may_be_overwritten(finished: Path, damage: Callable[[str], str]) -> None:
    (finished / "run.json").write_text(damage((finished / "run.json").read_text()))
    with pytest.raises(FolderError, match=r"cannot be read \(.*\); name another --out, or --overwrite it"):
        run(finished)
    run(finished, overwrite=True)
    assert not (finished / "data" / "train-old").exists()


def test_a_finished_run_vouches_for_its_parts_as_they_were_written(finished: Path) -> None:
    files = json.loads((finished / "run.json").read_text())["files"]
    assert files.keys() == {"data/train-old", "clues/train-old"}
    assert all(seal["bytes"] == len((finished / name).read_bytes()) for name, seal in files.items())
    (finished / "data" / "train-old").write_text("cut")
    with pytest.raises(FolderError, match="data/train-old was removed or changed since; --overwrite"):
        run(finished, OLD)


def test_a_damaged_record_of_a_part_is_said(out: Path) -> None:
    with open_run(out, NEW, products=PRODUCTS) as folder:
        (folder.work / "parts").mkdir()
        (folder.work / "parts" / "0.json").write_text("{")
        with pytest.raises(FolderError, match=r"0\.json cannot be read .*; run the same command again"):
            folder.finish({})


def test_a_kill_at_any_moment_of_an_overwrite_and_the_same_command_goes_on(finished: Path) -> None:
    (finished / "data" / "mine").write_text("mine")
    kept = finished.parent / "kept"
    shutil.copytree(finished, kept)
    run(finished, overwrite=True)
    whole = everything(finished)
    for at in range(1000):
        shutil.rmtree(finished)
        shutil.copytree(kept, finished)
        if not killed(at, lambda: run(finished, overwrite=True)):
            break
        begun = json.loads((finished / "run.json").read_text())["options"] == NEW
        assert begun or everything(finished).items() >= everything(kept).items(), "nothing was removed as yet"
        run(finished, overwrite=not begun)
        assert everything(finished) == whole, at
    assert at > 20


def killed(at: int, action: Callable[[], object]) -> bool:
    """Whether a child that does this meets the event, and dies of it."""
    child = os.fork()
    if child == 0:
        Watch(at).install()
        try:
            action()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


# -- what the system refuses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [False, True])
def test_only_a_folder_that_is_gone_is_asked_after(out: Path, gone: bool) -> None:
    def fail() -> None:
        with open_run(out, NEW, products=PRODUCTS):
            if gone:
                shutil.rmtree(out)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(FolderError, match=r"cannot go on: .*same command") as error:
        fail()
    assert ("moved or deleted" in str(error.value)) == gone


# -- paths ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data in it, which is the working folder."""
    folder = tmp_path / "work"
    for name in ("a.jsonl", "other.jsonl", "reader/config.json", "tuned lora/config.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "link.jsonl").symlink_to(folder / "a.jsonl")
    monkeypatch.chdir(folder)
    return folder


def is_done(out: Path, options: dict[str, Any]) -> bool:
    with open_run(out, options, products=PRODUCTS) as folder:
        return folder.finished is not None


SPELLED = [
    ("a.jsonl", "{work}/a.jsonl"),
    ("a.jsonl", "./a.jsonl"),
    ("{work}/a.jsonl", "reader/../a.jsonl"),
    ("a.jsonl", "link.jsonl"),
    ("reader", "./reader/"),
    ("known=a.jsonl", "known={work}/a.jsonl"),
    ("a.jsonl:0.3", "{work}/a.jsonl:0.3"),
    ("reader + reader", "./reader + {work}/reader"),
    ("tuned lora", "{work}/tuned lora"),
    (["a.jsonl", "hub/name"], ["./a.jsonl", "hub/name"]),
    ({"trained on a.jsonl": {"a.jsonl": [7, 9]}}, {"trained on ./a.jsonl": {"a.jsonl": [7, 9]}}),
]


def spelled(value: Any, work: Path) -> Any:
    return json.loads(json.dumps(value).replace("{work}", str(work)))


@pytest.mark.parametrize(("before", "now"), SPELLED)
def test_two_paths_of_one_file_are_one_option(out: Path, data: Path, before: Any, now: Any) -> None:
    run(out, {"data": spelled(before, data)})
    assert is_done(out, {"data": spelled(now, data)})


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("a.jsonl", "other.jsonl"),
        ("a.jsonl", "{work}/missing.jsonl"),
        ("hub/name", "./hub/name"),  # a name of the Hub, and a folder that is not there
        ("known=a.jsonl", "new=a.jsonl"),
        ("a.jsonl:0.3", "a.jsonl:0.4"),
        (["a.jsonl"], ["a.jsonl", "other.jsonl"]),
        ("\x00", "\x00\x00"),
        ("a" * 5_000, "b" * 5_000),
    ],
)
def test_paths_of_other_files_are_other_options(out: Path, data: Path, before: Any, now: Any) -> None:
    run(out, {"data": spelled(before, data)})
    with pytest.raises(FolderError, match="holds a run with other options"):
        is_done(out, {"data": spelled(now, data)})


def test_a_relative_path_is_meant_where_the_run_was_begun(
    out: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(out, {"data": "a.jsonl"})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.jsonl").write_text("another file of that name")
    monkeypatch.chdir(elsewhere)
    assert is_done(out, {"data": str(data / "a.jsonl")})
    assert is_done(out, {"data": f"../{data.name}/a.jsonl"})
    with pytest.raises(FolderError, match="holds a run with other options"):
        is_done(out, {"data": str(elsewhere / "a.jsonl")})


def test_a_record_that_does_not_tell_where_it_was_begun_is_taken_to_be_from_here(out: Path, data: Path) -> None:
    run(out, {"data": "a.jsonl"})
    record = json.loads((out / "run.json").read_text())
    del record["working_folder"], record["checksum"]
    write_sealed(out / "run.json", record)
    assert is_done(out, {"data": str(data / "a.jsonl")})
