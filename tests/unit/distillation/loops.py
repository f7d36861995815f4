"""A training run of sixty passages of the miniature, its encoder, and teachers whose distributions are planted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from elusive.data.questions import Passage, Question
from elusive.distillation.checkpoint import Checkpoints
from elusive.distillation.learner import Learner
from elusive.distillation.loop import Outcome, RetrieverLoop
from elusive.distillation.retriever import Retriever
from elusive.distillation.settings import TrainingSettings
from elusive.distillation.teachers import Lesson
from elusive.metrics import has_answer
from elusive.models import ModelSource
from elusive.processes import open_processes
from elusive.progress import Bars
from elusive.retrieval.encoder import Encoder, load_encoder
from elusive.retrieval.encoder_options import EncoderOptions
from elusive.retrieval.index import PassageIndex
from elusive.types import Tensor
from tests.distill_fixtures import passage_rows, question_rows

QUIET = Bars(quiet=True)


def passages() -> list[Passage]:
    """All that is said of six towns."""
    return [Passage(row["id"], row["title"], row["text"]) for row in passage_rows()]


def questions() -> list[Question]:
    """What is asked about them."""
    return [
        Question(row["id"], row["question"], tuple(row["answers"]), target=row["target"]) for row in question_rows()
    ]


def encoder(towers: str = "as-saved") -> Encoder:
    source = ModelSource(name="tiny:encoder", device="cpu")
    return load_encoder(source, options=EncoderOptions(towers=towers))


Plan = Callable[[Question], Sequence[float]]


def oracle(question: Question) -> list[float]:
    """All on the first passage with an answer; where there is none, as much on each."""
    hits = [has_answer(passage.text, question.answers) for passage in question.passages]
    n = len(hits)
    return [float(i == hits.index(True)) for i in range(n)] if any(hits) else [1 / n] * n


def uniform(question: Question) -> list[float]:
    """As much on each passage."""
    return [1 / len(question.passages)] * len(question.passages)


@dataclass(frozen=True, kw_only=True)
class Planted(Lesson):
    """A lesson whose distribution is a function of the question."""

    plan: Plan

    def distribution(self, questions: Sequence[Question], mask: Any) -> Tensor:
        given = [torch.tensor(self.plan(question)) for question in questions]
        return torch.nn.utils.rnn.pad_sequence(given, batch_first=True)


@dataclass
class Run:
    """A loop in a folder.

    Attributes:
        folder: of index and checkpoints.
        plan: what the teacher says.
        towers: of the encoder.
        options: of `TrainingSettings`, over short ones.
    """

    folder: Path
    plan: Plan = oracle
    towers: str = "as-saved"
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        short = {"k": 8, "steps": 4, "batch_size": 6, "lr": 3e-4, "warmup": 1, "refresh": "2", "trust": 0.0}
        self.settings = TrainingSettings(**{**short, "temperature": 0.1, "seed": 1, **self.options})
        self.encoder, self.initial = encoder(self.towers), encoder(self.towers)
        index = PassageIndex.build(self.folder / "index", passages(), encoder=self.encoder, progress=QUIET)
        asked = questions()
        settings = self.settings
        learner = Learner(
            "retriever",
            self.encoder.trainable_parameters(),
            settings.lr,
            settings.warmup,
            settings.steps,
            settings.clip,
        )
        self.loop = RetrieverLoop(
            settings=settings,
            retriever=Retriever(self.encoder, index, settings.rerank),
            initial=self.initial,
            lesson=Planted(teacher="attention", reader=None, temperature=settings.temperature, plan=self.plan),
            train=asked,
            dev=asked,
            learners=[learner],
            checkpoints=Checkpoints(self.folder / "checkpoints"),
            accelerator=open_processes(device="cpu"),
            progress=QUIET,
        )

    def to_the_end(self) -> Outcome:
        return self.loop.run(None)

    def weights(self) -> dict[str, Tensor]:
        """Of the encoder, as they are now."""
        return {name: value.detach().clone() for name, value in self.encoder.state_dict().items()}
