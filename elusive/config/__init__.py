"""Options of the jobs, checked at the door; the command line is made from them.

Inside, jobs take plain, typed values; nothing further down knows of YAML.
"""

from elusive.config.augment import NEUTRAL_OPTIONS, AugmentConfig
from elusive.config.compare_arms import ARMS_NEUTRAL_OPTIONS, CompareArmsConfig
from elusive.config.compare_models import CompareModelsConfig
from elusive.config.distill import DISTILL_NEUTRAL_OPTIONS, DistillConfig
from elusive.config.evaluate import EVALUATE_NEUTRAL_OPTIONS, EvaluateConfig
from elusive.config.index import INDEX_NEUTRAL_OPTIONS, IndexConfig
from elusive.config.loaded import LoadedModelsConfig
from elusive.config.loading import build, load
from elusive.config.pretrain import PRETRAIN_NEUTRAL_OPTIONS, PretrainConfig
from elusive.config.score_reader import READER_NEUTRAL_OPTIONS, ScoreReaderConfig
from elusive.config.scored import ScoredCorpusConfig

__all__ = [
    "ARMS_NEUTRAL_OPTIONS",
    "DISTILL_NEUTRAL_OPTIONS",
    "EVALUATE_NEUTRAL_OPTIONS",
    "INDEX_NEUTRAL_OPTIONS",
    "NEUTRAL_OPTIONS",
    "PRETRAIN_NEUTRAL_OPTIONS",
    "READER_NEUTRAL_OPTIONS",
    "AugmentConfig",
    "CompareArmsConfig",
    "CompareModelsConfig",
    "DistillConfig",
    "EvaluateConfig",
    "IndexConfig",
    "LoadedModelsConfig",
    "PretrainConfig",
    "ScoreReaderConfig",
    "ScoredCorpusConfig",
    "build",
    "load",
]
