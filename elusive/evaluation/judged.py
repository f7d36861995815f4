"""What a ranking is worth where people judged which passages are relevant, as in BEIR: recall, reciprocal rank, nDCG.

The definitions are trec_eval's, by which BEIR's figures are made: a passage is relevant where its judgement is above 0,
one without a judgement is not, gains are linear, and a question without a relevant passage counts as 0. Ties keep the
order in which the retriever has them. Reads no file.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from elusive.data.questions import Passage
from elusive.metrics import ndcg_at, recall_at, reciprocal_rank

DEPTH: Final = 10
"""Results that MRR and nDCG count, as usual for BEIR and MS MARCO."""


def relevant_of(passages: Sequence[Passage], relevance: Mapping[str, int]) -> list[bool]:
    """Which passages are judged relevant."""
    return [relevance.get(passage.id, 0) > 0 for passage in passages]


def measures_of(passages: Sequence[Passage], relevance: Mapping[str, int], *, cuts: Sequence[int]) -> dict[str, float]:
    """The measures of one question, by name.

    Args:
        passages: that were found, best first.
        relevance: judgements by the id of the passage.
        cuts: the k of recall@k.
    """
    relevant = relevant_of(passages, relevance)
    gains = [max(0, relevance.get(passage.id, 0)) for passage in passages]
    possible = [max(0, judged) for judged in relevance.values()]
    n_relevant = sum(gain > 0 for gain in possible)
    return {
        **{f"recall@{k}": recall_at(k, relevant, n_relevant=n_relevant) for k in cuts},
        f"MRR@{DEPTH}": reciprocal_rank(relevant[:DEPTH]),
        f"nDCG@{DEPTH}": ndcg_at(DEPTH, gains, all_gains=possible),
    }
