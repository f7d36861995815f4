"""Finished folders as a run leaves them, without running a model, and the fixtures of pushing."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from elusive.data.card_merge import generated
from elusive.data.dataset_folder import clues_schema, data_schema, dataset_card, part_name, write_rows
from elusive.data.run_folder import open_run
from elusive.data.sealed import write_sealed
from elusive.hub.client import HubClient
from tests.hub.server import Hub, User, serving

TOKEN, READER, STRANGER = "hf_writerwriterwriter", "hf_readerreaderreader", "hf_strangerstranger"
REPO = "you/clues"


class Said:
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.waits: list[float] = []
        self.passed = 0

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
        yield self._pass

    def _pass(self, n: int) -> None:
        self.passed += n

    def say(self, message: str) -> None:
        self.lines.append(message)


def write_folder(folder: Path, *, parts: int = 2, text: str = "a text", identity: str = "", **card: Any) -> Path:
    """A finished folder of so many parts, with everything beside them that a run leaves and that stays at home."""
    options = {"corpus": "/home/me/secret/docs.jsonl", "large": "tiny:large", "small": "tiny:small"}
    with open_run(
        folder, options, products=("data/train-*", "clues/train-*", "README.md"), overwrite=folder.exists()
    ) as run:
        for index in range(parts):
            data = {"text": f"{text} {index}", "source_id": f"{index}", "copy": 0, "kept": 2, "dropped": 0}
            data["dropped_spans"] = []
            clue = {"source_id": f"{index}", "position": 0, "token": "a", "start": 0, "end": 1, "unit": 0, "rank": 0}
            clue |= {"received_large": 0.5, "received_small": None, "score": 0.25, "p_drop": 0.0}
            for name, row, schema in (("data", data, data_schema()), ("clues", clue, clues_schema())):
                (folder / name).mkdir(exist_ok=True)
                path = folder / name / part_name(index, parts, "parquet")
                write_rows(path, pa.Table.from_pylist([row], schema=schema), format="parquet")
            files = [folder / name / part_name(index, parts, "parquet") for name in ("data", "clues")]
            (run.work / "parts").mkdir(exist_ok=True)
            write_sealed(run.work / "parts" / f"{index:05d}.json", {}, files=files)
        body = generated(f'# {parts} parts\n\n```python\nload_dataset("{folder.name}")\n```')
        fields = {"tags": ["elusive"], **card}
        (folder / "README.md").write_text(dataset_card(fields, body, identity=identity or f"{parts} {text}"))
        (folder / "report.html").write_text("/home/me")
        (folder / "rejected.jsonl").write_text("/home/me")
        (folder / "data" / ".hidden").write_text("hidden")
        (folder / "data" / "notes.txt").write_text("foreign")
        (folder / "scores").mkdir(exist_ok=True)
        (folder / "scores" / "x.npy").write_text("scores")
        run.finish({"result": {"texts": parts, "rows": parts}, "versions": {"elusive": "0.1.0"}})
    return folder


def pushed_names(parts: int) -> set[str]:
    names = {f"{kind}/{part_name(i, parts, 'parquet')}" for kind in ("data", "clues") for i in range(parts)}
    return {"README.md", *names}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("template") / "out")


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    """A finished folder of two parts."""
    return Path(shutil.copytree(template, tmp_path / "out"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub at work, asked by this process, which waits for nothing."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with serving() as hub:
        hub.users = {
            TOKEN: User("you", orgs=("lab",)),
            READER: User("you", role="read"),
            STRANGER: User("stranger"),
        }
        monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)
        yield hub
        _http.close_session()


def client(hub: Hub, said: Said, *, repo: str = REPO, token: str = TOKEN) -> HubClient:
    """The Hub's client of a user, whose waits are written down and not waited."""
    from huggingface_hub import HfApi

    return HubClient(HfApi(endpoint=hub.url, token=token), repo, said, wait=said.waits.append)
