"""`evaluate --dry-run`: what would be asked, and at what cost.

Reads the questions, loads the model and answers a batch of the longest prompts; leaves nothing behind. What a retriever
or other texts would cost is not said.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elusive.config import EvaluateConfig
from elusive.data.rejected import Rejection
from elusive.data.run_folder import check_free
from elusive.evaluation.closed_book import ClosedBook, prompt_of
from elusive.jobs.evaluate import PRODUCTS, reader_options, recorded_options
from elusive.jobs.evaluate_forgetting import check_other_texts, check_window
from elusive.jobs.evaluate_model import EvaluatedModel, evaluated_model
from elusive.jobs.evaluate_questions import Exam, read_exam
from elusive.jobs.memory import MemoryGauge
from elusive.jobs.needs import check_needs
from elusive.progress import Progress


@dataclass(frozen=True, kw_only=True)
class ClosedBookPlan:
    """What asking without passages would take.

    Attributes:
        prompt: of the first question.
        tokens: of all prompts.
        longest_prompt: tokens.
        seconds: from a batch of the longest; the loading included.
        peak_bytes: largest memory that the model and the batch took.
    """

    prompt: str
    tokens: int
    longest_prompt: int
    seconds: float
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class EvaluatePlan:
    """What a run would do.

    Attributes:
        questions: that can be asked.
        groups: people, or questions where nobody is known.
        fields: questions on each.
        rejected: rows set aside.
        closed_book: None where the questions are asked with passages, or no model is.
        options: all of them.
    """

    questions: int
    groups: int
    fields: Mapping[str, int]
    rejected: int
    closed_book: ClosedBookPlan | None
    options: Mapping[str, Any]


def plan_evaluate(config: EvaluateConfig, *, overwrite: bool = False, progress: Progress) -> EvaluatePlan:
    """The plan of `evaluate` under these options.

    Raises:
        ElusiveError: whatever the run itself would refuse at its start.
    """
    check_needs(config)
    check_other_texts(config)
    model = evaluated_model(config)
    check_free(Path(config.out), recorded_options(config, model), products=PRODUCTS, overwrite=overwrite)
    rejected: list[Rejection] = []
    exam = read_exam(config, on_rejected=rejected.append, progress=progress)
    return EvaluatePlan(
        questions=len(exam.questions),
        groups=exam.n_groups,
        fields=dict(Counter(one.field for one in exam.questions if one.field is not None)),
        rejected=len(rejected),
        closed_book=_closed_book(config, model, exam) if model and not config.retriever else None,
        options=config.model_dump(mode="json"),
    )


def _closed_book(config: EvaluateConfig, model: EvaluatedModel, exam: Exam) -> ClosedBookPlan:
    gauge = MemoryGauge()
    start = time.perf_counter()
    reader = model.load(reader_options(config))
    if config.forgetting:
        check_window(config, reader)
    closed = ClosedBook(reader, config.max_new_tokens)
    prompts = [closed.tokens(one.question, exam.shots.of(one)) for one in exam.questions]
    closed.answers(prompts[:1])  # the first pass pays for what later ones find ready
    loaded = time.perf_counter()
    batch = _longest(prompts, config.batch_size)
    closed.answers(batch)
    share = len(prompts) / len(batch)
    first = exam.questions[0]
    return ClosedBookPlan(
        prompt=prompt_of(first.question.question, exam.shots.of(first)).text,
        tokens=sum(map(len, prompts)),
        longest_prompt=len(batch[0]),
        seconds=loaded - start + (time.perf_counter() - loaded) * share,
        peak_bytes=gauge.peak_bytes,
    )


def _longest(prompts: Sequence[NDArray[np.int64]], n: int) -> list[NDArray[np.int64]]:
    return sorted(prompts, key=len, reverse=True)[:n]
