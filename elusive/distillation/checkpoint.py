"""What a training run needs to go on where it was: models, optimisers, and how far it had come.

A checkpoint is a folder that counts from the moment its sealed `state.json` is there; the one before it is removed
afterwards. So a kill at any moment leaves one that is whole, and costs the steps since.
"""

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from elusive.data.sealed import read_sealed, write_sealed

_STATE: Final = "state.json"


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a run.

    Attributes:
        folder: where they are.
    """

    folder: Path

    def path(self, step: int) -> Path:
        """The folder of the checkpoint after `step` steps."""
        return self.folder / f"step-{step:07d}"

    def best(self, step: int) -> Path:
        """The folder of the best model, which was seen after `step` steps."""
        return self.folder / f"best-{step:07d}"

    def best_beside(self, step: int) -> Path:
        """The folder of what was trained beside the best model."""
        return self.folder / f"best-{step:07d}-beside"

    def latest(self) -> dict[str, Any] | None:
        """The state of the last whole checkpoint, as it was given to `save`; None where there is none."""
        for folder in sorted(self.folder.glob("step-*"), reverse=True):
            with contextlib.suppress(OSError, ValueError):
                return read_sealed(folder / _STATE)
        return None

    def save(
        self, step: int, state: Mapping[str, Any], write: Callable[[Path], None], *, keep: Sequence[Path] = ()
    ) -> None:
        """Keep a checkpoint, and let go of the others.

        Args:
            step: after which it is.
            state: what tells how far the run has come, as JSON has it.
            write: writes models and optimisers into the folder it is given.
            keep: what else in the folder the state speaks of.

        Raises:
            FolderError: as `atomic_write`.
        """
        path = self.path(step)
        shutil.rmtree(path, ignore_errors=True)  # half of one, from before a kill
        path.mkdir(parents=True)
        write(path)
        write_sealed(path / _STATE, state)
        for other in self.folder.iterdir():
            if other not in (path, *keep):
                shutil.rmtree(other)
