"""How a retriever is trained from a reader; the numbers of METHOD 2.4 and of the paper."""

from dataclasses import dataclass

from elusive.choices import Teacher, TrainingMode
from elusive.distillation.losses import TRUST
from elusive.distillation.refresh import refresh_policy
from elusive.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Of the loop that trains the retriever, and in the mode `off-the-shelf` the reader beside it.

    Attributes:
        mode: `fine-tuned` trains from a frozen reader; `off-the-shelf` trains both together.
        teacher: what of the reader the retriever learns from.
        k: passages of a question.
        steps: of the optimiser.
        batch_size: questions of a step, of all processes together.
        accumulation: parts that a step's batch is worked through in.
        lr: highest learning rate of the retriever.
        reader_lr: likewise of the reader, where it is trained beside.
        warmup: steps of linear warm-up; the rate falls linearly to 0 after it.
        clip: largest norm of each model's gradient.
        temperature: θ of the retriever's distribution.
        teacher_temperature: of likelihoods and given scores; attention has none.
        trust: λ of the trust region; 0 is the paper's plain recipe.
        refresh: when the index is embedded anew (`elusive.distillation.refresh`); dev questions are then searched, the
            alarms looked at, and a checkpoint kept.
        rerank: candidates scored afresh before the best k are taken; 0 takes the index's word.
        patience: refreshes without a better HR@5 before the run ends; 0 waits for ever.
        gate_every: steps between two looks at the reader, at refreshes; 0 looks before the first step alone.
        ignore_gate: go on whatever the alarms say.
        seed: of the order of the questions.

    Raises:
        OptionError: `refresh` is no policy.
    """

    mode: TrainingMode = "fine-tuned"
    teacher: Teacher = "attention"
    k: int = 10
    steps: int = 1000
    batch_size: int = 16
    accumulation: int = 1
    lr: float = 2e-6
    reader_lr: float = 1e-5
    warmup: int = 50
    clip: float = 1.0
    temperature: float = 1.0
    teacher_temperature: float = 1.0
    trust: float = TRUST
    refresh: str = "100"
    rerank: int = 0
    patience: int = 0
    gate_every: int = 0
    ignore_gate: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        refresh_policy(self.refresh)

    def share(self, world: int) -> int:
        """Questions of one process in one part of a step.

        Raises:
            OptionError: the batch cannot be shared out evenly.
        """
        parts = world * self.accumulation
        if self.batch_size % parts:
            raise OptionError(
                f"batch_size {self.batch_size} cannot be shared out among {world} processes in {self.accumulation} "
                f"parts; expected a multiple of {parts}"
            )
        return self.batch_size // parts
