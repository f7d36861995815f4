"""The training itself, by transformers' Trainer: our order of rows, our loss, our bar, and checkpoints that are sealed.

Trainer sees one long epoch of all slots. It brings the optimizer, the schedule, mixed precision, processes and the
state that a resumed run needs; the epochs of the data are the order's business. Every step divides by the tokens that
are learnt in all its parts and processes, so neither accumulation nor processes change what a step is.
"""

import contextlib
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import torch
from accelerate import PartialState
from torch import nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from elusive.errors import DivergedError
from elusive.pretraining.batches import NO_CACHE, Collator, Slots
from elusive.pretraining.checkpoints import Checkpoints
from elusive.pretraining.loss import NextTokenLoss
from elusive.pretraining.settings import LOG_EVERY, TrainingSettings
from elusive.types import Tensor

OnStep = Callable[[int], None]
"""Told how many steps were taken."""

OnFigures = Callable[[int, Mapping[str, float]], None]
"""Told of a step, and of the mean loss since it was last told, the rate and the gradient's norm."""


class Measuring(Protocol):
    """Measurements of the model in training; every process takes part in each."""

    def is_due(self, step: int) -> bool:
        """Whether the model is to be measured after so many steps; no longer once it was."""
        ...

    def measure(self, step: int) -> None:
        """Measure the model and keep what was found; leaves the model and all random draws as they were."""
        ...

    @property
    def has_stalled(self) -> bool:
        """Whether training is to end, whatever steps are left."""
        ...


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is trained on what.

    Attributes:
        model: its trainable weights in float32.
        settings: of the steps.
        slots: the rows of all steps.
        collator: of rows to batches.
        checkpoints: where they are kept.
        on_figures: called every so many steps, and before each checkpoint, in every process.
        measuring: of the model; each measurement follows a checkpoint of the same step, so that a kill costs it alone.
    """

    model: nn.Module
    settings: TrainingSettings
    slots: Slots
    collator: Collator
    checkpoints: Checkpoints
    on_figures: OnFigures
    measuring: Measuring | None = None

    def run(self, step: int, on_step: OnStep) -> None:
        """Train to the end, or until the measurements stall.

        Args:
            step: of the checkpoint to go on from; 0 begins.
            on_step: called after each step, before its figures are told, in every process.

        Raises:
            DivergedError: the loss or a gradient is no number.
        """
        with _draws_kept():
            trainer = _Trainer(
                self.on_figures,
                model=self.model,
                args=_arguments(self.settings, self.checkpoints),
                train_dataset=self.slots,
                data_collator=self.collator,
                compute_loss_func=NextTokenLoss(self.model),
                callbacks=[_Steps(self.checkpoints, on_step, self.measuring)],
            )
            trainer.remove_callback(PrinterCallback)
            with contextlib.suppress(_StalledError):
                trainer.train(resume_from_checkpoint=str(self.checkpoints.path(step)) if step else None)


@contextlib.contextmanager
def _draws_kept() -> Iterator[None]:
    """Trainer seeds every generator of the process; afterwards they are as they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        yield
    random.setstate(of_python)
    np.random.set_state(of_numpy)


def _arguments(settings: TrainingSettings, checkpoints: Checkpoints) -> TrainingArguments:
    known = {field.name for field in fields(TrainingArguments)}
    recompute = "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    arguments = TrainingArguments(
        output_dir=str(checkpoints.folder),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.rows_per_pass,
        gradient_accumulation_steps=settings.accumulation,
        learning_rate=settings.lr,
        lr_scheduler_type="constant_with_warmup" if settings.schedule == "constant" else settings.schedule,
        warmup_steps=math.ceil(settings.steps * settings.warmup),
        max_grad_norm=settings.clip,
        weight_decay=settings.weight_decay,
        bf16=settings.bf16,
        use_cpu=settings.on_cpu,
        seed=settings.seed,
        logging_steps=LOG_EVERY,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_steps=settings.save_every,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available() and not settings.on_cpu,
        accelerator_config={"use_configured_state": True},  # the processes were opened, and checked, before
        **{recompute: settings.gradient_checkpointing, f"{recompute}_kwargs": {"use_reentrant": False}},
    )
    # One process trains on one GPU; Trainer would spread each batch over all that it sees.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


class _Trainer(Trainer):
    """Takes the slots in their order, and looks at every loss before a checkpoint or a line of metrics is made."""

    def __init__(self, on_figures: OnFigures, **options: Any) -> None:
        super().__init__(**options)
        self._on_figures = on_figures
        self._losses: list[tuple[int, Tensor]] = []

    def get_train_dataloader(self) -> Any:
        """The slots as they stand."""
        size = self.args.per_device_train_batch_size
        loader = DataLoader(
            self.train_dataset,
            batch_size=size,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.accelerator.prepare(loader)

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """A pass forward and backward, its loss kept to be looked at: to look now would wait for the GPU."""
        loss: Tensor = super().training_step(*args, **kwargs)
        self._losses.append((self.state.global_step + 1, loss))
        return loss

    def compute_loss(self, model: nn.Module, inputs: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As Trainer, without a cache, and with the head run on labelled positions only."""
        with self.compute_loss_func.watching(), self.accelerator.autocast():
            return super().compute_loss(model, {**inputs, **NO_CACHE}, *args, **kwargs)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:  # noqa: ARG002
        """Tell the figures.

        Raises:
            DivergedError: one of them is no number.
        """
        if "loss" not in logs:  # Trainer's own account of the whole run
            return
        step, losses = self.state.global_step, self._losses
        self._losses = []
        for name, value in (("loss", logs["loss"]), ("norm of the gradient", logs["grad_norm"])):
            if not math.isfinite(value):
                first = next((at for at, loss in losses if not loss.isfinite()), step)
                raise DivergedError(f"the {name} is {value} at step {first:,}; lower --lr, or raise --warmup")
        rate, norm = logs["learning_rate"], logs["grad_norm"]
        self._on_figures(step, {"loss": logs["loss"], "lr": rate, "grad_norm": norm})

    def floating_point_ops(self, inputs: Mapping[str, Any]) -> int:  # noqa: ARG002
        """Of nobody's interest here, and a walk over all weights at each step."""
        return 0


class _StalledError(Exception):
    """Ends a run that had stalled at the checkpoint from which it goes on; never leaves this module."""


class _Steps(TrainerCallback):
    """Tells of each step, seals what Trainer writes, and has the model measured."""

    def __init__(self, checkpoints: Checkpoints, on_step: OnStep, measuring: Measuring | None) -> None:
        self._checkpoints, self._on_step, self._measuring = checkpoints, on_step, measuring

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._measure(state.global_step, control)
        if self._measuring and self._measuring.has_stalled:
            raise _StalledError  # what control says is heeded after the next step only

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._on_step(state.global_step)
        if self._measuring and self._measuring.is_due(state.global_step):
            control.should_save = True
        if control.should_save:  # what a checkpoint holds is looked at first
            control.should_log = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        processes = PartialState()
        processes.wait_for_everyone()  # each writes the state of its own draws
        if processes.is_main_process:
            self._checkpoints.seal(state.global_step)
        processes.wait_for_everyone()
        self._measure(state.global_step, control)

    def _measure(self, step: int, control: Any) -> None:
        if self._measuring and self._measuring.is_due(step):
            with _draws_kept():
                self._measuring.measure(step)
            control.should_training_stop |= self._measuring.has_stalled
