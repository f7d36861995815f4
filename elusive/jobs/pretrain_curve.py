"""`elusive pretrain --evaluate`: what the model in training knows, measured every so many steps.

    curve.jsonl                 exact match and F1 of each measurement, with intervals over people
    curve/answers-STEP.jsonl    the answers behind them, in the layout of `answers.jsonl` of `elusive evaluate`

Questions, shots, batches and answers are those that `elusive evaluate` has by default, so the last measurement equals
an evaluation of the finished run. All processes share the work of a measurement. A measurement counts once its line is
in `curve.jsonl`; its answers are written before. The model keeps its modes, and is not moved or copied.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
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
from elusive.pretraining.metrics_file import MetricsFile
from elusive.pretraining.result import CurveResult
from elusive.pretraining.settings import measuring_interval
from elusive.progress import Progress
from elusive.readers.opening import reader_of
from elusive.readers.reader import batches
from elusive.statistics import Estimate

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import nn

CURVE: Final = "curve.jsonl"
CURVE_FOLDER: Final = "curve"


def answers_file(step: int) -> str:
    """Name of the file of a measurement's answers in `CURVE_FOLDER`."""
    return f"answers-{step:06d}.jsonl"


def exam_options(config: PretrainConfig) -> EvaluateConfig:
    """The options of `elusive evaluate` by which the model in training is asked.

    Raises:
        OptionError: they do not go together.
    """
    same = ("shots", "examples", "templates", "question_column", "answer_column")
    given = {name: getattr(config, name) for name in same}
    if config.max_new_tokens is not None:
        given["max_new_tokens"] = config.max_new_tokens
    return build(EvaluateConfig, {"questions": config.evaluate, "limit": config.evaluate_limit, **given})


@dataclass(frozen=True)
class Questions:
    """What the model in training is asked.

    Attributes:
        options: how.
        exam: the questions, and what shots are drawn from.
    """

    options: EvaluateConfig
    exam: Exam


def read_questions(
    config: PretrainConfig, *, on_rejected: Callable[[Rejection], None], progress: Progress
) -> Questions | None:
    """The questions; None where nothing is measured.

    Raises:
        InputError, OptionError: as `read_exam`.
    """
    if config.evaluate is None:
        return None
    options = exam_options(config)
    return Questions(options, read_exam(options, on_rejected=on_rejected, progress=progress))


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

    def _predicted(self, places: Sequence[int]) -> list[str]:
        return self.closed.answers([self.prompts[place] for place in places])


@dataclass(eq=False, kw_only=True)
class Curve:
    """The measurements of a run.

    Attributes:
        exam: what is asked.
        folder: of the run.
        every: steps from one measurement to the next.
        n_steps: of the whole run.
        epochs_after: how often the data was gone through after a step.
        accelerator: the processes.
        progress: where to report.
        seconds: spent on measurements so far.
    """

    exam: LiveExam
    folder: Path
    every: int
    n_steps: int
    epochs_after: Callable[[int], float]
    accelerator: "Accelerator"
    progress: Progress
    seconds: float = 0.0
    _measured: set[int] = field(default_factory=set)

    @property
    def file(self) -> MetricsFile:
        """`curve.jsonl`."""
        return MetricsFile(self.folder / CURVE)

    def go_on_from(self, step: int) -> None:
        """Count the measurements up to a step as done. Reads only."""
        self._measured = {int(row["step"]) for row in self.file.rows() if row["step"] <= step}

    def cut_after(self, step: int) -> None:
        """Remove the measurements after a step, and what an unfinished one left; for the first process alone."""
        self.file.cut_after(step)
        kept = {answers_file(int(row["step"])) for row in self.file.rows()}
        for file in (self.folder / CURVE_FOLDER).glob("answers-*.jsonl"):
            if file.name not in kept:
                file.unlink()

    def is_due(self, step: int) -> bool:
        """See `elusive.pretraining.training.Measuring`."""
        return step not in self._measured and (step % self.every == 0 or step == self.n_steps)

    def measure(self, step: int) -> None:
        """See `elusive.pretraining.training.Measuring`."""
        start = time.perf_counter()
        answers = self.exam.answers(self.accelerator)
        if self.accelerator.is_main_process:
            self._keep(step, answers)
        self._measured.add(step)
        self.seconds += time.perf_counter() - start

    def result(self) -> CurveResult:
        """What was measured, once training has ended."""
        rows = self.file.rows()
        best = max(rows, key=lambda row: row["exact_match"])  # of equal ones the first
        return CurveResult(
            measurements=len(rows),
            questions=len(self.exam.questions.exam.questions),
            first=rows[0]["exact_match"],
            best=best["exact_match"],
            best_step=int(best["step"]),
            last=rows[-1]["exact_match"],
        )

    def _keep(self, step: int, answers: Sequence[Answer]) -> None:
        file = self.folder / CURVE_FOLDER / answers_file(step)
        file.parent.mkdir(exist_ok=True)
        write_text(file, answer_lines(answers))
        found = scores(answers, seed=self.exam.questions.options.seed)
        assert found is not None, "a model was asked"
        row: dict[str, Any] = {"step": step, "epoch": round(self.epochs_after(step), 4)}
        row |= {**_figures("exact_match", found.exact_match), **_figures("f1", found.f1)}
        self.file.add({**row, "n": len(answers), "groups": self.exam.questions.exam.n_groups})
        self.progress.say(f"step {step:,}: exact match {found.exact_match.mean:.3f}, F1 {found.f1.mean:.3f}")


def curve_of(
    config: PretrainConfig,
    exam: LiveExam,
    *,
    n_steps: int,
    epochs_after: Callable[[int], float],
    accelerator: "Accelerator",
    progress: Progress,
) -> Curve:
    """The curve of a run under these options."""
    return Curve(
        exam=exam,
        folder=Path(config.out),
        every=config.every or measuring_interval(n_steps),
        n_steps=n_steps,
        epochs_after=epochs_after,
        accelerator=accelerator,
        progress=progress,
    )


def _figures(name: str, found: Estimate) -> dict[str, float | None]:
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}


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
