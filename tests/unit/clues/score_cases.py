"""Made-up scores, and the key they are kept under."""

from pathlib import Path

import numpy as np

from elusive.attention.windows import TextScores
from elusive.clues.score_store import ScoreKey, ScoreStore

KEY = ScoreKey(
    model="m",
    tokenizer="t",
    prefix=0,
    window=128,
    layers=None,
    heads=None,
    dtype="float32",
    impl="auto",
    renormalise=False,
)
TEXTS = ["Mara Velting", "was born", "é 中 👨‍👩‍👧", "in Orsk.\0"]


def scores_of(texts: list[str], *, seed: int = 0) -> list[TextScores]:
    rng = np.random.default_rng(seed)
    scores = [
        TextScores(*rng.random((2, len(t)), dtype=np.float32), rng.random(), float(rng.integers(99))) for t in texts
    ]
    for one in scores:
        one.received[-1:] = one.log_received[-1:] = np.nan
    return scores


def same(found: TextScores, expected: TextScores) -> bool:
    """To the bit, NaN included."""
    arrays = [
        (a.tobytes(), a.dtype) == (b.tobytes(), b.dtype)
        for a, b in ((found.received, expected.received), (found.log_received, expected.log_received))
    ]
    return all(arrays) and (found.sink, found.rows) == (expected.sink, expected.rows)


def store_of(folder: Path, key: ScoreKey = KEY, **options: object) -> ScoreStore[TextScores]:
    return ScoreStore(folder, key, TextScores, **options)


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/part-*.safetensors"))
