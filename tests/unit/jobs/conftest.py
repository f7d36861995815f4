"""The fixtures of jobs."""

from tests.augment_fixtures import corpus, large, run, small, texts
from tests.score_reader_fixtures import (
    asked,
    collector_off,
    miniature,
    quick,
    reader_a,
    reader_b,
    reader_t5,
    score,
    score_and_show,
)

__all__ = [
    "asked",
    "collector_off",
    "corpus",
    "large",
    "miniature",
    "quick",
    "reader_a",
    "reader_b",
    "reader_t5",
    "run",
    "score",
    "score_and_show",
    "small",
    "texts",
]
