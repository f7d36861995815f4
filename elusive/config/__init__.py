"""Options of the jobs, checked at the door; the command line is made from them.

Inside, jobs take plain, typed values; nothing further down knows of YAML.
"""

from elusive.config.augment import NEUTRAL_OPTIONS, AugmentConfig
from elusive.config.compare_models import CompareModelsConfig
from elusive.config.loading import build, load
from elusive.config.scored import ScoredCorpusConfig

__all__ = ["NEUTRAL_OPTIONS", "AugmentConfig", "CompareModelsConfig", "ScoredCorpusConfig", "build", "load"]
