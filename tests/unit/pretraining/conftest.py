"""The fixtures of jobs."""

from tests.augment_fixtures import corpus, large, run, small, texts

__all__ = ["corpus", "large", "run", "small", "texts"]
