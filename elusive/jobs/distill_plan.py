"""`distill --dry-run`: what a distillation would take.

Reads the questions and all passages; embeds a sample of passages, and reads a batch of questions. Leaves nothing
behind.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from elusive.config import DistillConfig
from elusive.data.questions import Passage, Question
from elusive.data.rejected import Rejection
from elusive.data.run_folder import check_free
from elusive.distillation.refresh import refresh_policy
from elusive.errors import OptionError
from elusive.jobs.distill import recorded_options, settings_of
from elusive.jobs.distill_data import read_all
from elusive.jobs.distill_models import Models
from elusive.jobs.distill_past_gate import goes_on_past_gate
from elusive.jobs.distill_products import PRODUCTS
from elusive.jobs.encoding import known_vectors, passages_in
from elusive.jobs.memory import MemoryGauge
from elusive.jobs.needs import check_needs, check_tracker
from elusive.jobs.sampling import drawn
from elusive.progress import Advance, Progress
from elusive.retrieval.encoder import Encoder

_SAMPLE: Final = 64
_BACKWARD: Final = 3
"""Times a forward pass that a training step takes, about."""


@dataclass(frozen=True, kw_only=True)
class DistillPlan:
    """What a run would do: counts are exact, the rest is from a sample.

    Attributes:
        passages, train, dev, test, rejected: of the data.
        reader_steps, steps, refreshes: of the training, if nothing ends it early; refreshes that are measured do not
            count.
        reader_tokens: read by the reader, as a teacher and to be tuned.
        encoder_tokens: embedded, for the index and in steps.
        index_bytes: of the embeddings, in fp16.
        peak_bytes: largest memory that the models and the samples took; training adds gradients and optimisers.
        seconds: for all of it on this device.
        warnings: what speaks against the questions, or against training on them so often.
        options: all of them.
    """

    passages: int
    train: int
    dev: int
    test: int
    rejected: int
    reader_steps: int
    steps: int
    refreshes: int
    reader_tokens: int
    encoder_tokens: int
    index_bytes: int
    peak_bytes: int
    seconds: float
    warnings: tuple[str, ...]
    options: Mapping[str, Any]


def plan_distill(config: DistillConfig, *, overwrite: bool = False, progress: Progress) -> DistillPlan:
    """The plan of `distill` under these options.

    Raises:
        ElusiveError: whatever the run itself would refuse at its start.
    """
    check_needs(config)
    check_tracker(config.report_to)
    settings_of(config).share(1)
    models = Models(config, Path(config.out))
    options = recorded_options(config, models, progress=progress)
    if overwrite or not goes_on_past_gate(Path(config.out), options):
        check_free(Path(config.out), options, products=PRODUCTS, overwrite=overwrite)
    rejected: list[Rejection] = []
    questions = read_all(config, on_rejected=rejected.append)
    with progress.stage("read passages", total=None, unit="passages") as advance:
        sample, n_passages = _passages(config, rejected, advance)
    if config.k > n_passages:
        raise OptionError(f"k is {config.k} and there are {n_passages:,} passages; lower --k")
    gauge = MemoryGauge()
    encoder = models.encoder()
    passage_seconds, passage_tokens = _embedding(encoder, sample)
    question_seconds, question_tokens = _reading(models, questions.train, sample, k=config.k)
    policy = refresh_policy(config.refresh)
    refreshes = 0 if config.query_side_only else sum(policy.due(step) for step in range(1, config.steps)) + 1
    asked = config.steps * config.batch_size
    tuned = config.reader_steps * config.batch_size + (asked if config.mode == "off-the-shelf" else 0)
    # Each passage is read alone for a likelihood, or all but it: once, or nearly k times, what they are together.
    times = config.k - 1 if config.teacher == "loop" else 1
    judged = 2 * config.gate_samples if config.teacher == "attention" and config.mode == "fine-tuned" else 0
    read = times * asked + judged + 2 * len(questions.dev)
    times_embedded = 1 if config.query_side_only else 2 + refreshes  # at last the best once more
    is_known = known_vectors(str(config.passages), encoder, progress=progress) is not None
    embedded = n_passages * (times_embedded - is_known)
    in_steps = asked * config.k * (_BACKWARD + bool(config.trust))
    return DistillPlan(
        passages=n_passages,
        train=len(questions.train),
        dev=len(questions.dev),
        test=len(questions.test),
        rejected=len(rejected),
        reader_steps=config.reader_steps,
        steps=config.steps,
        refreshes=refreshes,
        reader_tokens=round((read + tuned) * question_tokens),
        encoder_tokens=round((embedded + asked * config.k) * passage_tokens),
        index_bytes=2 * encoder.width * n_passages,
        peak_bytes=gauge.peak_bytes,
        seconds=(embedded + in_steps) * passage_seconds + (read + _BACKWARD * tuned) * question_seconds,
        warnings=questions.warnings,
        options=config.model_dump(mode="json"),
    )


def _passages(config: DistillConfig, rejected: list[Rejection], advance: Advance) -> tuple[list[Passage], int]:
    """A sample of the passages, and how many there are."""
    n = 0
    sample: list[Passage] = []
    passages = str(config.passages)
    for passage in passages_in(passages, text_column=config.text_column, on_rejected=rejected.append):
        n += 1
        advance(1)
        if len(sample) < _SAMPLE:
            sample.append(passage)
    return sample, n


def _embedding(encoder: Encoder, sample: list[Passage]) -> tuple[float, float]:
    """Seconds and tokens of a passage."""
    texts = [encoder.passage_text(passage) for passage in sample]
    encoder.encode(texts[:1], side="passage")  # the first pass pays for what later ones find ready
    start = time.perf_counter()
    encoder.encode(texts, side="passage")
    seconds = time.perf_counter() - start
    n_tokens = sum(len(ids) for ids in encoder.tower("passage").tokenize(texts, max_len=2**20))
    return seconds / len(texts), n_tokens / len(texts)


def _reading(models: Models, train: tuple[Question, ...], sample: list[Passage], *, k: int) -> tuple[float, float]:
    """Seconds and tokens of a question with k passages; nothing for a teacher without a reader."""
    reader = models.reader()
    if reader is None:
        return 0.0, 0.0
    batch = [
        replace(question, passages=tuple((sample * k)[:k]))
        for question in drawn(train, models.config.reader_batch, seed=0)
    ]
    reader.scores(batch[:1])
    start = time.perf_counter()
    found = reader.scores(batch)
    seconds = time.perf_counter() - start
    return seconds / len(batch), sum(len(one.tokens) for one in found) / len(found)
