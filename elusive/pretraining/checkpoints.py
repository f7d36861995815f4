"""The checkpoints of a run: a folder of transformers' Trainer counts from the moment our sealed marker is in it.

The one before it is removed afterwards, so a kill at any moment leaves one that is whole, and costs the steps since.
"""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from elusive.data.sealed import read_sealed, write_sealed

_MARKER: Final = "whole.json"
_PICKLE: Final = "training_args.bin"


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in a folder.

    Attributes:
        folder: where Trainer writes them.
    """

    folder: Path

    def path(self, step: int) -> Path:
        """Where Trainer writes the one after `step` steps."""
        return self.folder / f"checkpoint-{step}"

    def latest(self) -> int:
        """Steps of the last whole checkpoint; 0 where there is none."""
        found = [0]
        for marker in self.folder.glob(f"checkpoint-*/{_MARKER}"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                found.append(int(read_sealed(marker)["step"]))
        return max(found)

    def seal(self, step: int) -> None:
        """Count what Trainer has just written, and let go of the others.

        Raises:
            FolderError: as `atomic_write`.
        """
        path = self.path(step)
        (path / _PICKLE).unlink(missing_ok=True)  # the run's options, which run.json has, and nothing reads there
        files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != _MARKER)
        write_sealed(path / _MARKER, {"step": step}, files=files)
        self.keep_only(step)

    def keep_only(self, step: int) -> None:
        """Remove all others, half-written ones too."""
        for other in self.folder.glob("checkpoint-*"):
            if other != self.path(step):
                shutil.rmtree(other)
