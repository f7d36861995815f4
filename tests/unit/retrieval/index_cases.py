"""Small indexes: passages, an encoder that needs no model, vectors by the seed, and oracles in plain NumPy."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from elusive.data.questions import Passage
from elusive.progress import Bars
from elusive.retrieval.index_build import IndexBuild, build_index_of
from elusive.retrieval.index_generation import Generation
from elusive.retrieval.index_kinds import IndexOptions, Layout
from elusive.retrieval.index_vectors import VectorIndex

QUIET = Bars(quiet=True)
SMALL = {"shard_len": 64, "part_bytes": 8192}
KINDS = ("flat", "sqfp16", "ivf-sq8", "ivf-pq")


def passages(n: int) -> list[Passage]:
    return [Passage(f"p{i}", "" if i % 3 else f"Title {i}", f"Text {i},\nof two lines\u2028é.") for i in range(n)]


@dataclass
class FakeEncoder:
    """Vectors of length 1 by a hash of the text and of `weights`.

    Attributes:
        weights: another value is another encoder.
        width: numbers of a vector.
        batch_len: texts of a batch.
        calls: texts of each batch.
    """

    weights: int = 0
    width: int = 16
    batch_len: int = 64

    def __post_init__(self) -> None:
        self.calls: list[int] = []

    def passage_text(self, passage: Passage) -> str:
        return f"{passage.title} {passage.text}"

    def encode(self, texts: Sequence[str], *, side: str) -> np.ndarray:
        return np.array([self.vector(text) for text in texts], np.float32).reshape(-1, self.width)

    def batches(self, texts: Sequence[str], *, side: str, known: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """In batches of `batch_len`, from the last on; `calls` has those that were asked for."""
        known = np.zeros(len(texts), bool) if known is None else known
        for places in reversed([*batched(len(texts), self.batch_len)]):
            if not known[places].all():
                self.calls.append(len(places))
                yield places, self.encode([texts[place] for place in places], side=side)

    def vector(self, text: str) -> np.ndarray:
        seed = int.from_bytes(blake2b(f"{self.weights} {text}".encode(), digest_size=8).digest(), "big")
        found = np.random.default_rng(seed).standard_normal(self.width)
        return found / np.linalg.norm(found)

    def fingerprint(self, side: str) -> str:
        return f"fake:{self.weights}:{side}"


def batched(n: int, size: int) -> Iterator[np.ndarray]:
    return (np.arange(start, min(n, start + size)) for start in range(0, n, size))


def clustered(n: int, width: int = 16, *, seed: int = 0) -> np.ndarray:
    """Vectors around some centres, as those of texts are."""
    draw = np.random.default_rng(seed)
    centres = draw.standard_normal((20, width))
    found = centres[draw.integers(0, 20, n)] + 0.3 * draw.standard_normal((n, width))
    return np.asarray(found, np.float32)


def layout_of(vectors: np.ndarray, kind: str = "flat", **options: Any) -> Layout:
    return IndexOptions(kind=kind, **{**SMALL, **options}).layout(len(vectors), vectors.shape[1])


def build_of(
    folder: Path, vectors: np.ndarray, kind: str = "flat", *, name: str = "x", batch_len: int = 10**6, **options: Any
) -> IndexBuild:
    def source(start: int, stop: int, known: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for places in batched(stop - start, batch_len):
            if not known[places].all():
                yield places, vectors[start:stop][places]

    return IndexBuild(Generation(folder, layout_of(vectors, kind, **options), {"vectors": name}), source, QUIET)


def index_of(folder: Path, vectors: np.ndarray, kind: str = "flat", **options: Any) -> VectorIndex:
    return build_index_of(build_of(folder, vectors, kind, **options))


def oracle(vectors: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """The best places of the vectors as fp16 holds them, of equal scores the lower: all sorted, in double precision."""
    scores = queries.astype(np.float64) @ vectors.astype(np.float16).astype(np.float64).T
    return np.argsort(-scores.round(9), axis=1, kind="stable")[:, :k]


def wait_for(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
