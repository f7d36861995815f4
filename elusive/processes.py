"""The processes of one training run, as accelerate has them; gradients are averaged by hand, models stay as they are.

A wrong launch, in which every process would do all the work, is refused.
"""

import os
import warnings
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from elusive.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from accelerate import Accelerator


_PATIENCE: Final = timedelta(days=7)
"""Of the processes that wait while one embeds the passages."""

_RENDEZVOUS: Final = {"RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}
"""What a launcher tells its processes to find each other by."""


def open_processes(
    *, device: str, bf16: bool = False, trackers: str | None = None, folder: Path | None = None
) -> "Accelerator":
    """The accelerator of this process.

    Args:
        device: `cpu`, or whatever accelerate finds.
        bf16: train in mixed precision.
        trackers: where figures go besides: tensorboard, trackio or wandb.
        folder: of those that write files.

    Raises:
        MissingExtraError: accelerate is not installed.
        OptionError: a tracker that is not installed or not known; another precision than before in this process; or
            the launcher started several processes, and accelerate sees one.
    """
    try:
        from accelerate import Accelerator
        from accelerate.utils import InitProcessGroupKwargs
    except ImportError as error:
        raise MissingExtraError("accelerate", extra="train", purpose="training") from error

    if not os.environ.keys() >= _RENDEZVOUS:  # accelerate would ask for them one by one
        _check_joined(1)
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of a tracker: it is an error below
            accelerator = Accelerator(
                cpu=device == "cpu",
                mixed_precision="bf16" if bf16 else "no",
                kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)],
                log_with=trackers,
                project_dir=folder,
            )
    except ValueError as error:
        raise OptionError(f"accelerate refuses these options: {' '.join(str(error).split())}") from error
    if trackers and not accelerator.log_with:
        raise OptionError(f"--report-to {trackers} is not installed; install it, or leave it out")
    _check_joined(accelerator.num_processes)
    return accelerator


def _check_joined(n_joined: int) -> None:
    launched = os.environ.get("WORLD_SIZE", "1")
    if launched != str(n_joined):
        raise OptionError(
            f"{launched} processes were launched, but accelerate joins {n_joined}: each would do all the work; launch "
            "with `torchrun --nproc_per_node N`, on CPUs with --device cpu"
        )


def is_first_process() -> bool:
    """Whether this process speaks for all: of those that a launcher started together, one does."""
    return os.environ.get("RANK", "0") == "0"


def average_gradients(accelerator: "Accelerator", parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give every process the mean of all gradients."""
    if accelerator.num_processes == 1:
        return
    for parameter in parameters:
        if parameter.requires_grad:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parameter.grad = accelerator.reduce(gradient, reduction="mean")
