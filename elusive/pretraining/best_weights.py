"""The weights of a run's best step so far: those that are trained, in one file, which counts once a sealed marker does.

Costs the size of the trained weights on disk, twice while one replaces the other.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from elusive.data.sealed import read_sealed, write_sealed
from elusive.errors import FolderError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class BestWeights:
    """Weights in a folder of the unfinished run.

    Attributes:
        folder: where they are.
    """

    folder: Path

    def keep(self, model: "nn.Module", step: int) -> None:
        """Write the weights of a step, then remove those of all others.

        Raises:
            FolderError: as `atomic_write`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        weights = {name: weight.detach().cpu().contiguous() for name, weight in _trained(model)}
        save_file(weights, self._file(step))
        write_sealed(self._marker(step), {"step": step}, files=[self._file(step)])
        for other in self.folder.glob("*"):
            if other not in (self._file(step), self._marker(step)):
                other.unlink()

    def put_into(self, model: "nn.Module", step: int) -> None:
        """Set the model's weights to those of a step.

        Raises:
            FolderError: they are gone, or not what was written.
        """
        try:
            read_sealed(self._marker(step))
        except (OSError, ValueError) as error:
            raise FolderError(
                f"the weights of step {step:,}, the best one, cannot be read ({error}); --overwrite starts anew"
            ) from error
        weights = load_file(self._file(step))
        with torch.no_grad():
            for name, weight in _trained(model):
                weight.copy_(weights[name])

    def _file(self, step: int) -> Path:
        return self.folder / f"weights-{step}.safetensors"

    def _marker(self, step: int) -> Path:
        return self.folder / f"weights-{step}.json"


def _trained(model: "nn.Module") -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
