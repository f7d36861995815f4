"""The fixtures of jobs, and training without the page, which takes longer than a few steps of a tiny model."""

import pytest

from elusive.jobs import pretrain
from tests.augment_fixtures import corpus, large, run, small, texts

__all__ = ["corpus", "large", "run", "small", "texts"]


@pytest.fixture
def without_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "pretrain_page", lambda *_, **__: "a page")
