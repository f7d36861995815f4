"""The indicators of one reader over all its examples, and their means.

Examples are known by their ids, so that two readers can be compared on what both have read, in whatever order. Where a
question has no noun, it has no indicator 2; where scores or similarities rank nothing, no ρ. Both are counted.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import numpy as np

from elusive.errors import OptionError
from elusive.indicators.indicator import FEW_TOKENS, Indicator
from elusive.statistics import Estimate, over_examples

Target: TypeAlias = Literal["answer", "question"]
"""What tokens are near to: the answer (indicator 1), or the nouns of the question (indicator 2)."""

ReaderKind: TypeAlias = Literal["decoder-only", "encoder-decoder"]

Figure: TypeAlias = Literal["attention", "lift", "spearman"]
"""The fields of `Indicator` that are averaged."""

FIGURES: Final[tuple[Figure, ...]] = ("attention", "lift", "spearman")


@dataclass(frozen=True)
class Measure:
    """An indicator at a percentile: near to what, and how near."""

    target: Target
    percentile: float

    def __str__(self) -> str:
        return f"{self.target} p{self.percentile:g}"


@dataclass(frozen=True, kw_only=True)
class ReaderReadings:
    """One reader's indicators.

    Attributes:
        reader: its name.
        kind: of an encoder-decoder only the lift of indicator 1 means anything.
        examples: ids of all that it has read.
        indicators: by measure and example; an example without the target (no noun) is not there.
    """

    reader: str
    kind: ReaderKind = "decoder-only"
    examples: frozenset[str]
    indicators: Mapping[Measure, Mapping[str, Indicator]]

    def only(self, examples: Collection[str]) -> "ReaderReadings":
        """These readings on some examples: say, those with an answer in their passages."""
        return replace(self, examples=self.examples & frozenset(examples))

    def of(self, measure: Measure) -> dict[str, Indicator]:
        """The indicators of the examples that have one, by id, in the order of the ids.

        Raises:
            OptionError: the reader was not measured so.
        """
        if measure not in self.indicators:
            known = ", ".join(map(str, self.indicators)) or "nothing"
            raise OptionError(f"reader {self.reader!r} was not measured for {measure}; there is: {known}")
        # In one order, whatever the reader's, so that equal examples are drawn equally.
        return {i: found for i, found in sorted(self.indicators[measure].items()) if i in self.examples}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The means of one reader's indicator.

    Attributes:
        measure: which it is.
        attention, lift, spearman: over examples; None where it is not applicable to this kind of reader.
        n_without_target: examples without the target; among the `left_out` of each mean.
        n_few: examples with fewer than ten nearest tokens, in which ρ says little.
    """

    measure: Measure
    attention: Estimate | None
    lift: Estimate | None
    spearman: Estimate | None
    n_without_target: int
    n_few: int


def applies(kind: ReaderKind, target: Target, figure: Figure) -> bool:
    """Whether a figure means anything for a kind of reader (arXiv 2402.11794, RQ4)."""
    return kind == "decoder-only" or (target, figure) == ("answer", "lift")


def summarise(readings: ReaderReadings, measure: Measure, *, seed: int = 0) -> Summary:
    """The means of an indicator over all examples of a reader.

    Raises:
        OptionError: the reader was not measured so.
    """
    found = list(readings.of(measure).values())
    n_without = len(readings.examples) - len(found)

    def mean_of(figure: Figure) -> Estimate | None:
        if not applies(readings.kind, measure.target, figure):
            return None
        return over_examples([getattr(i, figure) for i in found] + [np.nan] * n_without, seed=seed)

    return Summary(
        measure=measure,
        attention=mean_of("attention"),
        lift=mean_of("lift"),
        spearman=mean_of("spearman"),
        n_without_target=n_without,
        n_few=sum(i.n_nearest < FEW_TOKENS for i in found),
    )
