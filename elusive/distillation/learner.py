"""A model that is being trained: its weights, their optimiser and its rate, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from elusive.distillation.tensors import load_optimizer, save_optimizer
from elusive.errors import DivergedError
from elusive.processes import average_gradients

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(eq=False)
class Learner:
    """AdamW without weight decay, a linear warm-up, and a linear fall to 0 at the last step.

    Attributes:
        name: of the model, for files and figures.
        parameters: what is trained.
        lr: the highest rate.
        warmup, steps: of the schedule.
        clip: largest norm of the gradient.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    lr: float
    warmup: int
    steps: int
    clip: float
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(self.parameters, lr=self.lr, weight_decay=0.0)

    def gather(self, number: int, accelerator: "Accelerator") -> None:
        """Make the gradients of all processes, clipped, ready for step `number`, from 0.

        Raises:
            DivergedError: a gradient is no number; nothing was changed.
        """
        average_gradients(accelerator, self.parameters)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        if not norm.isfinite():
            raise DivergedError(
                f"the gradient of the {self.name} is {float(norm)} at step {number + 1}; lower its rate"
            )

    def step(self, number: int) -> None:
        """Take step `number`, from 0, with the gradients that were gathered."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * self.rate(number)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def rate(self, number: int) -> float:
        """Share of the highest rate at a step, from 0."""
        if number < self.warmup:
            return (number + 1) / self.warmup
        return max(0.0, (self.steps - number) / max(1, self.steps - self.warmup))

    def save(self, folder: Path) -> None:
        """Write the optimiser's state."""
        save_optimizer(folder / f"{self.name}-optimizer.safetensors", self.optimizer)

    def load(self, folder: Path) -> None:
        """Read it back.

        Raises:
            FolderError: as `load_optimizer`.
        """
        load_optimizer(folder / f"{self.name}-optimizer.safetensors", self.optimizer)
