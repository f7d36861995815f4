"""The fixtures of jobs."""

from tests.augment_fixtures import corpus, large, small, texts

__all__ = ["corpus", "large", "small", "texts"]
