"""What a search finds: the best, in order, whatever the kind, the batch and the number of files."""

from pathlib import Path

import numpy as np
import pytest

from elusive.errors import ModelError, OptionError
from elusive.retrieval.index_vectors import VectorIndex
from tests.unit.retrieval.index_cases import KINDS, clustered, index_of, oracle

QUERIES = clustered(9, seed=5)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 1000])
@pytest.mark.parametrize("kind", ["flat", "sqfp16"])
def test_an_exhaustive_kind_finds_what_sorting_all_finds(tmp_path: Path, kind: str, n: int) -> None:
    vectors = clustered(n)
    index = index_of(tmp_path, vectors, kind)
    for k in {1, min(5, n), n}:
        places, scores = index.search(QUERIES, k)
        assert places.dtype == np.int64
        assert scores.dtype == np.float32
        assert places.tolist() == oracle(vectors, QUERIES, k).tolist()
        exact = np.take_along_axis(QUERIES @ vectors.astype(np.float16).astype(np.float32).T, places, axis=1)
        np.testing.assert_allclose(scores, exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_an_opened_index_finds_the_same(tmp_path: Path, kind: str) -> None:
    built = index_of(tmp_path, clustered(700), kind)
    for once, again in zip(built.search(QUERIES, 7), VectorIndex.open(tmp_path).search(QUERIES, 7), strict=True):
        assert once.tolist() == again.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_alone_finds_what_it_finds_in_a_batch(tmp_path: Path, kind: str) -> None:
    many = clustered(40, seed=6)
    index = index_of(tmp_path, clustered(700), kind)
    places, scores = index.search(many, 5)
    for i, query in enumerate(many):
        alone = index.search(query[None], 5)
        assert (alone[0].tolist(), alone[1].tolist()) == ([places[i].tolist()], [scores[i].tolist()])


@pytest.mark.parametrize(("kind", "m"), [("ivf-sq8", None), ("ivf-pq", 4)])
def test_an_ivf_kind_finds_most_of_the_best(tmp_path: Path, kind: str, m: int | None) -> None:
    vectors, queries = clustered(5000), clustered(50, seed=7)
    found = index_of(tmp_path, vectors, kind, m=m, shard_len=1024).search(queries, 10)[0]
    best = oracle(vectors, queries, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), best.tolist(), strict=True)])
    assert recall >= 0.9


def test_files_searched_side_by_side_are_as_one(tmp_path: Path) -> None:
    vectors = clustered(1000)
    for kind in KINDS:
        parts = index_of(tmp_path / f"{kind}-parts", vectors, kind, shard_len=256)
        whole = index_of(tmp_path / f"{kind}-whole", vectors, kind, shard_len=256, part_bytes=2**20)
        assert len(parts.generation.search.paths) > len(whole.generation.search.paths) == 1
        assert parts.search(QUERIES, 6)[0].tolist() == whole.search(QUERIES, 6)[0].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_lists_that_run_out_are_made_up_for(tmp_path: Path, kind: str) -> None:
    vectors = clustered(300)
    options = {"nprobe": 1} if kind.startswith("ivf") else {}
    places, _ = index_of(tmp_path, vectors, kind, **options).search(QUERIES, 300)
    assert places.tolist() == oracle(vectors, QUERIES, 300).tolist()


@pytest.mark.parametrize("kind", ["flat", "sqfp16"])
@pytest.mark.parametrize("queries", [QUERIES, np.zeros((2, 16), np.float32)], ids=["queries", "zero"])
def test_of_equal_vectors_the_first_places_are_taken(tmp_path: Path, kind: str, queries: np.ndarray) -> None:
    vectors = np.repeat(clustered(1), 500, axis=0)
    places, scores = index_of(tmp_path, vectors, kind).search(queries, 5)
    assert places.tolist() == [[0, 1, 2, 3, 4]] * len(queries)
    assert (scores == scores[:, :1]).all()


def test_ties_beyond_all_candidates_are_broken_by_place(tmp_path: Path) -> None:
    vectors = np.tile(clustered(10), (60, 1))
    places, _ = index_of(tmp_path, vectors).search(QUERIES, 70)
    assert places.tolist() == oracle(vectors, QUERIES, 70).tolist()


@pytest.mark.parametrize(
    ("k", "words"), [(0, "k is 0"), (-1, "k is -1"), (21, "k is 21 and the index holds 20 passages")]
)
def test_a_k_that_cannot_be_is_said(tmp_path: Path, k: int, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        index_of(tmp_path, clustered(20)).search(QUERIES, k)


def test_queries_that_do_not_suit_are_said(tmp_path: Path) -> None:
    index = index_of(tmp_path, clustered(20))
    for queries in (QUERIES[:, :8], QUERIES[0]):
        with pytest.raises(OptionError, match=r"expected \(n, 16\)"):
            index.search(queries, 1)
    broken = QUERIES.copy()
    broken[3, 2] = np.nan
    with pytest.raises(ModelError, match="query 3 is NaN"):
        index.search(broken, 1)


def test_no_query_finds_nothing(tmp_path: Path) -> None:
    places, scores = index_of(tmp_path, clustered(20)).search(QUERIES[:0], 3)
    assert places.shape == scores.shape == (0, 3)


def test_looking_into_all_lists_finds_more(tmp_path: Path) -> None:
    vectors = clustered(3000)
    index_of(tmp_path, vectors, "ivf-sq8", nlist=60, nprobe=1, shard_len=1024)
    best = oracle(vectors, QUERIES, 20)

    def hits(index: VectorIndex) -> int:
        return int(sum(len(set(a) & set(b)) for a, b in zip(index.search(QUERIES, 20)[0], best, strict=True)))

    assert hits(VectorIndex.open(tmp_path)) < hits(VectorIndex.open(tmp_path, nprobe=60)) == best.size
    with pytest.raises(OptionError, match="nprobe is 61 and the ivf-sq8 index"):
        VectorIndex.open(tmp_path, nprobe=61)


def test_embeddings_and_rows_are_what_was_given(tmp_path: Path) -> None:
    vectors = clustered(200)
    shards = index_of(tmp_path, vectors).shards
    assert np.concatenate(shards.maps).tolist() == vectors.astype(np.float16).tolist()
    places = np.array([199, 0, 64, 63, 64])
    assert (
        shards.rows(places).tolist() == shards.sample(places).tolist() == np.concatenate(shards.maps)[places].tolist()
    )
