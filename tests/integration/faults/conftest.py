"""A house a process, put in order before each test."""

from pathlib import Path

import pytest

from tests.augment_fixtures import corpus, large, small, texts
from tests.integration.faults.house import House

__all__ = ["corpus", "large", "small", "texts"]


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory, corpus: Path, large: str, small: str) -> House:
    return House(tmp_path_factory.mktemp("house")).furnish(corpus=corpus, large=large, small=small)


@pytest.fixture
def house(furnished: House) -> House:
    furnished.clear()
    return furnished
