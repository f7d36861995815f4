"""How good a retriever is on questions with known answers, and the reader after it.

A hit is a passage in which an answer's tokens stand, as DPR counts them; every figure is a mean over questions with a
bootstrap interval. Costs a search; EM and F1 cost an answer of the reader for each question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from elusive.data.questions import Question
from elusive.metrics import exact_match, f1, has_answer, hit_at, reciprocal_rank
from elusive.statistics import Estimate, over_examples, paired_difference

CUTS = (1, 5, 20)
"""HR@k is taken at these k."""


@dataclass(frozen=True, kw_only=True)
class Retrieval:
    """What a retriever found for questions.

    Attributes:
        hr: HR@k by k.
        mrr: mean reciprocal rank of the first hit, over as many places as the largest k.
        ranks: of each question's first hit, from 0; -1 where there is none.
    """

    hr: Mapping[int, Estimate]
    mrr: Estimate
    ranks: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How well a reader answers from what was found."""

    em: Estimate
    f1: Estimate


def retrieval(questions: Sequence[Question], *, seed: int = 0) -> Retrieval:
    """Measure the results of questions: their passages, best first."""
    hits = tuple(tuple(has_answer(p.text, question.answers) for p in question.passages) for question in questions)
    return Retrieval(
        hr={k: over_examples([hit_at(k, row) for row in hits], seed=seed) for k in CUTS},
        mrr=over_examples([reciprocal_rank(row) for row in hits], seed=seed),
        ranks=tuple(row.index(True) if any(row) else -1 for row in hits),
    )


def gain(ranks: Sequence[int], before: Sequence[int], *, k: int, seed: int = 0) -> Estimate:
    """How much HR@k has risen, over the same questions (`Retrieval.ranks`)."""
    now, then = ([float(0 <= rank < k) for rank in one] for one in (ranks, before))
    return paired_difference(now, then, seed=seed)


def reading(questions: Sequence[Question], answers: Sequence[str], *, seed: int = 0) -> Reading:
    """Measure a reader's own answers to questions."""
    both = list(zip(questions, answers, strict=True))
    return Reading(
        em=over_examples([exact_match(answer, question.answers) for question, answer in both], seed=seed),
        f1=over_examples([f1(answer, question.answers) for question, answer in both], seed=seed),
    )
