"""The fixtures of jobs, and a corpus that would break a careless page."""

import json
from pathlib import Path

import pytest

from tests.augment_fixtures import corpus, large, run, small, texts
from tests.unit.report.hostile import REJECTED, TEXTS

__all__ = ["corpus", "hostile", "large", "run", "small", "texts"]


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one file, its name hostile too."""
    folder = tmp_path_factory.mktemp("hostile")
    lines = [json.dumps({"id": i, "text": text}) for i, text in TEXTS.items()]
    (folder / "t<script>alert(1)<!--.jsonl").write_text("\n".join(lines + REJECTED), encoding="utf-8")
    return folder
