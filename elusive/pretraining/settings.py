"""How the steps of a training are taken. Knows neither data nor model, and loads nothing."""

from dataclasses import dataclass
from typing import Final

from elusive.choices import Schedule
from elusive.errors import OptionError

LOG_EVERY: Final = 10
"""Steps from one line of metrics to the next."""


def checkpoint_interval(steps: int) -> int:
    """Steps from one checkpoint to the next: a twentieth of all, 200 at most, where a line of metrics is made too."""
    return max(1, min(steps // 20, 200) // LOG_EVERY) * LOG_EVERY


def measuring_interval(steps: int) -> int:
    """Steps from one measurement to the next: a twelfth of all, where a line of metrics is written too."""
    return max(1, steps // 12 // LOG_EVERY) * LOG_EVERY


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Of the optimizer and its steps.

    Attributes:
        steps: optimizer steps.
        rows_per_pass: of a forward pass in one process.
        accumulation: forward passes of a step in one process.
        lr: the highest rate.
        warmup: share of the steps in which it is reached.
        schedule: how it falls afterwards.
        clip: largest norm of the gradient.
        weight_decay: of AdamW.
        bf16: mixed precision.
        gradient_checkpointing: compute activations anew rather than keep them.
        save_every: steps from one checkpoint to the next.
        seed: of dropout, where the model has any.
        on_cpu: whether no GPU is to be used.
    """

    steps: int
    rows_per_pass: int
    accumulation: int
    lr: float
    warmup: float
    schedule: Schedule
    clip: float
    weight_decay: float
    bf16: bool
    gradient_checkpointing: bool
    save_every: int
    seed: int
    on_cpu: bool


def rows_per_pass(batch_size: int, *, accumulation: int, world: int) -> int:
    """Rows of a forward pass, where a step of all processes has `batch_size`.

    Raises:
        OptionError: they cannot be shared out evenly.
    """
    if batch_size % (accumulation * world):
        parts = f"{world} processes × --accumulation {accumulation}" if world > 1 else f"--accumulation {accumulation}"
        raise OptionError(f"--batch-size {batch_size} cannot be shared evenly by {parts}; expected a multiple")
    return batch_size // (accumulation * world)
