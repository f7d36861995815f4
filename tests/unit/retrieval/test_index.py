"""An index of passages belongs to its encoder and to its passages, and is refreshed in one step."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from elusive.data import atomic
from elusive.data.folder_lock import locked
from elusive.data.questions import Passage
from elusive.errors import FolderError, InputError, OptionError
from elusive.retrieval.index import PassageIndex
from elusive.retrieval.index_kinds import IndexOptions
from elusive.retrieval.index_passages import OFFSETS, PASSAGES
from tests.files import contents
from tests.integration.faults.moments import Watch
from tests.unit.retrieval.index_cases import SMALL, FakeEncoder, index_of, passages, wait_for

N = 150
OPTIONS = IndexOptions(**SMALL)
FILES = ("embeddings", "search", "index.json", PASSAGES, OFFSETS)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(atomic, "_sync", lambda _path: None)
    return tmp_path / "index"


def built(folder: Path, weights: int = 0) -> PassageIndex:
    return PassageIndex.build(folder, passages(N), encoder=FakeEncoder(weights), options=OPTIONS)


def own_places(index: PassageIndex, encoder: FakeEncoder) -> list[int]:
    """Where each passage's own text is found."""
    queries = encoder.encode([encoder.passage_text(passage) for passage in passages(N)], side="query")
    return index.search(queries, 1)[0][:, 0].tolist()


def test_each_passage_is_found_at_its_place_by_its_own_text(folder: Path) -> None:
    built(folder)
    index = PassageIndex.open(folder, encoder=FakeEncoder())
    assert own_places(index, FakeEncoder()) == list(range(N))
    assert len(index) == N
    assert index.passages(range(N)) == passages(N)
    assert index.passage(149) == passages(N)[149]
    assert index.passages(np.array([3, 1])) == [passages(N)[3], passages(N)[1]]
    assert sum(map(len, index.embeddings())) == N
    assert index.vectors_at(np.array([7])).shape == (1, 16)
    for place in (-1, N):
        with pytest.raises(IndexError):
            index.passage(place)


def test_another_encoder_is_refused_and_the_index_left_as_it_is(folder: Path) -> None:
    built(folder)
    before = contents(folder, ".")
    for encoder in (FakeEncoder(1), "fake:1:passage"):
        with pytest.raises(FolderError, match=r"another encoder \(fake:0:passage, and this one is fake:1:passage\)"):
            PassageIndex.open(folder, encoder=encoder)
    with pytest.raises(FolderError, match="another encoder"):
        PassageIndex.open(folder, encoder="fake:1:passage", refresh=True)
    assert contents(folder, ".") == before
    assert PassageIndex.open(folder, encoder="fake:0:passage").fingerprint == "fake:0:passage"


def test_refreshed_it_is_as_built_with_that_encoder(folder: Path, tmp_path: Path) -> None:
    old = built(folder)
    before = np.concatenate(old.embeddings()).tolist()
    new = old.refresh(FakeEncoder(1))
    built(tmp_path / "other", 1)
    assert contents(folder, *FILES) == contents(tmp_path / "other", *FILES)
    assert own_places(new, FakeEncoder(1)) == list(range(N))
    assert own_places(PassageIndex.open(folder, encoder=FakeEncoder(1)), FakeEncoder(1)) == list(range(N))
    assert np.concatenate(old.embeddings()).tolist() == before, "the old embeddings stay readable"


def test_opened_with_another_encoder_it_is_refreshed_when_asked(folder: Path) -> None:
    built(folder)
    encoder = FakeEncoder(1)
    index = PassageIndex.open(folder, encoder=encoder, refresh=True)
    assert index.fingerprint == "fake:1:passage"
    assert own_places(index, encoder) == list(range(N))


def test_nothing_is_embedded_where_the_encoder_is_the_same(folder: Path) -> None:
    index = built(folder)
    encoder = FakeEncoder()
    assert index.refresh(encoder) is index
    assert not encoder.calls


def test_passages_are_embedded_a_file_at_a_time(folder: Path) -> None:
    encoder = FakeEncoder()
    PassageIndex.build(folder, passages(N), encoder=encoder, options=OPTIONS)
    assert encoder.calls == [64, 64, 22]


