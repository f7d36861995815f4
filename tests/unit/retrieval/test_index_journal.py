"""Vectors that were written down batch by batch are known after a kill, whatever it cut through, and no others."""

import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from elusive.errors import FolderError
from elusive.retrieval.index_journal import open_journal
from tests.unit.retrieval.index_cases import clustered
from tests.unit.retrieval.test_index_folder import in_child, wait_for

N, WIDTH = 10, 4
KEY = {"generation": "a"}
HALVES = clustered(N, WIDTH).astype(np.float16)
BATCHES = [np.array([7, 2, 9]), np.array([0]), np.array([1, 3, 4, 5, 6])]


def written(path: Path, batches=BATCHES, key=KEY):
    """What is known of a journal when it is opened; then some batches are added."""
    with open_journal(path, key=key, n=N, width=WIDTH) as journal:
        known, vectors = journal.known.copy(), journal.vectors.copy()
        for places in batches:
            journal.add(places, HALVES[places])
    return known, vectors


def test_what_was_written_is_known_and_the_rest_is_not(tmp_path: Path) -> None:
    assert not written(tmp_path / "j")[0].any()
    known, vectors = written(tmp_path / "j", [np.array([8])])
    assert known.tolist() == [True] * 8 + [False, True]
    assert np.array_equal(vectors[known], HALVES[known])
    assert written(tmp_path / "j", [])[0].all()


def test_cut_at_any_byte_the_whole_entries_before_it_are_known_and_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "j"
    written(path)
    whole = path.read_bytes()
    sizes = np.cumsum([16, *(4 + len(places) * (4 + 2 * WIDTH) + 16 for places in BATCHES)])
    assert sizes[-1] == len(whole)
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        n_whole = int((sizes[1:] <= length).sum())
        known, vectors = written(path, BATCHES[n_whole:])
        assert set(np.flatnonzero(known)) == {int(p) for places in BATCHES[:n_whole] for p in places}
        assert np.array_equal(vectors[known], HALVES[known])
        assert path.read_bytes() == whole


def test_from_a_damaged_entry_on_nothing_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "j"
    written(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        known, vectors = written(path, [])
        assert known.sum() < 9
        assert np.array_equal(vectors[known], HALVES[known])


@pytest.mark.parametrize("key", [{"generation": "b"}, {}])
def test_a_journal_of_other_vectors_counts_for_nothing(tmp_path: Path, key: dict[str, str]) -> None:
    written(tmp_path / "j")
    assert not written(tmp_path / "j", [], key=key)[0].any()
    assert not written(tmp_path / "j", [])[0].any()


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    def with_little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))
        try:
            written(tmp_path / "j")
        except FolderError as error:
            (tmp_path / "said").write_text(str(error)[:50])

    assert wait_for(in_child(with_little_room)) == 0
    assert "cannot write" in (tmp_path / "said").read_text()
    assert written(tmp_path / "j")[0].sum() == 0
