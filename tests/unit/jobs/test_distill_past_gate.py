"""Which folders a run goes on with when its gate is to be ignored, and what a kill on the way leaves."""

import json
from pathlib import Path
from typing import Any

import pytest

from elusive.data.sealed import read_sealed, write_sealed
from elusive.errors import FolderError
from elusive.jobs import distill_past_gate as past
from elusive.jobs.distill_past_gate import BEFORE, TUNED, go_on_past_gate, goes_on_past_gate

OPTIONS = {"k": 5, "ignore_gate": False}
IGNORING = OPTIONS | {"ignore_gate": True}


def write_run(folder: Path, *, finished: bool = True, stopped_by: str = "gate", options: Any = OPTIONS) -> Path:
    """A folder with a tuned reader, as its run left it."""
    (folder / "reader").mkdir(parents=True)
    (folder / "reader" / "model.safetensors").write_bytes(b"weights")
    write_sealed(folder / "seals.json", {}, files=[folder / "reader" / "model.safetensors"])
    files = {"reader/model.safetensors": read_seal(folder)}
    run = {"finished": finished, "options": options}
    run |= {"result": {"stopped_by": stopped_by}, "before": {"unanswerable": 3}, "files": files} if finished else {}
    write_sealed(folder / "run.json", run)
    return folder


def read_seal(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "seals.json").read_text())["seals"]["reader/model.safetensors"]


def test_a_stopped_run_becomes_an_unfinished_one_that_knows_what_it_knew(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "out")
    assert goes_on_past_gate(folder, IGNORING)
    assert go_on_past_gate(folder, IGNORING)
    assert read_sealed(folder / "run.json") == {"finished": False, "options": IGNORING}
    assert read_sealed(folder / ".elusive" / "parts" / BEFORE) == {"unanswerable": 3}
    read_sealed(folder / ".elusive" / "parts" / TUNED)
    assert not go_on_past_gate(folder, IGNORING)


@pytest.mark.parametrize(
    ("run", "now", "goes_on"),
    [
        ({}, IGNORING, True),
        ({"finished": False}, IGNORING, True),
        ({}, OPTIONS, False),
        ({}, IGNORING | {"k": 4}, False),
        ({"stopped_by": "steps"}, IGNORING, False),
        ({"options": IGNORING}, IGNORING, False),
        ({"options": {"k": 5}}, IGNORING, False),
    ],
)
def test_only_a_run_that_differs_in_the_gate_alone_goes_on(
    tmp_path: Path, run: dict[str, Any], now: dict[str, Any], goes_on: bool
) -> None:
    folder = write_run(tmp_path / "out", **run)
    before = (folder / "run.json").read_bytes()
    assert goes_on_past_gate(folder, now) == go_on_past_gate(folder, now) == goes_on
    assert ((folder / "run.json").read_bytes() != before) == goes_on
    assert not goes_on_past_gate(tmp_path / "absent", IGNORING)


def test_killed_on_the_way_it_is_a_stopped_run_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run(tmp_path / "out")
    before = (folder / "run.json").read_bytes()
    real = past.write_sealed

    def killed(path: Path, *args: Any, **options: Any) -> None:
        if path.name == "run.json":
            raise KeyboardInterrupt
        real(path, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(past, "write_sealed", killed)
        with pytest.raises(KeyboardInterrupt):
            go_on_past_gate(folder, IGNORING)
    assert (folder / "run.json").read_bytes() == before
    assert go_on_past_gate(folder, IGNORING)


def test_a_reader_that_changed_is_said(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "out")
    (folder / "reader" / "model.safetensors").unlink()
    with pytest.raises(FolderError, match=r"reader/model\.safetensors was removed or changed since"):
        go_on_past_gate(folder, IGNORING)
