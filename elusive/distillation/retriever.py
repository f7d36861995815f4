"""A retriever as the loop sees it: fresh query vectors, an index that may be some steps old, and passages scored anew.

A search takes the vectors as they are in the index; what it returns is ranked by the encoder of this moment where more
is asked for than is kept (`rerank`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from elusive.data.questions import Question
from elusive.retrieval.encoder import Encoder
from elusive.retrieval.index import PassageIndex


@dataclass(frozen=True)
class Retriever:
    """An encoder and an index of its passages.

    Attributes:
        encoder: of this moment.
        index: of the encoder at its last refresh.
        rerank: candidates that are embedded afresh before the best are kept; 0 takes the index's word.
    """

    encoder: Encoder
    index: PassageIndex
    rerank: int = 0

    def search(self, vectors: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k best passages of each query vector, by place, [query, k], and their scores, best first."""
        places, scores = self.index.search(vectors, min(max(k, self.rerank), len(self.index)))
        if self.rerank:
            scores = self._fresh_scores(vectors, places)
            best = np.argsort(-scores, axis=1, kind="stable")
            places, scores = np.take_along_axis(places, best, axis=1), np.take_along_axis(scores, best, axis=1)
        return places[:, :k], scores[:, :k]

    def with_passages(self, questions: Sequence[Question], k: int) -> list[Question]:
        """Questions with the k best passages and their scores, whatever they came with."""
        vectors = self.encoder.encode([question.question for question in questions], side="query")
        return self.given(questions, *self.search(vectors, k))

    def given(
        self, questions: Sequence[Question], places: NDArray[np.int64], scores: NDArray[np.float32]
    ) -> list[Question]:
        """Questions with the passages at these places, [question, k], and their scores."""
        each = {int(place): passage for place in np.unique(places) for passage in self.index.passages([int(place)])}
        return [
            replace(
                question,
                passages=tuple(replace(each[place], score=score) for place, score in zip(row, of_row, strict=True)),
            )
            for question, row, of_row in zip(questions, places.tolist(), scores.tolist(), strict=True)
        ]

    def _fresh_scores(self, vectors: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float32]:
        each, where = np.unique(places, return_inverse=True)
        texts = [self.encoder.passage_text(passage) for passage in self.index.passages(each.tolist())]
        fresh = self.encoder.encode(texts, side="passage")[where.reshape(places.shape)]
        scores: NDArray[np.float32] = np.einsum("qd,qkd->qk", vectors, fresh)
        return scores
