"""What a reader taught, as rows that other trainers and judges take; one question at a time. Pure: nothing is written.

    sentence-transformers   query, positive, negative; and query, positive, negative_1 … n, label (n + 1 scores)
    FlagEmbedding           query, pos, neg, pos_scores, neg_scores, and a prompt where one is given
    TREC                    question Q0 passage rank score tag

Exported scores are log p_T: both trainers take their softmax, and have the teacher's distribution back. 0 has no
logarithm that a file can hold, so it is written as that of 1e-9. A question that makes no row of a kind gives none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import Any, Final, TypeAlias

from elusive.data.questions import Passage, Question
from elusive.errors import InputError

TextOf: TypeAlias = Callable[[Passage], str]
"""A passage as the retriever reads it."""

Row: TypeAlias = dict[str, Any]

_LEAST: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class TaughtQuestion:
    """A question, and what reader and retriever make of its passages.

    Attributes:
        question: with the passages that both have seen.
        teacher: p_T of each passage.
        scores: the retriever's, of each.
        hits: whether an answer is in it.

    Raises:
        InputError: numbers that are not one a passage, or not finite.
    """

    question: Question
    teacher: tuple[float, ...]
    scores: tuple[float, ...]
    hits: tuple[bool, ...]

    def __post_init__(self) -> None:
        n = len(self.question.passages)
        for name in ("teacher", "scores", "hits"):
            values = getattr(self, name)
            if len(values) != n or not all(map(isfinite, values)):
                raise InputError(
                    f"question {self.question.id!r} has {n} passages, and {name} {list(values)}; expected a finite "
                    "number for each"
                )

    @property
    def labels(self) -> tuple[float, ...]:
        """Of each passage, log p_T."""
        return tuple(log(max(probability, _LEAST)) for probability in self.teacher)

    @property
    def ranking(self) -> list[int]:
        """Numbers of the passages as the retriever ranks them; of equal scores, the first comes first."""
        return sorted(range(len(self.scores)), key=lambda number: -self.scores[number])


def hard_negatives(taught: TaughtQuestion, *, n: int | None = None) -> list[int]:
    """Numbers of passages without an answer that the retriever ranks highest, best first.

    A passage to which the teacher gives more than to the best one with an answer is left out: it may hold the answer in
    other words. Without any passage that holds one, nothing is known to be wrong, and there is none.

    Args:
        taught: the question.
        n: the most to take; None is all.
    """
    best = max((p for p, is_hit in zip(taught.teacher, taught.hits, strict=True) if is_hit), default=None)
    if best is None:
        return []
    return [i for i in taught.ranking if not taught.hits[i] and taught.teacher[i] <= best][:n]


def triplet_rows(taught: TaughtQuestion, *, text_of: TextOf, n_negatives: int | None = None) -> list[Row]:
    """For sentence-transformers' losses without scores: each passage with an answer beside each hard negative."""
    texts = [text_of(passage) for passage in taught.question.passages]
    negatives = hard_negatives(taught, n=n_negatives)
    return [
        {"query": taught.question.question, "positive": texts[i], "negative": texts[j]}
        for i in taught.ranking
        if taught.hits[i]
        for j in negatives
    ]


def distillation_rows(taught: TaughtQuestion, *, text_of: TextOf) -> list[Row]:
    """For DistillKLDivLoss: every passage, the teacher's best as the positive, its scores as the label.

    All questions of one file must have as many passages: the columns are the same for each row.
    """
    if len(taught.teacher) < 2:
        return []
    first, *others = sorted(range(len(taught.teacher)), key=lambda number: -taught.teacher[number])
    texts = [text_of(passage) for passage in taught.question.passages]
    row: Row = {"query": taught.question.question, "positive": texts[first]}
    row |= {f"negative_{place}": texts[number] for place, number in enumerate(others, 1)}
    return [row | {"label": [taught.labels[number] for number in (first, *others)]}]


def flag_embedding_rows(taught: TaughtQuestion, *, text_of: TextOf, prompt: str | None = None) -> list[Row]:
    """For FlagEmbedding: passages with an answer, and all that have none, each with its score."""
    texts, labels = [text_of(passage) for passage in taught.question.passages], taught.labels
    pos = [number for number in taught.ranking if taught.hits[number]]
    neg = [number for number in taught.ranking if not taught.hits[number]]
    if not pos or not neg:
        return []
    row: Row = {
        "query": taught.question.question,
        "pos": [texts[number] for number in pos],
        "neg": [texts[number] for number in neg],
        "pos_scores": [labels[number] for number in pos],
        "neg_scores": [labels[number] for number in neg],
    }
    return [row if prompt is None else row | {"prompt": prompt}]


def trec_lines(question: Question, scores: Sequence[float], *, tag: str) -> list[str]:
    """Lines of a TREC run, without their ends: the passages of a question by falling score, ranks from 1.

    Raises:
        InputError: an id or tag that holds a space, or is empty: no reader of the format could tell it.
    """
    ids = (question.id, *(passage.id for passage in question.passages), tag)
    torn = next((each for each in ids if len(each.split()) != 1 or each != each.strip()), None)
    if torn is not None:
        raise InputError(f"{torn!r} cannot stand in a TREC run, whose columns are parted by spaces; give another id")
    ranked = sorted(zip(scores, question.passages, strict=True), key=lambda scored: -scored[0])
    return [
        f"{question.id} Q0 {passage.id} {rank} {float(score)!r} {tag}"
        for rank, (score, passage) in enumerate(ranked, 1)
    ]
