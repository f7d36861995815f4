"""`elusive pretrain --evaluate`: what the model in training knows, measured every so many steps.

    curve.jsonl                 exact match and F1 of each measurement, with intervals over people
    curve/answers-STEP.jsonl    the answers behind them, in the layout of `answers.jsonl` of `elusive evaluate`
    curve/select-STEP.jsonl     likewise of the questions that choose the best step, whose figures begin with `select_`

Questions, shots, batches and answers are those that `elusive evaluate` has by default, so the last measurement equals
an evaluation of the finished run. All processes share the work of a measurement. A measurement counts once its line is
in `curve.jsonl`; its answers are written before. The model keeps its modes, and is not moved or copied.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from elusive.attention.live import pretrained
from elusive.config import EvaluateConfig, PretrainConfig, build
from elusive.data.atomic import write_text
from elusive.data.rejected import Rejection
from elusive.evaluation.closed_book import ClosedBook, longest_first
from elusive.evaluation.result import Answer, answer_lines, marked, scores
from elusive.jobs.evaluate_answers import prompts_of, warn_of_cuts
from elusive.jobs.evaluate_questions import Exam, read_exam
from elusive.models import ModelSource, load_tokenizer
from elusive.pretraining.best_weights import BestWeights
from elusive.pretraining.choosing import Score, best_place, has_stalled
from elusive.pretraining.metrics_file import MetricsFile
from elusive.pretraining.result import CurveResult
from elusive.pretraining.settings import measuring_interval
from elusive.progress import Progress
from elusive.readers.opening import reader_of
from elusive.readers.reader import batches

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import nn

CURVE: Final = "curve.jsonl"
CURVE_FOLDER: Final = "curve"

_SEED: Final = EvaluateConfig.model_fields["seed"].default
"""Of intervals and shots: that of an evaluation by default, whatever the training's own is."""


def answers_file(step: int, *, chooses: bool = False) -> str:
    """Name of the file of a measurement's answers in `CURVE_FOLDER`."""
    return f"{'select' if chooses else 'answers'}-{step:06d}.jsonl"


def exam_options(config: PretrainConfig, place: str, *, limit: int | None) -> EvaluateConfig:
    """The options of `elusive evaluate` by which the model in training is asked.

    Args:
        config: of the training.
        place: where the questions are.
        limit: how many of them are asked.

    Raises:
        OptionError: they do not go together.
    """
    same = ("shots", "examples", "templates", "question_column", "answer_column")
    given = {name: getattr(config, name) for name in same}
    if config.max_new_tokens is not None:
        given["max_new_tokens"] = config.max_new_tokens
    return build(EvaluateConfig, {"questions": place, "limit": limit, **given})


@dataclass(frozen=True)
class Questions:
    """What the model in training is asked.

    Attributes:
        options: how.
        exam: the questions, and what shots are drawn from.
    """

    options: EvaluateConfig
    exam: Exam


@dataclass(frozen=True)
class Asked:
    """All that is asked in a measurement.

    Attributes:
        reported: whose figures the run is about.
        choosing: those that choose the best step; None where nothing is chosen.
    """

    reported: Questions
    choosing: Questions | None

    @property
    def n_questions(self) -> int:
        """Of both together."""
        return sum(len(one.exam.questions) for one in (self.reported, self.choosing) if one)


def read_questions(
    config: PretrainConfig, *, on_rejected: Callable[[Rejection], None], progress: Progress
) -> Asked | None:
    """The questions; None where nothing is measured.

    Raises:
        InputError, OptionError: as `read_exam`.
    """
    if config.evaluate is None:
        return None

    def read(place: str, limit: int | None) -> Questions:
        options = exam_options(config, place, limit=limit)
        return Questions(options, read_exam(options, on_rejected=on_rejected, progress=progress))

    choosing = read(config.select, None) if config.select else None
    return Asked(read(config.evaluate, config.evaluate_limit), choosing)


