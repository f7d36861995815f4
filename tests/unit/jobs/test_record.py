"""What a run writes down about itself."""

from typing import Any

import pytest

from elusive.config import AugmentConfig
from elusive.jobs.record import as_published

LOCAL = {"corpus_files": {"docs.jsonl": [1, 2]}, "large_fingerprint": "files:1", "small_fingerprint": "files:2"}
REMOTE = {"corpus_files": {}, "large_fingerprint": "hub:a/large@1", "small_fingerprint": "hub:a/small@2"}


@pytest.mark.parametrize(
    ("recorded", "given", "shown"),
    [
        (LOCAL, ("/home/me/docs.jsonl", "../models/large", "~me/small"), ("docs.jsonl", "large", "small")),
        (LOCAL, ("sample:biographies", "tiny:large", "tiny:small"), ("sample:biographies", "tiny:large", "tiny:small")),
        (REMOTE, ("you/corpus:en", "a/large", "a/small"), ("you/corpus:en", "a/large", "a/small")),
    ],
)
def test_what_is_local_goes_by_its_last_name(
    recorded: dict[str, Any], given: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    roles = ("corpus", "large", "small")
    config = as_published(AugmentConfig(**dict(zip(roles, given, strict=True)), beta=0.1), recorded)
    assert tuple(getattr(config, role) for role in roles) == shown
    assert config.beta == 0.1
