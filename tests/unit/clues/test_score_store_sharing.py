"""A store that several runs share, and a disk that is full."""

import contextlib
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from score_cases import KEY, TEXTS, parts, same, scores_of, store_of

from elusive.errors import FolderError


@contextlib.contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """What a full disk does to a write, in this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_no_part_and_the_store_as_it_was(tmp_path):
    scores = scores_of(TEXTS)
    store = store_of(tmp_path, KEY)
    store.add(TEXTS[:1], scores[:1])
    before = sorted((tmp_path / KEY.digest).iterdir())
    more = ["x" * 9000, "y"]
    with files_of_at_most(20_000), pytest.raises(FolderError, match="free space"):
        store.add(more, scores_of(more))
    assert sorted((tmp_path / KEY.digest).iterdir()) == before
    assert store.missing([*more, TEXTS[0]]) == more
    store.add(more, scores_of(more))
    assert store.missing([*more, TEXTS[0]]) == []


def test_runs_that_write_the_same_part_at_once_leave_one_whole_part(tmp_path):
    start = threading.Barrier(3)

    def add_repeatedly() -> None:
        start.wait()
        for _ in range(30):
            store_of(tmp_path, KEY, on_damage=pytest.fail).add(TEXTS, scores_of(TEXTS))

    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(add_repeatedly) for _ in range(3)]
    assert [run.result() for run in runs] == [None] * 3
    assert len(parts(tmp_path)) == 1
    assert len(list((tmp_path / KEY.digest).iterdir())) == 2  # the part and key.json
    store = store_of(tmp_path, KEY, on_damage=pytest.fail)
    assert all(same(store.get(text), scores) for text, scores in zip(TEXTS, scores_of(TEXTS), strict=True))


def test_a_part_that_another_run_took_away_counts_as_missing(tmp_path):
    store_of(tmp_path, KEY).add(TEXTS, scores_of(TEXTS))
    said: list[str] = []
    store = store_of(tmp_path, KEY, on_damage=said.append)
    [part] = parts(tmp_path)
    part.rename(part.with_suffix(".damaged"))
    assert store.missing(TEXTS) == TEXTS
    assert len(said) == 1


def test_what_another_run_adds_is_seen_by_the_next_store(tmp_path):
    early = store_of(tmp_path, KEY)
    store_of(tmp_path, KEY).add(TEXTS, scores_of(TEXTS))
    assert early.missing(TEXTS) == TEXTS
    assert store_of(tmp_path, KEY).missing(TEXTS) == []
    early.add(TEXTS, scores_of(TEXTS))
    assert early.missing(TEXTS) == []
    assert len(parts(tmp_path)) == 1
