"""`pretrain --dry-run`: what a pretraining would take.

Reads the data, loads the model and works through one batch forward and backward, twice. Leaves nothing behind.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from elusive.config import PretrainConfig
from elusive.data.rejected import Rejection
from elusive.data.run_folder import check_free
from elusive.jobs.memory import MemoryGauge
from elusive.jobs.needs import check_needs, check_tracker
from elusive.jobs.pretrain import PRODUCTS
from elusive.jobs.pretrain_curve import Asked, live_exams, measured_steps, read_questions
from elusive.jobs.pretrain_data import read_all
from elusive.jobs.pretrain_models import in_bf16, learner_source, load_model, recorded_options, settings_of
from elusive.models import ModelSource
from elusive.pretraining.batches import NO_CACHE, Collator, Slots
from elusive.pretraining.documents import DocumentTokenizer
from elusive.pretraining.learner import own_tokenizer, row_len
from elusive.pretraining.loss import NextTokenLoss
from elusive.progress import Progress

if TYPE_CHECKING:
    from torch import nn

_OPTIMIZER_BYTES: Final = 8
"""Of AdamW, for each weight that is trained: two moments in float32."""


@dataclass(frozen=True, kw_only=True)
class PretrainPlan:
    """What a run would do: counts are exact, the rest is from one batch.

    Attributes:
        texts, rejected: of the data.
        rows, replayed: that would be shown, each showing counted.
        steps, epochs: of the training.
        tokens: that would be read, padding left out.
        parameters, all_parameters: weights that would be trained, and all.
        optimizer_bytes: of the optimizer.
        peak_bytes: largest memory that the model and the batch took.
        seconds: for all steps on this device, and for all measurements.
        measurements: that would be taken.
        measured_questions: of each of them, those that choose the best step included.
        warnings: what speaks against the training.
        options: all of them.
    """

    texts: int
    rejected: int
    rows: int
    replayed: int
    steps: int
    epochs: float
    tokens: int
    parameters: int
    all_parameters: int
    optimizer_bytes: int
    peak_bytes: int
    seconds: float
    measurements: int
    measured_questions: int
    warnings: tuple[str, ...]
    options: Mapping[str, Any]


def plan_pretrain(config: PretrainConfig, *, overwrite: bool = False, progress: Progress) -> PretrainPlan:
    """The plan of `pretrain` under these options.

    Raises:
        ElusiveError: whatever the run itself would refuse at its start.
    """
    check_needs(config)
    check_tracker(config.report_to)
    check_free(Path(config.out), recorded_options(config), products=PRODUCTS, overwrite=overwrite)
    source = learner_source(config)
    tokenizer = DocumentTokenizer(own_tokenizer(source), eos=config.eos)
    rejected: list[Rejection] = []
    max_len = row_len(source, config.max_length)
    data = read_all(config, tokenizer, max_len=max_len, on_rejected=rejected.append, progress=progress)
    asked = read_questions(config, on_rejected=rejected.append, progress=progress)
    gauge = MemoryGauge()
    model = load_model(config)
    slots = Slots(data.order, data.streams)
    per_pass = settings_of(config, steps=data.order.n_steps, world=1).rows_per_pass
    batch = Collator(pad=tokenizer.pad, packed=config.packing)([slots[slot] for slot in range(per_pass)])
    seconds = _seconds(model, batch, bf16=in_bf16(config))
    n_measurements = len(measured_steps(config, data.order.n_steps)) if asked else 0
    measuring = _seconds_of_measurement(model, source, asked, progress) if asked else 0.0
    n_trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    steps = data.order.n_steps
    return PretrainPlan(
        texts=data.n_texts,
        rejected=len(rejected),
        rows=data.n_shown,
        replayed=data.n_replayed,
        steps=steps,
        epochs=data.epochs_after(steps),
        tokens=sum(slots.n_tokens(step) for step in range(steps)),
        parameters=n_trained,
        all_parameters=sum(weight.numel() for weight in model.parameters()),
        optimizer_bytes=_OPTIMIZER_BYTES * n_trained,
        peak_bytes=gauge.peak_bytes,
        seconds=seconds * config.accumulation * steps + measuring * n_measurements,
        measurements=n_measurements,
        measured_questions=asked.n_questions if asked else 0,
        warnings=data.warnings,
        options=config.model_dump(mode="json"),
    )


def _seconds(model: "nn.Module", batch: Mapping[str, Any], *, bf16: bool) -> float:
    """Of a pass forward and backward; the first one pays for what later ones find ready."""
    device = next(model.parameters()).device
    inputs = {name: tensor.to(device) for name, tensor in batch.items()}
    labels = inputs.pop("labels")
    loss_of = NextTokenLoss(model)
    model.train()
    for _ in range(2):
        start = time.perf_counter()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16), loss_of.watching():
            loss = loss_of(model(**inputs, **NO_CACHE), labels)
        loss.backward()
        loss.item()  # waits for the device
        model.zero_grad()
    return time.perf_counter() - start


def _seconds_of_measurement(model: "nn.Module", source: ModelSource, asked: Asked, progress: Progress) -> float:
    """Of all questions once, from a batch of the longest prompts.

    Raises:
        InputError: a prompt does not fit, or there are too few examples for the shots.
    """
    exams = live_exams(model, source, asked, progress)
    exams.reported.longest_answers()  # the first pass pays for what later ones find ready
    start = time.perf_counter()
    n_answered = exams.reported.longest_answers()
    return (time.perf_counter() - start) * asked.n_questions / n_answered
