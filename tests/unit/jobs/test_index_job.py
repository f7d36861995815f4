"""The job `index`: from files of passages to a folder that is searched, gone on with, or refused."""

import contextlib
import dataclasses
import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elusive
from elusive.config import IndexConfig
from elusive.data import atomic
from elusive.data.passage_files import read_passages
from elusive.embedded import path_of
from elusive.errors import ElusiveError, FolderError, InputError, MissingExtraError, ModelError, OptionError
from elusive.jobs import index as job
from elusive.jobs.index_plan import plan_index
from elusive.models import ModelSource
from elusive.progress import Bars
from elusive.retrieval.encoder import Encoder, load_encoder
from elusive.retrieval.index import PassageIndex
from elusive.retrieval.index_kinds import IndexOptions
from tests.files import contents
from tests.integration.faults.moments import Watch
from tests.unit.retrieval.index_cases import FakeEncoder, oracle, wait_for

QUIET = Bars(quiet=True)
PRODUCTS = ("embeddings", "search", "passages.jsonl", "passages.offsets", "rejected.jsonl", "index.json")


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "_sync", lambda _path: None)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(ModelSource(name="tiny:encoder"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The first 300 passages of the miniature, and two rows that are none."""
    path = tmp_path / "passages.jsonl"
    lines = path_of("sample:miniature-passages").read_text().splitlines()[:300]
    path.write_text("\n".join([*lines[:100], '{"id": "blank", "text": " "}', *lines[100:], "{broken"]) + "\n")
    return path


@pytest.fixture
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        job, "index_options", lambda config: IndexOptions(kind=config.kind, shard_len=64, part_bytes=2**15)
    )


def indexed(source: Path, out: Path, **options: Any) -> job.IndexResult:
    return elusive.build_index(source, out=out, progress=QUIET, **options)


def test_what_is_indexed_is_found_by_its_encoder(source: Path, tmp_path: Path, encoder: Encoder) -> None:
    result = indexed(source, tmp_path / "out")
    assert (result.passages, result.rejected, result.dimension, result.kind) == (300, 2, 128, "flat")
    assert set(result.seconds) == {"read", "embed", "train", "write"}
    assert result.passages_per_second is not None
    index = PassageIndex.open(tmp_path / "out", encoder=encoder)
    expected = list(read_passages(source, on_rejected=lambda _: None))
    assert index.passages(range(300)) == expected
    vectors = encoder.encode([encoder.passage_text(passage) for passage in expected], side="passage")
    assert np.abs(np.concatenate(index.embeddings()) - vectors).max() < 1e-3
    assert index.search(vectors, 5)[0].tolist() == oracle(vectors, vectors, 5).tolist()
    assert len((tmp_path / "out" / "rejected.jsonl").read_text().splitlines()) == 2
    assert result.bytes == sum(len(content) for name, content in contents(tmp_path / "out", *PRODUCTS[:4]).items()) + (
        (tmp_path / "out" / "passages.jsonl").stat().st_size + (tmp_path / "out" / "passages.offsets").stat().st_size
    )


def test_run_json_tells_all_of_the_run(source: Path, tmp_path: Path, encoder: Encoder) -> None:
    result = indexed(source, tmp_path / "out")
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["finished"]
    assert run["result"] == dataclasses.asdict(result)
    assert run["options"]["encoder_fingerprint"] == encoder.fingerprint("passage")
    made = contents(tmp_path / "out", "embeddings", "search")
    assert set(run["files"]) == {*made, "passages.jsonl", "passages.offsets", "rejected.jsonl", "index.json"}
    assert not (tmp_path / "out" / ".elusive" / "parts").exists()


def test_the_same_call_finds_it_done_and_another_is_refused(source: Path, tmp_path: Path) -> None:
    first = indexed(source, tmp_path / "out", limit=20)
    again = indexed(source, tmp_path / "out", limit=20)
    assert again == dataclasses.replace(first, already_done=True)
    with pytest.raises(FolderError, match=r"other options \(limit: 20 there, 30 now\)"):
        indexed(source, tmp_path / "out", limit=30)
    with pytest.raises(FolderError, match="encoder_fingerprint"):
        indexed(source, tmp_path / "out", limit=20, passage_prefix="passage: ")
    assert indexed(source, tmp_path / "out", limit=30, overwrite=True).passages == 30
    assert len(list((tmp_path / "out" / "embeddings").iterdir())) == 1


def test_killed_at_any_moment_it_goes_on_with_the_same_bytes(
    source: Path, tmp_path: Path, small_files: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "encoder_of", lambda *_: FakeEncoder())
    indexed(source, tmp_path / "whole", kind="ivf-pq")
    whole = contents(tmp_path / "whole", *PRODUCTS)
    for at in itertools.count(7, 37):
        out = tmp_path / str(at)
        child = os.fork()
        if child == 0:
            try:
                watch = Watch(at)
                watch.install()
                elusive.build_index(source, out=out, kind="ivf-pq", progress=watch)
            finally:
                os._exit(0)
        killed = wait_for(child) == -signal.SIGKILL
        indexed(source, out, kind="ivf-pq")
        assert contents(out, *PRODUCTS) == whole
        if not killed:
            break
    assert at > 300


def test_options_of_the_encoder_reach_it(source: Path, tmp_path: Path) -> None:
    plain, prefixed = tmp_path / "plain", tmp_path / "prefixed"
    indexed(source, plain, limit=10)
    indexed(source, prefixed, limit=10, passage_prefix="passage: ", max_tokens=16, template="{text}", pooling="cls")
    assert contents(plain, "embeddings").popitem()[1] != contents(prefixed, "embeddings").popitem()[1]
    options = json.loads((prefixed / "run.json").read_text())["options"]
    assert (options["passage_prefix"], options["max_tokens"], options["pooling"]) == ("passage: ", 16, "cls")


WRONG: dict[str, tuple[dict[str, Any], type[ElusiveError], str]] = {
    "no file": ({"passages": "absent.jsonl"}, InputError, "no file or folder 'absent.jsonl'"),
    "no encoder": ({"encoder": "./absent"}, ModelError, "no such folder"),
    "no such tiny": ({"encoder": "tiny:encodr"}, InputError, "did you mean 'tiny:encoder'"),
    "kind": ({"kind": "flt"}, OptionError, "kind is 'flt'; did you mean 'flat'"),
    "lists": ({"nlist": 4}, OptionError, "nlist has no meaning for kind flat"),
    "length": ({"max_tokens": 9999}, OptionError, "passage_len 9999 is more than"),
    "codes": ({"kind": "ivf-pq", "limit": 20}, OptionError, "256 vectors at least, and there are 20"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_said_and_leaves_nothing(source: Path, tmp_path: Path, case: str) -> None:
    options, kind, words = WRONG[case]
    with pytest.raises(kind, match=words):
        indexed(options.pop("passages", source), tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_file_without_passages_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text('{"id": "a", "text": ""}\n')
    with pytest.raises(InputError, match=r"no usable passages in .*: the one row is rejected"):
        indexed(tmp_path / "empty.jsonl", tmp_path / "out")


def test_without_faiss_it_is_said_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match="extra cpu, or gpu"):
        indexed(tmp_path / "absent", tmp_path / "out")


def test_passages_that_change_while_they_are_read_are_said(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job.passages_of

    def changing(*args: Any, **options: Any) -> Any:
        yield from real(*args, **options)
        source.write_text(source.read_text() + "\n")

    monkeypatch.setattr(job, "passages_of", changing)
    with pytest.raises(InputError, match="changed while it was read"):
        indexed(source, tmp_path / "out")


def test_the_plan_costs_each_kind_and_writes_nothing(source: Path, tmp_path: Path) -> None:
    config = IndexConfig(passages=str(source), out=str(tmp_path / "out"))
    plan = plan_index(config, progress=QUIET)
    assert (plan.passages, plan.rejected, plan.dimension, plan.device) == (300, 2, 128, "cpu")
    assert [(kind.kind, kind.chosen) for kind in plan.kinds] == [
        ("flat", True),
        ("sqfp16", False),
        ("ivf-sq8", False),
        ("ivf-pq", False),
    ]
    assert not (tmp_path / "out").exists()
    result = indexed(source, tmp_path / "out")
    assert plan.kinds[0].disk_bytes == pytest.approx(result.bytes, rel=0.1)
    with pytest.raises(OptionError, match="m has no meaning"):
        plan_index(config.model_copy(update={"m": 4, "out": "other"}), progress=QUIET)


# -- work that is not done twice -------------------------------------------------------------------------------------


class Interrupting:
    """A progress that is interrupted as by Ctrl-C once so many passages are embedded."""

    def __init__(self, after: int) -> None:
        self.after = after

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Any:
        passed = 0

        def advance(n: int) -> None:
            nonlocal passed
            passed += n
            if name == "embed" and passed >= self.after:
                raise KeyboardInterrupt

        yield advance

    def say(self, message: str) -> None:
        pass


def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fills with the texts of each forward pass."""
    real, seen = Encoder.batches, []

    def counting(self: Encoder, *args: Any, **options: Any) -> Any:
        for batch in real(self, *args, **options):
            seen.append(len(batch[0]))
            yield batch

    monkeypatch.setattr(Encoder, "batches", counting)
    return seen


def test_interrupted_while_embedding_it_goes_on_with_the_next_batch(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"batch_tokens": 512, "passages": str(source)}
    whole = indexed(source, tmp_path / "whole", batch_tokens=512)
    seen = embedded(monkeypatch)
    config = IndexConfig(out=str(tmp_path / "out"), **options)
    with pytest.raises(KeyboardInterrupt):
        job.run(config, progress=Interrupting(160))
    assert 160 <= sum(seen) < 200
    result = job.run(config, progress=QUIET)
    assert sum(seen) == 300, "what was embedded before Ctrl-C is embedded again"
    assert contents(tmp_path / "out", *PRODUCTS) == contents(tmp_path / "whole", *PRODUCTS)
    assert dataclasses.replace(result, seconds={}, passages_per_second=None, peak_bytes=0, out="") == (
        dataclasses.replace(whole, seconds={}, passages_per_second=None, peak_bytes=0, out="")
    )


def test_an_index_becomes_one_of_another_kind_without_its_encoder_being_run(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: Encoder
) -> None:
    indexed(source, tmp_path / "flat")
    seen = embedded(monkeypatch)
    result = indexed(tmp_path / "flat", tmp_path / "coded", kind="ivf-sq8", nlist=4)
    assert (seen, result.passages, result.kind, result.passages_per_second) == ([], 300, "ivf-sq8", None)
    flat, coded = (PassageIndex.open(tmp_path / name, encoder=encoder) for name in ("flat", "coded"))
    assert np.array_equal(np.concatenate(coded.embeddings()), np.concatenate(flat.embeddings()))
    assert coded.passages(range(300)) == flat.passages(range(300))
    other = indexed(tmp_path / "flat", tmp_path / "prefixed", passage_prefix="river ", limit=100)
    assert (sum(seen), other.passages) == (100, 100)
