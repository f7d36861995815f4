"""Reads what language models attend to, and turns it into better training data and better decisions.

The public names, loaded when they are first used: `import elusive` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "AugmentResult": "elusive.jobs.augment",
    "ClueDropout": "elusive.clues.transform",
    "CompareArmsResult": "elusive.jobs.compare_arms",
    "CompareModelsResult": "elusive.jobs.comparison",
    "DistillResult": "elusive.distillation.result",
    "ElusiveError": "elusive.errors",
    "EvaluateResult": "elusive.jobs.evaluate",
    "IndexResult": "elusive.jobs.index",
    "PretrainResult": "elusive.pretraining.result",
    "ScoreReaderResult": "elusive.jobs.score_reader",
    "augment": "elusive.jobs.augment",
    "build_index": "elusive.jobs.index",
    "compare_arms": "elusive.jobs.compare_arms",
    "compare_models": "elusive.jobs.compare_models",
    "contrast": "elusive.clues.contrast",
    "distill": "elusive.jobs.distill",
    "drop_probability": "elusive.clues.dropout",
    "evaluate": "elusive.jobs.evaluate",
    "indicator": "elusive.indicators.indicator",
    "pretrain": "elusive.jobs.pretrain",
    "push": "elusive.hub.pushing",
    "reader_scores": "elusive.readers.opening",
    "received_attention": "elusive.attention.received",
    "score_reader": "elusive.jobs.score_reader",
}

__all__ = [
    "AugmentResult",
    "ClueDropout",
    "CompareArmsResult",
    "CompareModelsResult",
    "DistillResult",
    "ElusiveError",
    "EvaluateResult",
    "IndexResult",
    "PretrainResult",
    "ScoreReaderResult",
    "augment",
    "build_index",
    "compare_arms",
    "compare_models",
    "contrast",
    "distill",
    "drop_probability",
    "evaluate",
    "indicator",
    "pretrain",
    "push",
    "reader_scores",
    "received_attention",
    "score_reader",
]

if TYPE_CHECKING:
    from elusive.attention.received import received_attention
    from elusive.clues.contrast import contrast
    from elusive.clues.dropout import drop_probability
    from elusive.clues.transform import ClueDropout
    from elusive.distillation.result import DistillResult
    from elusive.errors import ElusiveError
    from elusive.hub.pushing import push
    from elusive.indicators.indicator import indicator
    from elusive.jobs.augment import AugmentResult, augment
    from elusive.jobs.compare_arms import CompareArmsResult, compare_arms
    from elusive.jobs.compare_models import compare_models
    from elusive.jobs.comparison import CompareModelsResult
    from elusive.jobs.distill import distill
    from elusive.jobs.evaluate import EvaluateResult, evaluate
    from elusive.jobs.index import IndexResult, build_index
    from elusive.jobs.pretrain import pretrain
    from elusive.jobs.score_reader import ScoreReaderResult, score_reader
    from elusive.pretraining.result import PretrainResult
    from elusive.readers.opening import reader_scores


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'elusive' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
