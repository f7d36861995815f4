"""Options of `elusive pretrain`."""

from collections.abc import Sequence
from typing import Self

from pydantic import field_validator, model_validator

from elusive.choices import DropBy, Keep, Schedule
from elusive.config.fields import CORPUS, DROPOUT, MODELS, OUTPUT, QUESTIONS, TRAINING, Patterns, Place, option
from elusive.config.texts import TextsConfig

_OF_EVALUATE = (
    "select",
    "keep",
    "patience",
    "every",
    "shots",
    "examples",
    "templates",
    "question_column",
    "answer_column",
    "max_new_tokens",
    "evaluate_limit",
)
_NOT_FRESH = ("text_column", "id_column", "paragraphs", "strip_tags")


class PretrainConfig(TextsConfig):
    """Everything that `elusive pretrain` can be told; descriptions are its help."""

    data: Place = option(
        "sample:biographies", CORPUS, "A finished folder of elusive augment, a file, a folder, or a dataset."
    )
    replay: Patterns = option(
        (),
        CORPUS,
        "Against forgetting: rows of other data as a share of all rows, as general.jsonl:0.3; may be given again.",
        metavar="DATA:SHARE",
    )

    fresh: bool = option(False, DROPOUT, "Draw copies afresh each epoch from the clues that lie with the data.")
    originals_every: int | None = option(
        None, DROPOUT, "With --fresh: epochs from one showing of the originals to the next; 11 unless told.", ge=1
    )
    drop_by: DropBy = option("delete", DROPOUT, "With --fresh: take tokens out, or let them stand, seen by none.")

    model: Place = option(
        "tiny:large", MODELS, "The model that is to learn: a folder, GGUF file or Hub name.", metavar="MODEL"
    )
    revision: str | None = option(None, MODELS, "Its branch, tag or commit.")
    lora: int = option(16, TRAINING, "Rank of the LoRA adapter; 0 trains all weights.", ge=0)
    lora_alpha: int = option(16, TRAINING, "Its scale, times its rank.", ge=1)
    lora_dropout: float = option(0.0, TRAINING, "Its dropout.", ge=0, lt=1)
    lora_targets: str = option("all-linear", TRAINING, "Layers it sits on, by name, as q_proj,v_proj.")
    epochs: int = option(20, TRAINING, "How often the data is gone through; replayed rows do not count.", ge=1)
    steps: int | None = option(None, TRAINING, "Optimizer steps, instead of epochs.", ge=1)
    batch_size: int = option(8, TRAINING, "Rows of a step, of all processes together.", ge=1)
    accumulation: int = option(1, TRAINING, "Parts in which a step's rows are worked through.", ge=1)
    lr: float = option(5e-4, TRAINING, "Highest learning rate.", gt=0)
    warmup: float = option(0.1, TRAINING, "Share of the steps in which it is reached.", ge=0, le=1)
    schedule: Schedule = option("linear", TRAINING, "How it falls afterwards.")
    clip: float = option(1.0, TRAINING, "Largest norm of the gradient.", gt=0)
    weight_decay: float = option(0.0, TRAINING, "Of AdamW.", ge=0)
    dropout: float | None = option(
        None,
        TRAINING,
        "The model's own dropout, wherever its family has one: attention, embeddings, residuals, layers. Default: the "
        "model's.",
        gt=0,
        lt=1,
    )
    replace_tokens: float | None = option(
        None,
        TRAINING,
        "Replace each token of the data by a random one with this probability, afresh each epoch; the true token is "
        "learnt. Default: none.",
        gt=0,
        lt=1,
    )
    max_length: int | None = option(
        None,
        TRAINING,
        "Tokens of a row; a longer text becomes several. The model's context unless told, at most 1,024.",
        ge=2,
    )
    packing: bool = option(False, TRAINING, "Fill rows with several texts, which do not see one another.")
    eos: bool = option(True, TRAINING, "End each text with EOS.")
    bf16: bool | None = option(None, TRAINING, "Train in mixed precision; on GPUs that can, unless told.")
    gradient_checkpointing: bool = option(False, TRAINING, "Compute activations anew: slower, in less memory.")
    seed: int = option(0, TRAINING, "Of all draws.", ge=0)

    evaluate: Place | None = option(
        None,
        QUESTIONS,
        "Measure what the model knows while it learns: closed-book questions, as elusive evaluate --questions takes "
        "them.",
        metavar="DATA",
    )
    every: int | None = option(
        None,
        QUESTIONS,
        "Optimizer steps from one measurement to the next; the first is before training, the last at its end. "
        "Default: a twelfth of all steps.",
        ge=1,
    )
    shots: int | None = option(None, QUESTIONS, "Answered questions before each. Default: 5.", ge=0)
    examples: Place | None = option(
        None, QUESTIONS, "Where these come from. Default: other people of --evaluate.", metavar="DATA"
    )
    templates: Place | None = option(
        None, QUESTIONS, "YAML file of a question with {name} for each fact or tag, as for elusive evaluate."
    )
    question_column: str | None = option(None, QUESTIONS, "Column of the question, where the layout is not known.")
    answer_column: str | None = option(None, QUESTIONS, "Column of the answers, likewise.")
    max_new_tokens: int | None = option(
        None, QUESTIONS, "Tokens of an answer, which ends with its line. Default: 10.", ge=1
    )
    evaluate_limit: int | None = option(None, QUESTIONS, "Measure on the first N questions only.", ge=1)

    select: Place | None = option(
        None,
        QUESTIONS,
        "Other questions, on which the best step is chosen, and by which --patience ends the run.",
        metavar="DATA",
    )
    keep: Keep | None = option(
        None, QUESTIONS, "Weights to write: of the best step by --select, or of the last. Default: best with --select."
    )
    patience: int | None = option(
        None, QUESTIONS, "End the run after so many measurements in a row without a new best by --select.", ge=1
    )

    out: Place = option("pretrained", OUTPUT, "Output folder.")
    merge: bool = option(False, OUTPUT, "Write the model with the adapter merged into it, too.")
    save_every: int | None = option(
        None, OUTPUT, "Steps from one checkpoint to the next; a twentieth of all unless told, 10 to 200.", ge=1
    )
    report_to: str | None = option(None, OUTPUT, "Trackers of accelerate: tensorboard, trackio or wandb.")

    @property
    def keeps_best(self) -> bool:
        """Whether the best step's weights are written."""
        return self.select is not None and self.keep != "last"

    @property
    def replayed(self) -> tuple[tuple[str, float], ...]:
        """What is replayed, and its share in all rows."""
        return tuple(_source_and_share(written) for written in self.replay)

    @field_validator("replay")
    @classmethod
    def _shares_leave_room(cls, replay: Sequence[str]) -> Sequence[str]:
        if sum(_source_and_share(written)[1] for written in replay) >= 1:
            raise ValueError("the shares leave no room for the data itself; expected less than 1 together")
        return replay

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.fresh:
            for name in _NOT_FRESH:
                if getattr(self, name):
                    raise ValueError(
                        f"--{name.replace('_', '-')} is for reading texts, and --fresh takes those of the augment "
                        "folder as they are; leave one out"
                    )
        elif self.originals_every or self.drop_by != "delete":
            name = "--originals-every" if self.originals_every else f"--drop-by {self.drop_by}"
            raise ValueError(f"{name} is for dropout drawn while training; add --fresh")
        if self.packing and self.drop_by == "attention":
            raise ValueError("--packing and --drop-by attention both say who sees whom; give one of them")
        if not self.lora and (self.quantize or self.merge):
            why = "quantised weights cannot be trained" if self.quantize else "without an adapter nothing is merged"
            name = "--quantize" if self.quantize else "--merge"
            raise ValueError(f"--lora 0 trains all weights, and {why}; leave {name} out, or give --lora a rank")
        if self.merge and self.quantize:
            raise ValueError(
                "--merge would round the adapter into quantised weights; leave it out, and merge into the whole base "
                "by peft's merge_and_unload"
            )
        return self

    @model_validator(mode="after")
    def _measures_something(self) -> Self:
        needless = next((name for name in _OF_EVALUATE if getattr(self, name) is not None), None)
        if needless and not self.evaluate:
            raise ValueError(
                f"--{needless.replace('_', '-')} is for measuring while training; add --evaluate with questions"
            )
        chooses = "--keep best" if self.keep == "best" else "--patience" if self.patience else None
        if chooses and not self.select:
            raise ValueError(
                f"{chooses} chooses by other questions than those reported, which would flatter; name them by --select"
            )
        return self


def _source_and_share(written: str) -> tuple[str, float]:
    source, colon, share = written.rpartition(":")
    try:
        value = float(share)
    except ValueError:
        value = 0.0
    if not (colon and source and 0 < value < 1):
        raise ValueError(f"{written!r} is no DATA:SHARE with a share between 0 and 1, as general.jsonl:0.3")
    return source, value


PRETRAIN_NEUTRAL_OPTIONS = frozenset({"out", "report_to", "save_every"})
"""Options of `PretrainConfig` under which another value gives the same weights."""