@pytest.mark.parametrize("at", range(1, 40, 4))
def test_a_refresh_killed_at_any_moment_leaves_the_old_or_the_new(folder: Path, at: int) -> None:
    index = built(folder)
    child = os.fork()
    if child == 0:
        try:
            watch = Watch(at)
            watch.install()
            index.refresh(FakeEncoder(1), progress=watch)
        finally:
            os._exit(0)
    killed = wait_for(child) == -signal.SIGKILL
    assert killed or at > 20
    found = [weights for weights in (0, 1) if opens(folder, FakeEncoder(weights))]
    assert len(found) == 1
    assert own_places(PassageIndex.open(folder, encoder=FakeEncoder(found[0])), FakeEncoder(found[0])) == list(range(N))
    index = PassageIndex.open(folder, encoder=FakeEncoder(1), refresh=True)
    assert own_places(index, FakeEncoder(1)) == list(range(N))
    index = index.refresh(FakeEncoder(2))
    assert set(contents(folder, ".")) - {".elusive/lock"} == {"index.json", *index.vectors.files}


def opens(folder: Path, encoder: FakeEncoder) -> bool:
    try:
        PassageIndex.open(folder, encoder=encoder)
    except FolderError:
        return False
    return True


def test_other_passages_make_another_index(folder: Path) -> None:
    built(folder)
    encoder = FakeEncoder()
    index = PassageIndex.build(folder, passages(N)[:100], encoder=encoder, options=OPTIONS)
    assert len(index) == len(PassageIndex.open(folder, encoder=encoder)) == 100
    assert encoder.calls == [64, 36]
    assert index.passages(range(100)) == passages(100)


def test_passages_are_never_beside_an_index_of_others(folder: Path) -> None:
    built(folder)

    def interrupted() -> Iterator[Passage]:
        yield from passages(N)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PassageIndex.build(folder, interrupted(), encoder=FakeEncoder(), options=OPTIONS)
    with pytest.raises(FolderError, match="holds no finished index"):
        PassageIndex.open(folder, encoder=FakeEncoder())


def test_no_passages_are_said(folder: Path) -> None:
    with pytest.raises(InputError, match="there are no passages to index"):
        PassageIndex.build(folder, [], encoder=FakeEncoder())


def test_an_encoder_of_another_width_is_said(folder: Path) -> None:
    index = built(folder)
    encoder = FakeEncoder(1)
    encoder.width = 8
    with pytest.raises(OptionError, match=r"vectors have 8 numbers and those of .* 16; build the index again"):
        index.refresh(encoder)


def test_a_folder_in_use_is_said(folder: Path) -> None:
    index = built(folder)
    with locked(folder):
        with pytest.raises(FolderError, match="is in use by process"):
            index.refresh(FakeEncoder(1))
        with pytest.raises(FolderError, match="is in use by process"):
            built(folder, 1)


@pytest.mark.parametrize("name", [PASSAGES, OFFSETS])
def test_passages_cut_short_are_said(folder: Path, name: str) -> None:
    built(folder)
    path = folder / name
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FolderError, match=f"{name} was removed, cut short or changed"):
        PassageIndex.open(folder, encoder=FakeEncoder())


def test_a_damaged_line_is_said(folder: Path) -> None:
    index = built(folder)
    path = folder / PASSAGES
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(FolderError, match=r"passages\.jsonl cannot be read .*; build the index again"):
        index.passage(3)


def test_an_index_without_passages_is_said(folder: Path) -> None:
    index_of(folder, np.eye(4, dtype=np.float32))
    with pytest.raises(FolderError, match="an index of vectors without passages"):
        PassageIndex.open(folder, encoder=FakeEncoder())


# -- vectors that are known already ----------------------------------------------------------------------------------


def test_of_an_index_by_the_same_encoder_the_vectors_are_taken(folder: Path, tmp_path: Path) -> None:
    first = built(folder)
    before = contents(folder, ".")
    encoder = FakeEncoder()
    again = PassageIndex.build(
        tmp_path / "again", passages(N), encoder=encoder, options=IndexOptions(shard_len=32), known=first.known
    )
    assert encoder.calls == []
    assert np.array_equal(np.concatenate(again.embeddings()), np.concatenate(first.embeddings()))
    assert own_places(again, encoder) == list(range(N))
    assert contents(folder, ".") == before


def test_passages_that_are_others_are_embedded_and_no_more(folder: Path, tmp_path: Path) -> None:
    known, encoder = built(folder).known, FakeEncoder(batch_len=1)
    changed = passages(N + 20)
    changed[3] = Passage("p3", "", "another text")
    index = PassageIndex.build(tmp_path / "again", changed, encoder=encoder, options=OPTIONS, known=known)
    assert len(encoder.calls) == 1 + 20
    expected = PassageIndex.build(tmp_path / "fresh", changed, encoder=FakeEncoder(), options=OPTIONS)
    assert np.array_equal(np.concatenate(index.embeddings()), np.concatenate(expected.embeddings()))
