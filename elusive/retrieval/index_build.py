"""An index on its way, step by step; each goes on where it was stopped. Memory is an embedding file, and a search file
while it grows. Knows nothing of texts and models.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elusive.data.atomic import remove_leftovers
from elusive.data.folder_lock import WORK
from elusive.data.sealed import Seal, is_unchanged, read_seals
from elusive.errors import FolderError
from elusive.progress import Progress
from elusive.retrieval.index_generation import FILES, Generation, install
from elusive.retrieval.index_search import train, write_search_files
from elusive.retrieval.index_shards import VectorSource, write_shards
from elusive.retrieval.index_vectors import VectorIndex


@dataclass(frozen=True)
class IndexBuild:
    """An index on its way. Each step goes on where it was stopped; the folder is held by this process alone.

    Attributes:
        generation: what is built.
        vectors: what is asked for each range of places that is not there yet.
        progress: where to report.
        files: what else belongs to the index, by name, with its seals.
    """

    generation: Generation
    vectors: VectorSource
    progress: Progress
    files: Mapping[str, Seal] = field(default_factory=dict)

    @property
    def records(self) -> Path:
        """The sealed records of what is written, until `index.json` takes over."""
        return records_of(self.generation.folder)

    @property
    def steps(self) -> Mapping[str, Callable[[], None]]:
        """What there is to do before `finish`, in this order.

        Raises (each):
            ModelError, OptionError, FolderError, MissingExtraError: as `write_shards` and `write_search_files`.
        """
        made = self.generation
        how: dict[str, Any] = {"records": self.records, "key": {"generation": made.name}, "progress": self.progress}
        return {
            "embed": lambda: write_shards(made.shards, self.vectors, **how),
            "train": lambda: train(made.search, made.shards, **how),
            "write": lambda: write_search_files(made.search, made.shards, **how),
        }

    def prepare(self) -> None:
        """Make the folders, and remove what a killed run left half-written in them."""
        top = self.generation.folder
        for folder in (top, self.records, *(top / Path(pattern).parent for pattern in FILES)):
            folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(folder)

    def finished(self) -> VectorIndex | None:
        """The index, where an earlier call came to its end; every byte of it is read."""
        with contextlib.suppress(FolderError):
            index = VectorIndex.open(self.generation.folder)
            same = index.generation == self.generation and index.files.items() >= self.files.items()
            if same and all(is_unchanged(self.generation.folder / name, seal) for name, seal in index.files.items()):
                return index
        return None

    def finish(self) -> VectorIndex:
        """Let `index.json` name this generation, and remove the files of others."""
        made, folder = self.generation, self.generation.folder
        own = {os.path.relpath(file, folder) for file in made.files}
        files = dict(self.files)
        for record in sorted(self.records.glob("*.json")):
            files |= {name: seal for name, seal in seals_in(record, folder).items() if name in own}
        install(made, files)
        return VectorIndex(made, files)


def build_index_of(build: IndexBuild) -> VectorIndex:
    """Take all steps; the same call goes on where an earlier one was stopped, or finds it done.

    Raises:
        ElusiveError: as the steps.
    """
    build.prepare()
    index = build.finished()
    if index is None:
        for step in build.steps.values():
            step()
        index = build.finish()
    shutil.rmtree(build.records)
    return index


def records_of(folder: Path) -> Path:
    """Where the sealed records of an unfinished index are; a job's run keeps its own there too."""
    return folder / WORK / "parts"


def seals_in(record: Path, folder: Path) -> dict[str, Seal]:
    """The seals in a record, by the names of the files in `folder`."""
    return {os.path.relpath(file, folder): seal for file, seal in read_seals(record).items()}
