"""Made-up scores, and the key they are kept under."""

from pathlib import Path

import numpy as np

from elusive.attention.windows import TextScores
from elusive.clues.score_store import ScoreKey

KEY = ScoreKey(
    model="m", tokenizer="t", window=128, layers=None, heads=None, dtype="float32", impl="auto", renormalise=False
)
TEXTS = ["Mara Velting", "was born", "é 中 👨‍👩‍👧", "in Orsk.\0"]


def scores_of(texts: list[str], *, seed: int = 0) -> list[TextScores]:
    rng = np.random.default_rng(seed)
    scores = [TextScores(rng.random(len(t), dtype=np.float32), rng.random(), int(rng.integers(99))) for t in texts]
    for one in scores:
        one.received[-1:] = np.nan
    return scores


def same(found: TextScores, expected: TextScores) -> bool:
    """To the bit, NaN included."""
    return (found.received.tobytes(), found.received.dtype, found.sink, found.rows) == (
        expected.received.tobytes(),
        expected.received.dtype,
        expected.sink,
        expected.rows,
    )


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/part-*.safetensors"))
