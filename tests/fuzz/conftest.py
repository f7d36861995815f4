"""One tally for all that is tried, written to `docs/fuzz.json` when everything ran (`ELUSIVE_FUZZ=full`)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.augment_fixtures import corpus, large, run, small, texts
from tests.fuzz.tally import FULL, Tally

__all__ = ["corpus", "large", "run", "small", "texts"]

_COUNTS = Path(__file__).parents[2] / "docs" / "fuzz.json"


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    kept = Tally()
    yield kept
    if FULL and not request.session.testsfailed:
        kept.write(_COUNTS)
