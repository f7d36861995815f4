"""The files of an index and `index.json`, which says which of them count.

Files carry the name of their generation: what they were made from and how. A new one is written beside the old one,
and counts from the moment at which `index.json` is replaced.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final

from elusive.data.sealed import Seal, read_sealed, write_sealed
from elusive.errors import FolderError
from elusive.retrieval.index_kinds import Layout
from elusive.retrieval.index_search import SearchFiles
from elusive.retrieval.index_shards import Shards

INDEX: Final = "index.json"
FILES: Final = ("embeddings/*-?????.npy", "search/*-?????.faiss", "search/*-trained.faiss")
"""Patterns of what a generation is made of."""

_VERSION: Final = 1


@dataclass(frozen=True)
class Generation:
    """The files of an index as its layout and its sources name them.

    Attributes:
        folder: of the index.
        layout: how it is built.
        key: what its vectors are of: names and fingerprints.
    """

    folder: Path
    layout: Layout
    key: Mapping[str, str]

    @cached_property
    def name(self) -> str:
        """Equal for equal content; how many lists a search looks into changes nothing."""
        content = {"version": _VERSION, "key": dict(self.key), **asdict(replace(self.layout, nprobe=0))}
        return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=6).hexdigest()

    @cached_property
    def shards(self) -> Shards:
        """The embedding files."""
        folder, n = self.folder / "embeddings", len(list(self.layout.shards()))
        return Shards(tuple(folder / f"{self.name}-{i:05d}.npy" for i in range(n)), self.layout)

    @cached_property
    def search(self) -> SearchFiles:
        """The search files."""
        folder, n = self.folder / "search", len(list(self.layout.parts()))
        paths = tuple(folder / f"{self.name}-{i:05d}.faiss" for i in range(n))
        return SearchFiles(paths, folder / f"{self.name}-trained.faiss", self.layout)

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        trained = [self.search.trained] if self.layout.nlist else []
        return (*self.shards.paths, *self.search.paths, *trained)


def install(generation: Generation, files: Mapping[str, Seal]) -> None:
    """Let `index.json` name a generation and all files that belong to the index, and remove those of others."""
    folder = generation.folder
    content = {"key": dict(generation.key), "layout": asdict(generation.layout), "files": dict(files)}
    write_sealed(folder / INDEX, {"version": _VERSION, **content})
    for pattern in FILES:
        for file in folder.glob(pattern):
            if os.path.relpath(file, folder) not in files:
                file.unlink()


def installed(folder: Path) -> tuple[Generation, dict[str, Seal]]:
    """The generation that counts in a folder, and the seals of all files of the index, by name.

    Raises:
        FolderError: there is none, or one that is damaged or of another version.
    """
    path = folder / INDEX
    try:
        content = read_sealed(path)
        if content["version"] != _VERSION:
            raise FolderError(
                f"{path} is of version {content['version']}, and this elusive reads {_VERSION}; build the index again"
            )
        return Generation(folder, Layout(**content["layout"]), content["key"]), content["files"]
    except FileNotFoundError:
        raise FolderError(f"{folder} holds no finished index (no {INDEX}); make one with: elusive index") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FolderError(f"{path} cannot be read ({error}); build the index again") from error
