"""Gives passages to questions that came without, by BM25 over a file of passages.

Scores are those of `bm25s` in Lucene's variant, with the constants of the DPR paper, over the words of title and
text in lower case, neither stemmed nor stopped, and over pairs of neighbouring characters where a script has no spaces
between words: idf ln(1 + (N - df + 0.5) / (df + 0.5)), weight
tf / (tf + k1 (1 - b + b len / mean len)). The passages are read twice, for their words and for those that were
found. Memory is some 2 KB a passage of 100 words while the index is built (for the 21 million of Wikipedia 45 GB and
half an hour), a third of it afterwards. `bm25s` can save an index and map it; a run needs it once, so none is kept.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from elusive.data.questions import Passage, Question
from elusive.data.rejected import Rejection
from elusive.errors import InputError, OptionError
from elusive.unspaced import LETTERS, is_unspaced

_WORD: Final = re.compile(rf"[{LETTERS}]+|[^\W{LETTERS}]+")


class OpenPassages(Protocol):
    """Begins another pass over the passages: `functools.partial(read_passages, source)`."""

    def __call__(self, *, on_rejected: Callable[[Rejection], None]) -> Iterator[Passage]:
        """The passages, from the first."""
        ...


class Hit(NamedTuple):
    """A passage that was found: its place among the passages, from 0, and its score."""

    place: int
    score: float


def add_passages(
    questions: Sequence[Question], passages: OpenPassages, *, k: int, on_rejected: Callable[[Rejection], None]
) -> list[Question]:
    """Gives each question without passages its best k, with their scores; the others stay as they are.

    Args:
        questions: in any order, which is kept.
        passages: opens the passages; called twice, or not at all where every question has its own.
        k: how many passages a question gets; fewer where fewer share a word with it.
        on_rejected: called with each row that is no passage, once.

    Raises:
        OptionError: k is not positive.
        InputError: as `read_passages`, or passages that change meanwhile.
    """
    if k < 1:
        raise OptionError(f"k is {k}; it must be at least 1")
    if all(question.passages for question in questions):
        return list(questions)
    index = Bm25Index(passages(on_rejected=on_rejected))
    hits = [() if question.passages else index.best(question.question, k=k) for question in questions]
    wanted = {hit.place for found in hits for hit in found}
    del index  # the passages take its place
    again = enumerate(passages(on_rejected=lambda _: None))
    picked = {place: passage for place, passage in again if place in wanted}
    if len(picked) < len(wanted):
        raise InputError("the passages changed while they were read; run the same command again when they are at rest")
    return [
        replace(question, passages=tuple(replace(picked[hit.place], score=hit.score) for hit in found))
        if found
        else question
        for question, found in zip(questions, hits, strict=True)
    ]


class Bm25Index:
    """The words of all passages, ready to be searched.

    Args:
        passages: read once, not kept.
        k1: how late more of the same word stops to count.
        b: how far long passages are held back, 0 to 1.
    """

    def __init__(self, passages: Iterable[Passage], *, k1: float = 0.9, b: float = 0.4) -> None:
        import bm25s

        self._places: dict[str, int] = {}
        words = [self._learn(f"{passage.title} {passage.text}") for passage in passages]
        self._index = bm25s.BM25(k1=k1, b=b, method="lucene", csc_backend="scipy")
        if self._places:
            self._index.index((words, self._places), create_empty_token=False, show_progress=False)

    def best(self, question: str, *, k: int) -> tuple[Hit, ...]:
        """The k passages that score best among those that share a word with the question, ties in their order."""
        import numpy as np

        known = [self._places[word] for word in _words(question) if word in self._places]
        if not known:
            return ()
        scores = self._index.get_scores_from_ids(known)
        found = np.flatnonzero(scores)
        if len(found) > k:
            lowest = np.partition(scores[found], -k)[-k]
            found = found[scores[found] >= lowest]  # all ties of the last place, of which the first come first
        ranked = found[np.argsort(-scores[found], kind="stable")][:k]
        return tuple(Hit(int(place), float(scores[place])) for place in ranked)

    def _learn(self, text: str) -> "array[int]":
        """The numbers of a text's words, new words numbered on."""
        return array("i", [self._places.setdefault(word, len(self._places)) for word in _words(text)])


def _words(text: str) -> list[str]:
    found: list[str] = _WORD.findall(text.lower())
    return [word for run in found for word in (_pairs(run) if is_unspaced(run) else (run,))]


def _pairs(run: str) -> list[str]:
    """Neighbouring characters, two and two, as Lucene's analyser of Chinese and Japanese has them; one stays alone."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]
