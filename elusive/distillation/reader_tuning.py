"""Step 1 of the mode `fine-tuned`: a reader learns to answer from the passages of a frozen retriever (METHOD 2.4).

Whole or by an adapter, whichever of its weights want a gradient. What is drawn at random in a step is a function of
seed, step and process, so a run that was killed ends with the same weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from elusive.data.questions import Question
from elusive.distillation.checkpoint import Checkpoints
from elusive.distillation.data_order import batch_at
from elusive.distillation.learner import Learner
from elusive.distillation.loop import READER
from elusive.distillation.settings import TrainingSettings
from elusive.errors import DivergedError
from elusive.progress import Progress
from elusive.readers.opening import save_reader
from elusive.readers.reader import Reader, batches

if TYPE_CHECKING:
    from accelerate import Accelerator

_CHECKPOINTS: Final = 20
"""Of a run."""


@dataclass(eq=False, kw_only=True)
class ReaderTuning:
    """A tuning run; `run` goes on from the last checkpoint.

    Attributes:
        settings: batch, accumulation and seed are those of the retriever's training.
        reader: as the checkpoint has it, or the initial one.
        questions: with the passages that the frozen retriever finds.
        learner: of the reader.
        checkpoints: where the run is kept.
        accelerator: the processes.
        progress: where to report.
    """

    settings: TrainingSettings
    reader: Reader
    questions: Sequence[Question]
    learner: Learner
    checkpoints: Checkpoints
    accelerator: "Accelerator"
    progress: Progress

    def run(self, start: int) -> None:
        """Train from step `start` to the end.

        Raises:
            DivergedError: the loss or a gradient is no number; the last checkpoint stays.
            InputError: a question that the reader cannot read.
        """
        steps = self.learner.steps
        every = max(1, steps // _CHECKPOINTS)
        with self.progress.stage("tune the reader", total=steps, unit="steps") as advance:
            advance(start)
            for step in range(start, steps):
                self._step(step)
                advance(1)
                if (step + 1) % every == 0 or step + 1 == steps:
                    self._keep(step + 1)
        self.reader.model.eval()

    def _step(self, step: int) -> None:
        settings, accelerator = self.settings, self.accelerator
        rank, world = accelerator.process_index, accelerator.num_processes
        mine = batch_at(
            step, n=len(self.questions), size=settings.batch_size, seed=settings.seed, rank=rank, world=world
        )
        torch.manual_seed((settings.seed * self.learner.steps + step) * world + rank)
        self.reader.model.train()
        losses = []
        for part in batches(mine, size=settings.share(world)):
            with accelerator.autocast():
                loss = self.reader.training_loss([self.questions[i] for i in part]) / settings.accumulation
            loss.backward()
            losses.append(loss.detach())
        mean = float(accelerator.reduce(torch.stack(losses).sum(), reduction="mean"))
        if not math.isfinite(mean):
            raise DivergedError(f"the reader's loss is {mean} at step {step + 1}; lower --reader-lr")
        self.learner.gather(step, accelerator)
        self.learner.step(step)

    def _keep(self, step: int) -> None:
        if self.accelerator.is_main_process:
            self.checkpoints.save(step, {"step": step}, self._write)
        self.accelerator.wait_for_everyone()

    def _write(self, folder: Path) -> None:
        save_reader(self.reader, folder / READER)
        self.learner.save(folder)