@dataclass(frozen=True, eq=False)
class LiveExam:
    """Questions with their prompts, put to a model that may be in training.

    Args:
        model: as it was loaded, before anything wraps it.
        source: where it came from.
        questions: what is asked.
        progress: where to report.

    Raises:
        InputError: a prompt does not fit, or there are too few examples for the shots.
    """

    model: "nn.Module"
    source: ModelSource
    questions: Questions
    progress: Progress
    closed: ClosedBook = field(init=False)
    prompts: Sequence[NDArray[np.int64]] = field(init=False)
    own_forward: Any = field(init=False)

    def __post_init__(self) -> None:
        exam, options = self.questions.exam, self.questions.options
        closed = ClosedBook(reader_of(self.model, load_tokenizer(self.source)), options.max_new_tokens)
        warn_of_cuts(closed, exam.questions, self.progress)
        found = prompts_of(closed, exam.questions, exam.shots, self.progress)
        for name, value in (("closed", closed), ("prompts", found), ("own_forward", _forward_of(self.model))):
            object.__setattr__(self, name, value)

    def answers(self, accelerator: "Accelerator") -> list[Answer]:
        """The answers of the model as it is now, in the order of the questions, in every process."""
        from accelerate.utils import gather_object

        every = list(batches(longest_first(self.prompts), size=self.questions.options.batch_size))
        own = every[accelerator.process_index :: accelerator.num_processes]
        with _unwrapped(self.model, self.own_forward):
            predicted = [pair for places in own for pair in zip(places, self._predicted(places), strict=True)]
        if accelerator.num_processes > 1:
            predicted = gather_object(predicted)
        by_place = dict(predicted)
        asked = self.questions.exam.questions
        return [marked(one, prediction=by_place[place], cuts=()) for place, one in enumerate(asked)]

    def longest_answers(self) -> int:
        """Answer a batch of the longest prompts, for a plan; how many they were."""
        places = longest_first(self.prompts)[: self.questions.options.batch_size]
        return len(self._predicted(places))

    def _predicted(self, places: Sequence[int]) -> list[str]:
        return self.closed.answers([self.prompts[place] for place in places])


@dataclass(frozen=True, eq=False)
class LiveExams:
    """Both sets of questions, put to a model that may be in training."""

    reported: LiveExam
    choosing: LiveExam | None


def live_exams(model: "nn.Module", source: ModelSource, asked: Asked, progress: Progress) -> LiveExams:
    """The exams of a model that was just loaded.

    Raises:
        InputError: as `LiveExam`.
    """
    choosing = LiveExam(model, source, asked.choosing, progress) if asked.choosing else None
    return LiveExams(LiveExam(model, source, asked.reported, progress), choosing)


