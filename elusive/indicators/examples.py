"""What a reader made of each question: the rows that its indicators, its verdict and its page are made from.

A row holds figures and no scores; of a few questions the prompt itself is kept, to be looked at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from elusive.indicators.indicator import Indicator
from elusive.indicators.readings import Measure, ReaderKind, ReaderReadings


@dataclass(frozen=True, kw_only=True)
class Example:
    """What a reader made of one question.

    Attributes:
        id: of the question.
        indicators: by the measure's name, as `answer p95`; without those whose target the question lacks (no noun).
        shares: the target distribution over the passages, [passage], as the question has them.
        order: numbers of the passages as the reader saw them, [place].
        holds: whether each passage holds an answer, [passage].
        answer: the reader's own; None where it was not asked for one.
        exact_match, f1: of that answer; None likewise, or where no right one is known.
        n_tokens: of the prompt with its answer, or of all encoder inputs.
        n_cut: tokens that its passages lost to fit.
    """

    id: str
    indicators: Mapping[str, Indicator]
    shares: tuple[float, ...]
    order: tuple[int, ...]
    holds: tuple[bool, ...]
    answer: str | None = None
    exact_match: float | None = None
    f1: float | None = None
    n_tokens: int
    n_cut: int


@dataclass(frozen=True, kw_only=True)
class ShownPrompt:
    """A prompt, to be looked at.

    Attributes:
        id: of the question.
        question: itself.
        gold: the answer whose rows were taken.
        answer: the reader's own; None where it was not asked for one.
        pieces: the prompt's text by tokens, [token]; joined they are the text.
        scores: c of each token.
        passage: which passage each token belongs to, by the question's order; -1 is none.
        near: which tokens are nearest to the answer (indicator 1, at its verdict's percentile).
    """

    id: str
    question: str
    gold: str
    answer: str | None
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    passage: tuple[int, ...]
    near: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ReaderExamples:
    """All that one reader made of all questions.

    Attributes:
        reader: its name.
        kind: decoder-only or encoder-decoder.
        examples: what it read, in the order of the questions.
        unread: why it could not read the others, by id.
        head_lifts: mean lift of the tokens nearest to the answer in each layer and head alone, [layer][head]; 0 in an
            example whose passages a head gives nothing.
        prompts: a few of them.
    """

    reader: str
    kind: ReaderKind
    examples: tuple[Example, ...]
    unread: Mapping[str, str]
    head_lifts: tuple[tuple[float, ...], ...]
    prompts: tuple[ShownPrompt, ...]

    def readings_of(self, measures: Iterable[Measure]) -> ReaderReadings:
        """The indicators alone, of the measures that were taken; one that no question has is there, and empty."""
        return ReaderReadings(
            reader=self.reader,
            kind=self.kind,
            examples=frozenset(example.id for example in self.examples),
            indicators={
                measure: {e.id: e.indicators[str(measure)] for e in self.examples if str(measure) in e.indicators}
                for measure in measures
            },
        )

    @property
    def hits(self) -> frozenset[str]:
        """The examples with an answer in a passage."""
        return frozenset(example.id for example in self.examples if any(example.holds))
