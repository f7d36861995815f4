"""Vectors that can be searched: exact scores, in order, for what faiss finds. Knows nothing of texts and models."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from elusive.data.sealed import Seal, is_unchanged
from elusive.errors import FolderError, ModelError, OptionError
from elusive.retrieval.index_generation import Generation, installed
from elusive.retrieval.index_scores import Places, best, exhaustive, is_settled, scores
from elusive.retrieval.index_search import GpuSearch, SearchFiles
from elusive.retrieval.index_shards import Shards, Vectors


@dataclass(frozen=True)
class VectorIndex:
    """An index that can be searched.

    Attributes:
        generation: what it was built from, and its files.
        files: the seals of all files that belong to it, by name.
        gpu: the number of the GPU that searches, which then holds the search files; None is the CPU.
    """

    generation: Generation
    files: Mapping[str, Seal]
    gpu: int | None = None

    @classmethod
    def open(cls, folder: Path, *, nprobe: int | None = None, gpu: int | None = None) -> Self:
        """The index in a folder; its files are not read, only their sizes compared.

        Args:
            folder: of the index.
            nprobe: look into so many lists, rather than into as many as it was built for.
            gpu: search on this GPU.

        Raises:
            FolderError: there is none, it is unfinished, of another version, or a file was cut short or removed.
            OptionError: `nprobe` for a kind that has no lists.
        """
        generation, files = installed(folder)
        layout = generation.layout
        if nprobe is not None:
            if not 1 <= nprobe <= layout.nlist:
                raise OptionError(
                    f"nprobe is {nprobe} and the {layout.kind} index in {folder} has {layout.nlist} lists"
                )
            generation = replace(generation, layout=replace(layout, nprobe=nprobe))
        for name, seal in files.items():
            if not is_unchanged(folder / name, seal, by_size=True):
                raise FolderError(f"{folder / name} was removed, cut short or changed; build the index again")
        return cls(generation, files, gpu)

    def __len__(self) -> int:
        return self.generation.layout.n

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return self.generation.layout.width

    @property
    def shards(self) -> Shards:
        """The vectors themselves."""
        return self.generation.shards

    def search(self, queries: Vectors, k: int) -> tuple[Places, Vectors]:
        """The `k` vectors of the largest dot products with each query.

        Faiss finds candidates, and the fp16 embeddings score them in fp32: scores mean the same in every kind, and
        those of a query do not depend on the rest of the batch. On the CPU, an exhaustive kind misses none of the best.

        Args:
            queries: [n, width].
            k: 1 to as many as there are vectors.

        Returns:
            places [n, k] and scores [n, k], best first, of equal ones the lower place.

        Raises:
            OptionError: `k` or the shape of `queries` does not suit the index.
            ModelError: a query is not finite.
            MissingExtraError: faiss is not installed.
        """
        queries = self._checked(queries, k)
        n_candidates = self.generation.layout.candidates(k)
        found = [
            self._ordered(query, candidates, k)
            for query, candidates in zip(queries, self._search.find(queries, n_candidates), strict=True)
        ]
        if unsettled := [i for i, one in enumerate(found) if one is None]:
            again = exhaustive(queries[unsettled], self.shards.blocks(0, len(self)), k)
            for i, one in zip(unsettled, again, strict=True):
                found[i] = one
        settled = [one for one in found if one is not None]
        places = np.array([one[0] for one in settled], np.int64).reshape(-1, k)
        return places, np.array([one[1] for one in settled], np.float32).reshape(-1, k)

    @cached_property
    def _search(self) -> SearchFiles | GpuSearch:
        files = self.generation.search
        return files if self.gpu is None else GpuSearch(files, self.shards, self.gpu)

    def _ordered(self, query: Vectors, candidates: Places, k: int) -> tuple[Places, Vectors] | None:
        """The best of the candidates; None where one that is none of them may be as good, or they are too few."""
        candidates = candidates[candidates >= 0]
        if len(candidates) < k:
            return None
        vectors = self.shards.rows(candidates)
        places, found = best(candidates, scores(query, vectors), len(candidates))
        exact = self.generation.layout.is_exhaustive and len(candidates) < len(self)
        if exact and not is_settled(query, vectors, found, k):
            return None
        return places[:k], found[:k]

    def _checked(self, queries: Vectors, k: int) -> Vectors:
        if not 1 <= k <= len(self):
            raise OptionError(f"k is {k:,} and the index holds {len(self):,} passages; expected 1 to {len(self):,}")
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.width:
            raise OptionError(f"queries have shape {queries.shape}; expected (n, {self.width}), the width of the index")
        if not np.isfinite(queries).all():
            row = int(np.flatnonzero(~np.isfinite(queries).all(axis=1))[0])
            raise ModelError(f"the vector of query {row} is NaN or infinite; check the encoder's weights and dtype")
        return queries
