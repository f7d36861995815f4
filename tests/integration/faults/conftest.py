"""A house a process for each job, put in order before each test."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from elusive.embedded import path_of
from tests.augment_fixtures import corpus, large, small, texts
from tests.integration.faults.augment_house import AugmentHouse
from tests.integration.faults.house import House
from tests.integration.faults.reader_house import ReaderHouse, questions_file

__all__ = ["corpus", "large", "small", "texts"]

Build = Callable[..., House]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory, corpus: Path, large: str, small: str) -> Build:
    """Builds the house of a job, with the options of `House`; the same house for the same ones."""

    @functools.cache
    def built(job: str, **options: bool) -> House:
        home = tmp_path_factory.mktemp("house")
        if job == "augment":
            return AugmentHouse(home, **options).furnish(corpus=corpus, large=large, small=small)
        asked = questions_file(tmp_path_factory.mktemp("asked"))
        readers = {"reader": path_of("tiny:reader"), "reference": path_of("tiny:reader-untuned")}
        return ReaderHouse(home, **options).furnish(asked=asked, **readers)

    return built


@pytest.fixture(scope="session", params=["augment", "score-reader"])
def furnished(request: pytest.FixtureRequest, build: Build) -> House:
    """Of either job, one after the other; a test of one of them names it (`ledger.of_jobs`)."""
    return build(request.param)


@pytest.fixture
def house(furnished: House) -> House:
    furnished.clear()
    return furnished
