"""An index's folder: killed at any moment it goes on with the same bytes; what is damaged or foreign is said."""

import itertools
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elusive.data import atomic
from elusive.data.sealed import read_sealed, write_sealed
from elusive.errors import FolderError, MissingExtraError, ModelError, OptionError
from elusive.retrieval.index_build import build_index_of
from elusive.retrieval.index_generation import INDEX
from elusive.retrieval.index_vectors import VectorIndex
from tests.files import contents
from tests.integration.faults.moments import Watch
from tests.unit.retrieval.index_cases import KINDS, build_of, clustered, index_of, wait_for

VECTORS, QUERIES = clustered(300), clustered(5, seed=1)
N_BATCHES = 4 * 4 + 3
"""Of 20 vectors, in four files of 64 and one of 44."""


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill of the process loses nothing that the system holds: waiting for the disk shows nothing here."""
    monkeypatch.setattr(atomic, "_sync", lambda _path: None)


@pytest.mark.parametrize("kind", ["flat", "ivf-pq"])
def test_killed_at_any_moment_it_goes_on_with_the_same_bytes(tmp_path: Path, unsynced: None, kind: str) -> None:
    index = index_of(tmp_path / "whole", VECTORS, kind)
    whole, found = contents(tmp_path / "whole", "."), index.search(QUERIES, 5)[0].tolist()
    for at in itertools.count(1, 5):
        folder, account = tmp_path / str(at), tmp_path / f"{at}.account"
        killed = wait_for(in_child(lambda f=folder, a=account, at=at: accounted(f, kind, a, at))) == -signal.SIGKILL
        assert build_index_of(accounting(folder, kind, account)).search(QUERIES, 5)[0].tolist() == found
        assert contents(folder, ".") == whole
        if not killed:
            break
        assert len(account.read_bytes()) <= N_BATCHES + 1, "more than the batch in flight was embedded again"
    assert at > 30


def accounting(folder: Path, kind: str, account: Path) -> Any:
    """A build that writes a byte for each batch that is made."""
    build = build_of(folder, VECTORS, kind, batch_len=20)

    def counted(start: int, stop: int, known: np.ndarray) -> Iterator[Any]:
        for batch in build.vectors(start, stop, known):
            with account.open("ab") as stream:
                stream.write(b".")
            yield batch

    return replace(build, vectors=counted)


def accounted(folder: Path, kind: str, account: Path, at: int) -> None:
    watch = Watch(at)
    watch.install()
    build_index_of(replace(accounting(folder, kind, account), progress=watch))


def in_child(action: Any) -> int:
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(0)
    return child


def test_a_generation_counts_only_when_it_is_whole(tmp_path: Path, unsynced: None) -> None:
    index_of(tmp_path, VECTORS)
    other = build_of(tmp_path, clustered(300, seed=9), name="y")
    other.prepare()
    other.steps["embed"]()
    assert (
        VectorIndex.open(tmp_path).search(QUERIES, 3)[0].tolist()
        == index_of(tmp_path, VECTORS).search(QUERIES, 3)[0].tolist()
    )
    other.prepare()
    for step in other.steps.values():
        step()
    other.finish()
    assert {file.name[:12] for file in tmp_path.glob("*/*") if file.is_file()} - {"lock"} >= {other.generation.name}
    assert len({file.name[:12] for folder in ("embeddings", "search") for file in (tmp_path / folder).iterdir()}) == 1


def test_settings_of_an_unfinished_build_are_not_mixed_with_anothers(tmp_path: Path) -> None:
    build = build_of(tmp_path, VECTORS, "sqfp16", part_bytes=4096)
    build.prepare()
    for step in build.steps.values():
        step()
    index = index_of(tmp_path, VECTORS, "flat", part_bytes=2**20)
    own = {str(file.relative_to(tmp_path)) for file in index.generation.files}
    assert set(contents(tmp_path, "embeddings", "search")) == set(index.files) == own
    assert VectorIndex.open(tmp_path).generation == index.generation


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_or_gone_is_said(tmp_path: Path, unsynced: None, kind: str) -> None:
    index = index_of(tmp_path, VECTORS, kind)
    for name in index.files:
        path = tmp_path / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(FolderError, match=f"{re.escape(name)} was removed, cut short or changed"):
            VectorIndex.open(tmp_path)
        path.unlink()
        with pytest.raises(FolderError, match="build the index again"):
            VectorIndex.open(tmp_path)
        path.write_bytes(whole)
    VectorIndex.open(tmp_path)


@pytest.mark.parametrize("folder", ["embeddings", "search"])
def test_a_file_of_the_right_size_with_other_content_is_said(tmp_path: Path, folder: str) -> None:
    index_of(tmp_path, VECTORS)
    path = sorted((tmp_path / folder).iterdir())[0]
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(FolderError, match="build the index again"):
        VectorIndex.open(tmp_path).search(QUERIES, 3)


def test_a_folder_without_an_index_is_said(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"holds no finished index \(no index.json\); make one with: elusive index"):
        VectorIndex.open(tmp_path)


def test_an_index_of_another_version_is_said(tmp_path: Path) -> None:
    index_of(tmp_path, VECTORS)
    write_sealed(tmp_path / INDEX, {**read_sealed(tmp_path / INDEX), "version": 99})
    with pytest.raises(FolderError, match="is of version 99, and this elusive reads 1"):
        VectorIndex.open(tmp_path)


@pytest.mark.parametrize("record", ["", "{", "[]", '{"version": 1}', json.dumps({"checksum": "0"})])
def test_a_damaged_record_is_said(tmp_path: Path, record: str) -> None:
    (tmp_path / INDEX).write_text(record)
    with pytest.raises(FolderError, match=r"cannot be read .*build the index again"):
        VectorIndex.open(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_a_vector_that_fp16_cannot_hold_is_said_with_its_place(tmp_path: Path, value: float) -> None:
    vectors = VECTORS.copy()
    vectors[130, 3] = value
    with pytest.raises(ModelError, match="the vector at place 130 is NaN, infinite or beyond"):
        index_of(tmp_path, vectors)


def test_vectors_of_another_width_are_said(tmp_path: Path) -> None:
    build = build_of(tmp_path, VECTORS)
    with pytest.raises(OptionError, match=r"vectors of places 0 to 63 came as \(64, 8\); expected \(64, 16\)"):
        build_index_of(replace(build, vectors=lambda start, stop, _: [(np.arange(64), VECTORS[start:stop, :8])]))


def test_vectors_that_do_not_come_are_said(tmp_path: Path) -> None:
    build = build_of(tmp_path, VECTORS)
    with pytest.raises(OptionError, match="of the 64 vectors from place 0 on, 63 came"):
        build_index_of(replace(build, vectors=lambda start, stop, _: [(np.arange(63), VECTORS[start : stop - 1])]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_said_and_with_room_it_goes_on(tmp_path: Path, unsynced: None, kind: str) -> None:
    options = {"shard_len": 64, "part_bytes": 2**20}
    folder = tmp_path / "small"
    whole = index_of(tmp_path / "whole", VECTORS, kind, **options).files
    largest = max(seal["bytes"] for name, seal in whole.items())

    def with_little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, largest - 1))
        try:
            index_of(folder, VECTORS, kind, **options)
        except FolderError as error:
            (tmp_path / "said").write_text(str(error))

    wait_for(in_child(with_little_room))
    assert "File too large; free space and run the same command again" in (tmp_path / "said").read_text()
    assert not list(folder.rglob("*-tmp"))
    assert index_of(folder, VECTORS, kind, **options).files == whole


def test_without_faiss_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"faiss \(extra cpu, or gpu .*pip install 'elusive\[cpu\]'"):
        index_of(tmp_path, VECTORS)


def test_only_one_module_imports_faiss() -> None:
    root = Path(__file__).parents[3]
    files = [file for room in ("elusive", "cli") for file in (root / room).rglob("*.py")]
    importing = [file.name for file in files if re.search(r"^\s*(import|from) faiss", file.read_text(), re.MULTILINE)]
    assert importing == ["index_faiss.py"]


def test_a_gpu_that_is_not_there_is_said(tmp_path: Path) -> None:
    import faiss

    if faiss.get_num_gpus():
        pytest.skip("there is one")
    index_of(tmp_path, VECTORS)
    with pytest.raises(OptionError, match=r"faiss sees 0 GPUs and was asked for number 0; install 'elusive\[gpu\]'"):
        VectorIndex.open(tmp_path, gpu=0).search(QUERIES, 2)


CHILD = """
import sys
from pathlib import Path
import numpy as np
from elusive.retrieval.index_faiss import import_faiss
from tests.unit.retrieval.index_cases import build_of, build_index_of

def memory(name):
    status = Path("/proc/self/status").read_text()
    return int(status.split(name + ":")[1].split()[0]) * 1024

class Made:
    shape = (60_000, 256)
    def __len__(self): return self.shape[0]
    def __getitem__(self, places):
        return np.random.default_rng(places.start).standard_normal((places.stop - places.start, 256), dtype=np.float32)

import_faiss()
build = build_of(Path(sys.argv[1]), Made(), sys.argv[2], shard_len=4096, part_bytes=2**23, **eval(sys.argv[3]))
list(build.vectors(0, 2, np.zeros(2, bool)))
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
build_index_of(build)
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(("kind", "options"), [("flat", {}), ("ivf-sq8", {"nlist": 64})])
def test_memory_is_a_fraction_of_the_vectors(tmp_path: Path, kind: str, options: dict[str, int]) -> None:
    """61 MB of vectors in fp32; a part is 8 MB, the training sample 3 MB."""
    child = [sys.executable, "-c", CHILD, str(tmp_path), kind, str(options)]
    done = subprocess.run(child, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 45 * 2**20
