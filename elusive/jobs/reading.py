"""One reader over some questions: token scores become indicators, and the reader's own answers are marked.

A question that the reader cannot read (one that does not fit, an answer of its own that is empty) is told and left
out; the others stay. Holds the scores of one batch at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from elusive.choices import NounSource
from elusive.data.questions import Question
from elusive.errors import InputError
from elusive.indicators.examples import Example, ShownPrompt
from elusive.indicators.indicator import indicator, nearest_tokens
from elusive.indicators.nouns import is_noun_token, noun_spans
from elusive.indicators.readings import Measure, Target
from elusive.indicators.similarity import similarity
from elusive.indicators.verdict import INDICATORS
from elusive.metrics import exact_match, f1, has_answer
from elusive.readers.reader import Reader, ReaderScores, batches, order_of
from elusive.readers.tokens import PromptTokens

_SHOWN: Final = 2
"""Prompts of a chunk that are kept."""


@dataclass(frozen=True, kw_only=True)
class ReadChunk:
    """What a reader made of some questions.

    Attributes:
        examples: of those that it could read, in their order.
        unread: why it could not read the others, by id.
        head_lifts: summed over the examples: see `ReaderExamples.head_lifts`; empty where there is none.
        prompts: the first few.
    """

    examples: tuple[Example, ...]
    unread: Mapping[str, str]
    head_lifts: tuple[tuple[float, ...], ...]
    prompts: tuple[ShownPrompt, ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a reader's scores become figures.

    Attributes:
        measures: the indicators to take.
        nouns: what says which words of a question are nouns.
        own_answers: let the reader answer by itself too.
        rows_are_its_own: whether the scores are of its own answers already.
        shuffle_seed: of the order in which it sees the passages.
        batch_size: questions at a time.
    """

    measures: Sequence[Measure]
    nouns: NounSource
    own_answers: bool
    rows_are_its_own: bool
    shuffle_seed: int | None
    batch_size: int

    def read(self, reader: Reader, questions: Sequence[Question]) -> ReadChunk:
        """What a reader makes of questions.

        Raises:
            ModelError: a model that cannot be seen into, or whose scores are no numbers.
        """
        marked = _Marked(self)
        for batch in batches(questions, size=self.batch_size):
            try:
                marked.add(reader, batch)
            except InputError:  # of one of them: the others are read without it
                for question in batch:
                    marked.add_or_tell(reader, question)
        return marked.chunk()


@dataclass(eq=False)
class _Marked:
    """A chunk as it grows."""

    reading: Reading
    examples: list[Example] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    prompts: list[ShownPrompt] = field(default_factory=list)
    head_lifts: NDArray[np.float64] | None = None

    def add_or_tell(self, reader: Reader, question: Question) -> None:
        try:
            self.add(reader, [question])
        except InputError as error:
            self.unread[question.id] = str(error)

    def add(self, reader: Reader, batch: Sequence[Question]) -> None:
        reading = self.reading
        scored = reader.scores(batch)
        answers: Sequence[str | None] = [None] * len(batch)
        if reading.rows_are_its_own:
            answers = [scores.answer for scores in scored]
        elif reading.own_answers:
            answers = reader.answers(batch)
        seen = [_Seen(reader, reading, *one) for one in zip(batch, scored, answers, strict=True)]
        examples = [one.example() for one in seen]
        # Nothing can fail from here on, so that a batch is added whole or not at all.
        self.examples += examples
        for one in seen:
            self.head_lifts = one.head_lifts() + (0.0 if self.head_lifts is None else self.head_lifts)
        self.prompts += [one.prompt() for one in seen[: _SHOWN - len(self.prompts)]]

    def chunk(self) -> ReadChunk:
        return ReadChunk(
            examples=tuple(self.examples),
            unread=self.unread,
            head_lifts=() if self.head_lifts is None else tuple(map(tuple, self.head_lifts.tolist())),
            prompts=tuple(self.prompts),
        )


class _Seen:
    """One question, and what its reader attended to.

    Attributes:
        of_passage: which tokens are of a passage: C of METHOD 2.3, [context token].
        similarities: of these tokens to each target that the question has.
    """

    def __init__(
        self, reader: Reader, reading: Reading, question: Question, scores: ReaderScores, answer: str | None
    ) -> None:
        self.reading, self.question, self.scores, self.answer = reading, question, scores, answer
        self.of_passage = np.flatnonzero(scores.tokens.passage >= 0)
        targets: dict[Target, NDArray[np.int64]] = {"answer": scores.answer_ids, "question": self._noun_ids()}
        self.similarities = {
            target: _similarity(reader, scores.tokens.ids[self.of_passage], ids)
            for target, ids in targets.items()
            if len(ids)
        }

    def example(self) -> Example:
        c = self.scores.token_scores[self.of_passage]
        question = self.question
        return Example(
            id=question.id,
            indicators={
                str(measure): indicator(c, self.similarities[measure.target], measure.percentile)
                for measure in self.reading.measures
                if measure.target in self.similarities
            },
            shares=tuple(self.scores.target.tolist()),
            order=tuple(order_of(question, seed=self.reading.shuffle_seed)),
            holds=tuple(has_answer(passage.text, question.answers) for passage in question.passages),
            answer=self.answer,
            exact_match=self._marked_by(exact_match),
            f1=self._marked_by(f1),
            n_tokens=len(self.scores.tokens),
            n_cut=sum(self.scores.n_cut),
        )

    def head_lifts(self) -> NDArray[np.float64]:
        """See `ReaderExamples.head_lifts`, [layer, head]."""
        by_head = self.scores.head_scores[:, :, self.of_passage].astype(np.float64)
        near, every = by_head[:, :, self._near()].mean(2), by_head.mean(2)
        lifts: NDArray[np.float64] = np.divide(near, every, out=np.zeros_like(every), where=every > 0)
        return lifts

    def prompt(self) -> ShownPrompt:
        tokens = self.scores.tokens
        return ShownPrompt(
            id=self.question.id,
            question=self.question.question,
            gold=self.scores.answer,
            answer=self.answer,
            pieces=tuple(_joinable_pieces(tokens)),
            scores=tuple(self.scores.token_scores.tolist()),
            passage=tuple(tokens.passage.tolist()),
            near=tuple(sorted(self.of_passage[self._near()].tolist())),
        )

    def _marked_by(self, metric: Callable[[str, Iterable[str]], float]) -> float | None:
        answers = self.question.answers
        return None if self.answer is None or not answers else metric(self.answer, answers)

    def _near(self) -> NDArray[np.int64]:
        return nearest_tokens(self.similarities["answer"], INDICATORS["answer"].percentile)

    def _noun_ids(self) -> NDArray[np.int64]:
        tokens, question = self.scores.tokens, self.question
        spans = noun_spans(question.question, source=self.reading.nouns, nouns=question.nouns)
        chosen = is_noun_token(tokens.starts, tokens.ends, nouns=spans, question_start=tokens.question_start)
        return tokens.ids[chosen]


def _similarity(reader: Reader, context: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.float64]:
    near: NDArray[np.float64] = similarity(
        reader.embedding, torch.from_numpy(context), torch.from_numpy(target)
    ).numpy()
    return near


def _joinable_pieces(tokens: PromptTokens) -> Iterator[str]:
    """The prompt's text by tokens: what is between two is the later one's, what two share is the earlier one's."""
    done = 0
    for end in [*tokens.ends.tolist()[:-1], len(tokens.text)]:
        yield tokens.text[done:end]
        done = max(done, end)
