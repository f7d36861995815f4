"""Chunks of a job's work, kept in its folder as they are done: a kill costs the chunk in flight."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elusive.data.sealed import read_sealed, write_sealed


@dataclass(frozen=True)
class KeptChunks:
    """Chunks of one kind.

    Attributes:
        folder: of the records of an unfinished run.
        kind: what the files are called after.
    """

    folder: Path
    kind: str

    def get_or_make(self, number: int, make: Callable[[], Any], *, of: Sequence[str]) -> Any:
        """A chunk, as JSON has it: the one that is kept, else one that is made and kept.

        Args:
            number: of the chunk.
            make: what makes it, where it is missing or damaged, or was made of other things.
            of: ids of what it is made of.

        Raises:
            FolderError: it cannot be written.
        """
        file = self.folder / f"{self.kind}-{number:05d}.json"
        with contextlib.suppress(FileNotFoundError, ValueError):
            kept = read_sealed(file)
            if kept["of"] == list(of):
                return kept["chunk"]
        made = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        write_sealed(file, {"of": list(of), "chunk": made})
        return made
