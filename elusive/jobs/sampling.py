"""A sample of a corpus, drawn in one pass over the whole of it. Memory is the sample."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from elusive.config import CompareModelsConfig
from elusive.data.questions import Question
from elusive.data.rejected import Rejection
from elusive.data.staging import Staged, stage_corpus
from elusive.data.texts import Text
from elusive.jobs.inputs import reading
from elusive.progress import Progress

Item = TypeVar("Item", Text, Question)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Texts drawn from a corpus, and what was counted on the way.

    Attributes:
        staged: the texts drawn.
        corpus_texts, corpus_chars, rejected: of the whole corpus.
    """

    staged: Staged
    corpus_texts: int
    corpus_chars: int
    rejected: int

    def __iter__(self) -> Iterator[Text]:
        for index in range(self.staged.n_chunks):
            yield from self.staged.read_chunk(index)


def draw_sample(config: CompareModelsConfig, folder: Path, *, progress: Progress) -> Sample:
    """Read a corpus once and stage a sample of it in `folder`."""
    n_texts = n_chars = n_rejected = 0

    def counted(texts: Iterable[Text]) -> Iterator[Text]:
        nonlocal n_texts, n_chars
        for text in texts:
            n_texts += 1
            n_chars += len(text.text)
            yield text

    def set_aside(_rejection: Rejection) -> None:
        nonlocal n_rejected
        n_rejected += 1

    with reading(config, on_rejected=set_aside, progress=progress) as texts:
        staged = stage_corpus(drawn(counted(texts), config.texts, seed=config.seed), folder)
    return Sample(staged=staged, corpus_texts=n_texts, corpus_chars=n_chars, rejected=n_rejected)


def drawn(items: Iterable[Item], n: int, *, seed: int) -> list[Item]:
    """`n` texts or questions, each as likely as any other, in their order; all of them where there are fewer.

    Which ones depends on the seed and their ids alone, not on their order; a larger `n` keeps what a smaller one drew.
    """

    def lot(numbered: tuple[int, Item]) -> bytes:
        return blake2b(f"{seed}\0{numbered[1].id}".encode(), digest_size=16).digest()

    return [item for _, item in sorted(heapq.nsmallest(n, enumerate(items), key=lot), key=itemgetter(0))]
