"""Passages that can be searched by vectors: texts, embeddings and search files in one folder.

An index belongs to the encoder that embedded its passages, and to these passages. With another encoder it is refused,
or refreshed: embedded anew beside what is there, and switched to in one step. Needs of an encoder only what
`PassageEncoder` says. `index_generation` has the folder's layout, `index_kinds` the choice and cost of kinds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from elusive.data.folder_lock import locked
from elusive.data.questions import Passage
from elusive.errors import FolderError, OptionError
from elusive.progress import Bars, Progress
from elusive.retrieval.index_build import IndexBuild, build_index_of, records_of, seals_in
from elusive.retrieval.index_embedding import KnownVectors, PassageEncoder, embedding
from elusive.retrieval.index_generation import INDEX, Generation
from elusive.retrieval.index_kinds import IndexOptions
from elusive.retrieval.index_passages import OFFSETS, PASSAGES, PassageStore, write_passages
from elusive.retrieval.index_scores import Places
from elusive.retrieval.index_shards import Vectors
from elusive.retrieval.index_vectors import VectorIndex

_SILENT: Final = Bars(quiet=True)


@dataclass(frozen=True)
class PassageIndex:
    """An index with its passages. It does not change: `refresh` gives another one.

    Attributes:
        store: the passages.
        vectors: their vectors, and the search for them.
    """

    store: PassageStore
    vectors: VectorIndex

    @classmethod
    def build(
        cls,
        folder: Path,
        passages: Iterable[Passage],
        *,
        encoder: PassageEncoder,
        options: IndexOptions | None = None,
        known: KnownVectors | None = None,
        progress: Progress = _SILENT,
    ) -> Self:
        """Index passages; embeddings that an earlier, unfinished call left there are taken up.

        Args:
            folder: made if need be; an index in it is none from the moment on at which passages are written.
            passages: read once, and written down as they come.
            encoder: what embeds them.
            options: kind and settings of the index.
            known: vectors by this very encoder, taken where the same passage is at the same place.
            progress: where to report.

        Raises:
            InputError: there are no passages.
            OptionError: settings that do not suit them.
            ModelError: a vector is not finite.
            FolderError: the folder is in use or cannot be written, or the disk is full.
            MissingExtraError: faiss is not installed.
        """
        with locked(folder):
            record = record_of(folder)
            record.parent.mkdir(parents=True, exist_ok=True)
            (folder / INDEX).unlink(missing_ok=True)  # or a kill would leave it beside other passages
            store = write_passages(folder, passages, record=record)
            build = passage_build(
                store, encoder=encoder, options=options or IndexOptions(), known=known, progress=progress
            )
            return cls(store, build_index_of(build))

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        encoder: PassageEncoder | str,
        refresh: bool = False,
        nprobe: int | None = None,
        gpu: int | None = None,
        progress: Progress = _SILENT,
    ) -> "PassageIndex":
        """The index in a folder, its files mapped.

        Args:
            folder: as `elusive index` or `build` left it.
            encoder: what queries will be embedded with, or its passage side's fingerprint.
            refresh: embed the passages anew where they were embedded with another encoder.
            nprobe: lists to look into, in the place of what the index was built for.
            gpu: search on the GPU of this number.
            progress: where a refresh reports.

        Raises:
            FolderError: no finished index, a damaged one, one of another version, or one of another encoder.
            OptionError: `nprobe` does not suit the index.
        """
        vectors = VectorIndex.open(folder, nprobe=nprobe, gpu=gpu)
        key = vectors.generation.key
        if not key.keys() >= {"encoder", "passages"}:
            raise FolderError(f"{folder} holds an index of vectors without passages; make one with: elusive index")
        index = PassageIndex(PassageStore(folder, key["passages"]), vectors)
        expected = encoder if isinstance(encoder, str) else encoder.fingerprint("passage")
        if key["encoder"] == expected:
            return index
        if refresh and not isinstance(encoder, str):
            return index.refresh(encoder, progress=progress)
        raise FolderError(
            f"{folder} was embedded with another encoder ({key['encoder']}, and this one is {expected}); "
            "name that encoder, refresh the index, or build it again with --overwrite"
        )

    def refresh(self, encoder: PassageEncoder, *, progress: Progress = _SILENT) -> "PassageIndex":
        """The same passages embedded with `encoder`; itself, where that is what they are embedded with.

        The folder holds this index until the other one is finished, and then no longer: it is not to be searched any
        more, but its embeddings stay readable. A refresh that is killed goes on with the next call for that encoder.

        Raises:
            OptionError: an encoder of another width.
            ModelError, FolderError: as `build`.
        """
        old = self.vectors.generation
        fingerprint = encoder.fingerprint("passage")
        if fingerprint == self.fingerprint:
            return self
        if encoder.width != old.layout.width:
            raise OptionError(
                f"the encoder's vectors have {encoder.width} numbers and those of {old.folder} {old.layout.width}; "
                "build the index again with --overwrite"
            )
        _ = self.vectors.shards.maps  # which stay, though their names go
        made = replace(old, key={**old.key, "encoder": fingerprint})
        files = {name: self.vectors.files[name] for name in (PASSAGES, OFFSETS)}
        with locked(old.folder):
            vectors = build_index_of(IndexBuild(made, embedding(self.store, encoder), progress, files))
        return replace(self, vectors=replace(vectors, gpu=self.vectors.gpu))

    @property
    def known(self) -> KnownVectors:
        """Its vectors, for another index by its encoder."""
        return KnownVectors(self.store, self.vectors.shards)

    @property
    def fingerprint(self) -> str:
        """Of the encoder's passage side."""
        return self.vectors.generation.key["encoder"]

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, queries: Vectors, k: int) -> tuple[Places, Vectors]:
        """Places [n, k] and scores [n, k] of the best passages for each query; see `VectorIndex.search`."""
        return self.vectors.search(queries, k)

    def passage(self, place: int) -> Passage:
        """The passage at a place."""
        return self.store[place]

    def passages(self, places: Iterable[int]) -> list[Passage]:
        """The passages at some places, in their order."""
        return [self.store[int(place)] for place in places]

    def embeddings(self) -> tuple[NDArray[np.float16], ...]:
        """All vectors as they are stored: mapped fp16 files [passages, width], one after another."""
        return self.vectors.shards.maps

    def vectors_at(self, places: Places) -> Vectors:
        """The vectors of some passages in fp32, [n, width]."""
        return self.vectors.shards.rows(places)


def passage_build(
    store: PassageStore,
    *,
    encoder: PassageEncoder,
    options: IndexOptions,
    known: KnownVectors | None = None,
    progress: Progress,
) -> IndexBuild:
    """The build of an index over passages that were just written down, `record_of` vouching for them.

    Args as `PassageIndex.build`.

    Raises:
        OptionError: settings that do not suit them.
    """
    layout = options.layout(len(store), encoder.width)
    key = {"encoder": encoder.fingerprint("passage"), "passages": store.fingerprint}
    seals = seals_in(record_of(store.folder), store.folder)
    own = {name: seals[name] for name in (PASSAGES, OFFSETS)}
    vectors = embedding(store, encoder, known)
    return IndexBuild(Generation(store.folder, layout, key), vectors, progress, own)


def record_of(folder: Path) -> Path:
    """The record of the passages of an unfinished index."""
    return records_of(folder) / "passages.json"
