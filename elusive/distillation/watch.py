"""What is looked at whenever the index is fresh: dev questions searched, their figures, and the signs of collapse.

Scores of ranks 1 and 50 and the first five results need no labels; HR@k and MRR do. Costs one search of the dev
questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elusive.data.questions import Question
from elusive.distillation.evaluation import CUTS, Retrieval, retrieval
from elusive.distillation.gate import Measured
from elusive.distillation.refresh import overlap_at
from elusive.distillation.retriever import Retriever

_GAP_RANK: Final = 50
_OVERLAP_AT: Final = 5
_DEEPEST: Final = max(_GAP_RANK, *CUTS)


@dataclass(frozen=True)
class Look:
    """What was found on dev at one time.

    Attributes:
        retrieval: HR@k and MRR.
        places: of the first results, [question][5].
        measured: the signs of collapse.
    """

    retrieval: Retrieval
    places: tuple[tuple[int, ...], ...]
    measured: Measured


def look(
    retriever: Retriever, questions: Sequence[Question], *, initial: Sequence[Sequence[int]] | None, seed: int = 0
) -> Look:
    """Search questions and measure what is found.

    Args:
        retriever: with a fresh index.
        questions: with known answers.
        initial: places of the first results as training began; None where this is then.
        seed: of the intervals.
    """
    vectors = retriever.encoder.encode([question.question for question in questions], side="query")
    places, scores = retriever.search(vectors, min(_DEEPEST, len(retriever.index)))
    found = retrieval(retriever.given(questions, places[:, : max(CUTS)], scores[:, : max(CUTS)]), seed=seed)
    first = tuple(map(tuple, places[:, :_OVERLAP_AT].tolist()))
    measured = Measured(
        gap=_gap(scores),
        overlap=1.0 if initial is None else overlap_at(_OVERLAP_AT, initial, first),
        hit_rate=found.hr[5].mean,
    )
    return Look(found, first, measured)


def _gap(scores: NDArray[np.float32]) -> float:
    """How far rank 1 is above rank 50 (the last one, where there are fewer passages), mean over questions."""
    last = min(_GAP_RANK, scores.shape[1]) - 1
    return float((scores[:, 0] - scores[:, last]).mean())