@dataclass(eq=False, kw_only=True)
class Curve:
    """The measurements of a run.

    Attributes:
        exams: what is asked.
        folder: of the run.
        steps: after which the model is measured.
        patience: measurements without a new best after which the run ends; None never ends it.
        best: where the weights of the best step are kept; None keeps none.
        epochs_after: how often the data was gone through after a step.
        accelerator: the processes.
        progress: where to report.
        seconds: spent on measurements so far.
    """

    exams: LiveExams
    folder: Path
    steps: frozenset[int]
    patience: int | None
    best: BestWeights | None
    epochs_after: Callable[[int], float]
    accelerator: "Accelerator"
    progress: Progress
    seconds: float = 0.0
    _measured: dict[int, Score] = field(default_factory=dict)

    @property
    def file(self) -> MetricsFile:
        """`curve.jsonl`."""
        return MetricsFile(self.folder / CURVE)

    def go_on_from(self, step: int) -> None:
        """Count the measurements up to a step as taken. Reads only."""
        rows = [row for row in self.file.rows() if row["step"] <= step]
        self._measured = {int(row["step"]): self._score(row) for row in rows}

    def cut_after(self, step: int) -> None:
        """Remove the measurements after a step, and what an unfinished one left; for the first process alone."""
        self.file.cut_after(step)
        steps = [int(row["step"]) for row in self.file.rows()]
        kept = {answers_file(step, chooses=chooses) for step in steps for chooses in (False, True)}
        for file in (self.folder / CURVE_FOLDER).glob("*.jsonl"):
            if file.name not in kept:
                file.unlink()

    def is_due(self, step: int) -> bool:
        """See `elusive.pretraining.training.Measuring`."""
        return step not in self._measured and step in self.steps

    @property
    def has_stalled(self) -> bool:
        """See `elusive.pretraining.training.Measuring`."""
        return self.patience is not None and has_stalled(list(self._measured.values()), patience=self.patience)

    @property
    def best_step(self) -> int:
        """The best step by the questions that choose, else by those that are reported."""
        return list(self._measured)[best_place(list(self._measured.values()))]

    @property
    def last_step(self) -> int:
        """The last one that was measured: of a run that has ended, its last."""
        return max(self._measured)

    def measure(self, step: int) -> None:
        """See `elusive.pretraining.training.Measuring`."""
        start = time.perf_counter()
        reported = self.exams.reported.answers(self.accelerator)
        choosing = self.exams.choosing.answers(self.accelerator) if self.exams.choosing else None
        row = self._row(step, reported, choosing)
        self._measured[step] = self._score(row)
        if self.accelerator.is_main_process:
            self._keep(step, row, reported, choosing)
        self.seconds += time.perf_counter() - start

    def result(self) -> CurveResult:
        """What was measured, once training has ended."""
        rows = {int(row["step"]): row for row in self.file.rows()}
        choosing, best, last = self.exams.choosing, rows[self.best_step], rows[self.last_step]
        return CurveResult(
            measurements=len(rows),
            questions=len(self.exams.reported.questions.exam.questions),
            first=rows[0]["exact_match"],
            best=best["exact_match"],
            best_step=self.best_step,
            last=last["exact_match"],
            chosen_on=len(choosing.questions.exam.questions) if choosing else None,
            written_step=self.best_step if self.best else self.last_step,
            ended_early=self.last_step < max(self.steps),
        )

    def _row(self, step: int, reported: Sequence[Answer], choosing: Sequence[Answer] | None) -> dict[str, Any]:
        row: dict[str, Any] = {"step": step, "epoch": round(self.epochs_after(step), 4)}
        row |= _figures(reported)
        if choosing is not None:
            row |= {f"select_{name}": value for name, value in _figures(choosing).items()}
        return row

    def _score(self, row: Mapping[str, Any]) -> Score:
        prefix = "select_" if self.exams.choosing else ""
        return row[f"{prefix}exact_match"], row[f"{prefix}f1"]

    def _keep(
        self, step: int, row: Mapping[str, Any], reported: Sequence[Answer], choosing: Sequence[Answer] | None
    ) -> None:
        """Answers and weights first: the measurement counts with its line."""
        folder = self.folder / CURVE_FOLDER
        folder.mkdir(exist_ok=True)
        write_text(folder / answers_file(step), answer_lines(reported))
        if choosing is not None:
            write_text(folder / answers_file(step, chooses=True), answer_lines(choosing))
        if self.best and self.best_step == step:
            self.best.keep(self.exams.reported.model, step)
        self.file.add(row)
        self.progress.say(f"step {step:,}: exact match {row['exact_match']:.3f}, F1 {row['f1']:.3f}")


def measured_steps(config: PretrainConfig, n_steps: int) -> frozenset[int]:
    """After which steps the model is measured: before the first, every so many, and after the last."""
    return frozenset((*range(0, n_steps, config.every or measuring_interval(n_steps)), n_steps))


def curve_of(
    config: PretrainConfig,
    exams: LiveExams,
    *,
    n_steps: int,
    best: BestWeights,
    epochs_after: Callable[[int], float],
    accelerator: "Accelerator",
    progress: Progress,
) -> Curve:
    """The curve of a run under these options."""
    return Curve(
        exams=exams,
        folder=Path(config.out),
        steps=measured_steps(config, n_steps),
        patience=config.patience,
        best=best if config.keeps_best else None,
        epochs_after=epochs_after,
        accelerator=accelerator,
        progress=progress,
    )


def _figures(answers: Sequence[Answer]) -> dict[str, Any]:
    found = scores(answers, seed=_SEED)
    assert found is not None, "a model was asked"
    row: dict[str, Any] = {}
    for name, one in (("exact_match", found.exact_match), ("f1", found.f1)):
        row |= {name: one.mean, f"{name}_low": one.low, f"{name}_high": one.high}
    return row | {"n": len(answers), "groups": len({answer.group for answer in answers})}


def _forward_of(model: "nn.Module") -> Any:
    return vars(pretrained(model)).get("forward")


@contextlib.contextmanager
def _unwrapped(model: "nn.Module", own_forward: Any) -> Iterator[None]:
    """The model without the mixed precision that training puts around its forward pass: an evaluation has none."""
    attributes = vars(pretrained(model))
    in_training = attributes.get("forward")
    _put(attributes, own_forward)
    try:
        yield
    finally:
        _put(attributes, in_training)


def _put(attributes: dict[str, Any], forward: Any) -> None:
    if forward is None:
        attributes.pop("forward", None)
    else:
        attributes["forward"] = forward
