"""The search files: faiss indexes of some hundred MiB each, written one by one and searched together, memory-mapped.

They give candidates; what these score is not their business. faiss would hold an index whole while it is built, and
grow it by copying; in parts, memory is bounded and a kill costs the part in flight.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from elusive.data.sealed import write_sealed
from elusive.errors import OptionError
from elusive.progress import Progress
from elusive.retrieval.index_faiss import empty_index, import_faiss, read_index, write_index
from elusive.retrieval.index_kinds import Layout
from elusive.retrieval.index_scores import Places
from elusive.retrieval.index_shards import Shards, Vectors, is_recorded

_GPU_MOST: Final = 2048  # results a query that faiss's GPU kernels can give


@dataclass(frozen=True)
class SearchFiles:
    """What faiss searches.

    Attributes:
        paths: of the parts, in order.
        trained: of the empty, trained index that parts of an ivf kind begin as; other kinds have none.
        layout: what is in them.
    """

    paths: tuple[Path, ...]
    trained: Path
    layout: Layout

    def find(self, queries: Vectors, n: int) -> Places:
        """Candidates for each query, in no order that counts: [queries, n], -1 where lists ran out.

        Args:
            queries: [queries, width].
            n: at most as many as there are vectors.
        """
        found: Places = self._index.search(queries, n)[1]
        return found

    @cached_property
    def _index(self) -> Any:
        return _joined(self.parts, self.layout)

    @cached_property
    def parts(self) -> list[Any]:
        """As faiss has them, mapped. Held here: what joins them borrows them."""
        parts = [read_index(path, mapped=True) for path in self.paths]
        if self.layout.nlist:
            for part in parts:
                part.nprobe = self.layout.nprobe
        return parts


@dataclass(frozen=True)
class GpuSearch:
    """The same on a GPU, which holds all of it. In sqfp16 it computes in fp16, too, and may miss one of the best.

    Attributes:
        files: the search files.
        shards: the embedding files.
        gpu: its number.
    """

    files: SearchFiles
    shards: Shards
    gpu: int

    def find(self, queries: Vectors, n: int) -> Places:
        """As `SearchFiles.find`, but for what a GPU cannot give: at most 2,048 a query."""
        found: Places = self._index.search(queries, min(n, _GPU_MOST))[1]
        return found

    @cached_property
    def _index(self) -> Any:
        faiss, layout = import_faiss(), self.files.layout
        n_gpus = faiss.get_num_gpus()
        if self.gpu >= n_gpus:
            raise OptionError(
                f"faiss sees {n_gpus} GPUs and was asked for number {self.gpu}; install 'elusive[gpu]' in the place of "
                "'elusive[cpu]', or search on the CPU"
            )
        resources = faiss.StandardGpuResources()
        if layout.is_exhaustive:
            config = faiss.GpuIndexFlatConfig()
            config.device, config.useFloat16 = self.gpu, layout.kind == "sqfp16"
            index = faiss.GpuIndexFlatIP(resources, layout.width, config)
            for block in self.shards.blocks(0, layout.n):
                index.add(block)
            return index
        options = faiss.GpuClonerOptions()
        options.useFloat16 = True
        return _side_by_side([faiss.index_cpu_to_gpu(resources, self.gpu, part, options) for part in self.files.parts])


def train(files: SearchFiles, shards: Shards, *, records: Path, key: Mapping[str, Any], progress: Progress) -> None:
    """Train what an ivf kind needs on a sample drawn by the seed, if it is not there yet; arguments as `write_shards`.

    Raises:
        MissingExtraError: faiss is not installed.
        FolderError: the disk is full.
    """
    layout, record = files.layout, records / "trained.json"
    if not layout.nlist or is_recorded(record, key):
        return
    with progress.stage("train", total=layout.training_len, unit="passages") as advance:
        draw = np.random.default_rng(layout.seed)
        places = np.sort(draw.choice(layout.n, layout.training_len, replace=False, shuffle=False))
        index = empty_index(layout)
        index.train(shards.sample(places))
        advance(layout.training_len)
    write_index(index, files.trained)
    write_sealed(record, {"key": key}, files=[files.trained])


def write_search_files(
    files: SearchFiles, shards: Shards, *, records: Path, key: Mapping[str, Any], progress: Progress
) -> None:
    """Write the parts that are not there yet; arguments as `write_shards`.

    Raises:
        MissingExtraError: faiss is not installed.
        FolderError: the disk is full.
    """
    layout = files.layout
    with progress.stage("write", total=layout.n, unit="passages") as advance:
        for i, (start, stop) in enumerate(layout.parts()):
            record = records / f"search-{i:05d}.json"
            if not is_recorded(record, key):
                part = read_index(files.trained, mapped=False) if layout.nlist else empty_index(layout)
                for block in shards.blocks(start, stop):
                    part.add(block)
                write_index(part, files.paths[i])
                write_sealed(record, {"key": key}, files=[files.paths[i]])
            advance(stop - start)


def _joined(parts: list[Any], layout: Layout) -> Any:
    if len(parts) == 1 or layout.is_exhaustive:
        return _side_by_side(parts)
    # A query's lists are chosen once, not in each part: all have the same centroids.
    joined = import_faiss().IndexShardsIVF(parts[0].quantizer, layout.nlist, False, True)
    for part in parts:
        joined.add_shard(part)
    return joined


def _side_by_side(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    # One after another, each on all threads; the places of one begin where those of the last end.
    joined = import_faiss().IndexShards(parts[0].d, False, True)
    for part in parts:
        joined.add_shard(part)
    return joined
