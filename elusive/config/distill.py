"""Options of `elusive distill`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, Self

from pydantic import model_validator

from elusive.choices import IndexKind, Teacher, TrainingMode
from elusive.config.encoding import EncodingConfig
from elusive.config.fields import GATE, MODELS, OUTPUT, QUESTIONS, TRAINING, Place, option

MINIATURE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "passages": "sample:miniature-passages",
        "train": "sample:miniature-train",
        "dev": "sample:miniature-dev",
        "test": "sample:miniature-test",
        "reader": "tiny:reader",
        "reference": "tiny:reader-untuned",
        "retriever": "tiny:encoder",
        "steps": 200,
        "lr": 3e-4,
        "warmup": 10,
        "temperature": 0.1,
        "trust": 0.1,
        "refresh": "10",
    }
)
"""What runs where no passages are named: the whole job, in minutes on a CPU."""


class DistillConfig(EncodingConfig):
    """Everything that `elusive distill` can be told; descriptions are its help."""

    passages: Place | None = option(
        None,
        QUESTIONS,
        "All passages to retrieve from: a file, a folder, or a dataset. Without it, the miniature runs.",
    )
    train: Place | None = option(None, QUESTIONS, "Questions with answers to train on, likewise.")
    dev: Place | None = option(None, QUESTIONS, "Questions with answers to choose the best retriever by.")
    test: Place | None = option(None, QUESTIONS, "Questions with answers that only the end is measured on.")
    question_column: str | None = option(None, QUESTIONS, "Column of the question, where the layout is not known.")
    answer_column: str | None = option(None, QUESTIONS, "Column of the answers, likewise.")
    text_column: str | None = option(None, QUESTIONS, "Column of the passages' text; `text` unless told.")
    train_split: str = option("train", QUESTIONS, "Split of --train, where that has splits.")
    dev_split: str = option("train", QUESTIONS, "Split of --dev, likewise.")
    test_split: str = option("train", QUESTIONS, "Split of --test, likewise.")
    limit: int | None = option(None, QUESTIONS, "Only the first N questions of each file: a preview.", ge=1)

    reader: Place | None = option(None, MODELS, "The reader: a folder, GGUF file or Hub name.", metavar="MODEL")
    adapter: Place | None = option(None, MODELS, "A peft adapter on it.")
    reference: Place | None = option(
        None,
        MODELS,
        "The reader before tuning, for the gate; the reader itself where it is tuned here.",
        metavar="MODEL",
    )
    retriever: Place | None = option(
        None,
        MODELS,
        "The retriever: an encoder of transformers or sentence-transformers; of DPR two, as QUESTIONS,PASSAGES.",
        metavar="MODEL",
    )

    mode: TrainingMode = option("fine-tuned", TRAINING, "Reader first, retriever from it; or both together.")
    teacher: Teacher = option("attention", TRAINING, "What the retriever learns from.")
    k: int = option(10, TRAINING, "Passages of a question.", ge=2)
    steps: int = option(1000, TRAINING, "Steps of the retriever.", ge=1)
    batch_size: int = option(16, TRAINING, "Questions of a step, of all processes together.", ge=1)
    accumulation: int = option(1, TRAINING, "Parts in which a step's questions are worked through.", ge=1)
    lr: float = option(2e-6, TRAINING, "Highest learning rate of the retriever.", gt=0)
    warmup: int = option(50, TRAINING, "Steps of linear warm-up, for either model.", ge=0)
    clip: float = option(1.0, TRAINING, "Largest norm of a model's gradient.", gt=0)
    temperature: float = option(1.0, TRAINING, "Of the retriever's distribution.", gt=0)
    teacher_temperature: float = option(1.0, TRAINING, "Of likelihoods and given scores.", gt=0)
    reduction: Literal["true", "atlas", "fid"] = option("true", TRAINING, "True KL; the others divide by k besides.")
    trust: float = option(0.03, TRAINING, "Weight of the trust region; 0 is the paper's plain recipe.", ge=0)
    query_side_only: bool = option(False, TRAINING, "Leave the passages' side, and so the index, as it is.")
    refresh: str = option(
        "100", TRAINING, "Embed passages anew every N steps, by 0-1000:500,1000-9000:2000, overlap:0.8, or never."
    )
    rerank: int = option(
        0, TRAINING, "Passages that are scored afresh before the best k are taken; 0 trusts the index.", ge=0
    )
    patience: int = option(0, TRAINING, "End after so many refreshes without a better HR@5 on dev; 0 never.", ge=0)
    reader_steps: int = option(0, TRAINING, "Steps that tune the reader first; 0 takes it as it is.", ge=0)
    reader_lr: float = option(1e-5, TRAINING, "Highest learning rate of the reader.", gt=0)
    lora: int = option(0, TRAINING, "Tune the reader by LoRA of this rank; 0 tunes all of it.", ge=0)
    bf16: bool = option(False, TRAINING, "Train in mixed precision.")
    shuffle: bool = option(True, TRAINING, "Show each question's passages to the reader in an order drawn for it.")
    seed: int = option(0, TRAINING, "Of all draws.", ge=0)

    gate_samples: int = option(
        300, GATE, "Dev questions that the reader is judged on before the retriever learns.", ge=2
    )
    gate_every: int = option(
        0, GATE, "And again after every N steps at which the index is refreshed; poor ends the run. 0 never.", ge=0
    )
    ignore_gate: bool = option(False, GATE, "Go on whatever the indicators and the alarms say.")

    batch_tokens: int | None = option(
        None, MODELS, "Padded tokens per forward pass of the encoder without gradient; by the device unless told.", ge=1
    )
    reader_batch: int = option(8, MODELS, "Questions per forward pass of the reader.", ge=1)
    index: Literal["auto", IndexKind] = option("auto", MODELS, "Kind of the index.")

    out: Place = option("distilled", OUTPUT, "Output folder.")
    export: bool = option(
        False, OUTPUT, "Write what the reader teaches for sentence-transformers and FlagEmbedding, and a TREC run."
    )
    report_to: str | None = option(None, OUTPUT, "Trackers of accelerate: tensorboard, trackio or wandb.")

    @model_validator(mode="before")
    @classmethod
    def _whole_job(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("passages") is None:
            if own := [name for name in ("train", "dev", "test") if given.get(name) is not None]:
                raise ValueError(f"--{own[0]} needs --passages beside it; without either, the miniature runs")
            return {**MINIATURE, **{name: value for name, value in given.items() if value is not None}}
        return given

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        missing = [name for name in ("train", "dev", "retriever") if getattr(self, name) is None]
        if self.teacher != "given" and self.reader is None:
            missing.append("reader")
        if missing:
            raise ValueError(f"--passages needs {', '.join(f'--{name}' for name in missing)} beside it")
        if self.mode == "off-the-shelf" and self.teacher == "given":
            raise ValueError("--teacher given has no reader to train beside; take --mode fine-tuned")
        is_gated = self.mode == "fine-tuned" and self.teacher == "attention" and not self.ignore_gate
        if is_gated and not (self.reference or self.reader_steps):
            raise ValueError(
                "the gate has nothing to compare the reader with; name the checkpoint before its tuning by "
                "--reference, tune it here by --reader-steps, or go on unguarded by --ignore-gate"
            )
        if self.export and self.teacher in ("emdr2", "given"):
            raise ValueError(
                f"--export writes what a reader teaches, and --teacher {self.teacher} gives no distribution of its own"
            )
        if self.lora and not (self.reader_steps or self.mode == "off-the-shelf"):
            raise ValueError("--lora tunes the reader, which --reader-steps or --mode off-the-shelf must ask for")
        if self.mode == "off-the-shelf" and self.reader_steps:
            raise ValueError("--reader-steps tunes the reader first; with --mode off-the-shelf it is tuned beside")
        if self.lora and self.adapter:
            raise ValueError(
                "--lora makes an adapter, and --adapter names one, which is itself tuned; give one of them"
            )
        if self.train == self.dev or (self.test is not None and self.test in (self.train, self.dev)):
            raise ValueError("--train, --dev and --test must be different questions")
        return self


DISTILL_NEUTRAL_OPTIONS = frozenset({"out", "report_to"})
"""Options of `DistillConfig` under which another value gives the same files."""
