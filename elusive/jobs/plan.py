"""`--dry-run`: what a run would do and cost.

Reads the whole corpus, scores a few windows of it, and leaves nothing behind.
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elusive.clues.guides import Quantity, Role
from elusive.config import AugmentConfig
from elusive.data.run_folder import check_free
from elusive.data.staging import Staged
from elusive.data.texts import Text
from elusive.hub.access import check_access
from elusive.jobs.augment import PRODUCTS
from elusive.jobs.inputs import read_and_stage, sides_of
from elusive.jobs.measuring import Meter, MeteredScorer, beginning
from elusive.jobs.record import recorded_options
from elusive.progress import Progress
from elusive.tokenization import TokenizedText

_SAMPLE_TEXTS = 16
_SAMPLE_PASSES = 4
_WINDOWS_OF_A_TEXT = 4


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """What scoring with one model would take.

    Attributes:
        role, name: of the model.
        quantity: what it is read for: `attention` or `predictions`.
        texts_to_score: texts that the score store does not hold.
        passes: forward passes, from the sample's tokens.
        seconds: from the sample's speed; the loading of the model included.
        weight_bytes: of its weights as loaded.
        peak_bytes: largest memory that the model and the scoring of the sample took (`ScoringCost.peak_bytes`).
    """

    role: str
    name: str
    quantity: Quantity
    texts_to_score: int
    passes: int
    seconds: float
    weight_bytes: int
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class AugmentPlan:
    """What a run would do: counts are exact but for `tokens`, which a sample gives."""

    texts: int
    tokens: int
    rejected: int
    rows: int
    models: tuple[ModelPlan, ...]
    options: Mapping[str, Any]


def plan_augment(config: AugmentConfig, *, overwrite: bool = False, progress: Progress) -> AugmentPlan:
    """The plan of `augment` under these options.

    Raises:
        ElusiveError: whatever the run itself would refuse at its start.
    """
    if config.push_to_hub:
        check_access(config.push_to_hub, private=config.private, progress=progress)
    sides = sides_of(config, progress=progress)
    options = recorded_options(config, sides.scorers)
    check_free(Path(config.out), options, products=PRODUCTS, overwrite=overwrite)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        staged = read_and_stage(config, folder / "corpus", rejected=folder / "rejected.jsonl", progress=progress)
        sample = staged.read_chunk(0)[:_SAMPLE_TEXTS]
        target = sides.scorers[sides.target]
        tokens_per_char = sum(len(t) for t in target.tokenize(sample)) / sum(len(t.text) for t in sample)
        models = tuple(
            _model_plan(role, quantity, MeteredScorer.of(sides.scorers[role], Meter()), staged)
            for role, quantity in sides.in_order
        )
    return AugmentPlan(
        texts=staged.n_texts,
        tokens=round(staged.n_chars * tokens_per_char),
        rejected=sum(staged.rejected.values()),
        rows=staged.n_texts * (config.copies + config.originals),
        models=models,
        options=config.model_dump(mode="json"),
    )


def _model_plan(role: Role, quantity: Quantity, scorer: MeteredScorer, staged: Staged) -> ModelPlan:
    todo = n_chars = 0
    sample: list[Text] = []
    for index in range(staged.n_chunks):
        texts = {t.text: t for t in staged.read_chunk(index)}
        missing = scorer.missing(quantity, list(texts))
        todo += len(missing)
        n_chars += sum(map(len, missing))
        sample += [texts[text] for text in missing[: _SAMPLE_TEXTS - len(sample)]]
    name = scorer.source.name
    if not todo:
        return ModelPlan(
            role=role, name=name, quantity=quantity, texts_to_score=0, passes=0, seconds=0, weight_bytes=0, peak_bytes=0
        )
    tokens = scorer.tokenize(sample)
    with scorer.meter:
        _score_a_few_windows(scorer, quantity, tokens)
    cost = scorer.cost
    assert cost is not None, "something was scored"
    # Its own tokens: the small model may have another tokenizer.
    n_tokens = n_chars * sum(len(t) for t in tokens) / sum(len(t.text) for t in sample)
    return ModelPlan(
        role=role,
        name=name,
        quantity=quantity,
        texts_to_score=todo,
        passes=math.ceil(n_tokens / scorer.options.batch_tokens),
        seconds=cost.loading_seconds + n_tokens * cost.seconds_per_token,
        weight_bytes=cost.weight_bytes,
        peak_bytes=cost.peak_bytes,
    )


def _score_a_few_windows(scorer: MeteredScorer, quantity: Quantity, texts: Sequence[TokenizedText]) -> None:
    """Score the beginnings of texts: the other windows of a book take as long as its first few."""
    window = scorer.options.window
    left = _SAMPLE_PASSES * max(window, scorer.options.batch_tokens)
    sample = []
    for text in texts:
        sample.append(beginning(text, min(left, _WINDOWS_OF_A_TEXT * window)))
        left -= len(sample[-1])
    with scorer.loaded(quantity) as model:
        scorer.settle_prefix(model, keep=False)
        if quantity == "predictions":
            scorer.predict(model, sample)
            return
        with scorer.probe(model) as probe:
            scorer.score(probe, sample)
