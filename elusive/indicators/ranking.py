"""Several readers in order of an indicator, and which of their differences are real.

All are compared on the examples that every one of them has, so that none gains by an easier set. Costs a bootstrap for
each two readers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from elusive.errors import OptionError
from elusive.indicators.readings import Figure, Measure, ReaderReadings, applies
from elusive.statistics import Estimate, over_examples, paired_difference

_BY: Final = Measure("answer", 95)


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """A reader, and its mean over the examples that all have."""

    reader: str
    mean: Estimate


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much more the better of two readers has, over the same examples."""

    better: str
    worse: str
    difference: Estimate

    @property
    def is_real(self) -> bool:
        """Whether the 95 % interval leaves 0 out."""
        return self.difference.is_positive


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Readers in order.

    Attributes:
        measure, figure: what they are ranked by.
        readers: the highest mean first; equal ones in the order given.
        differences: of each two readers. Each interval is 95 % by itself: of twenty pairs of equal readers, one is
            expected to look different.
    """

    measure: Measure
    figure: Figure
    readers: tuple[Ranked, ...]
    differences: tuple[Difference, ...]


def ranking(
    readers: Sequence[ReaderReadings], *, measure: Measure = _BY, figure: Figure = "lift", seed: int = 0
) -> Ranking:
    """Rank readers by one figure of one indicator.

    Args:
        readers: each under a name of its own, on one fixed set of passages.
        measure: the indicator and its percentile.
        figure: `lift` compares readers of any kind and prompts of any length; `spearman` decoder-only readers.
        seed: of the bootstrap.

    Raises:
        OptionError: two readers of one name, a figure that does not apply to one of them, one that was not measured
            so, or no example that all have.
    """
    if len({reader.reader for reader in readers}) < len(readers):
        raise OptionError(f"two readers have one name: {', '.join(reader.reader for reader in readers)}")
    values = _on_common_examples(readers, measure, figure)
    ranked = [Ranked(reader=name, mean=over_examples(row, seed=seed)) for name, row in values.items()]
    ranked.sort(key=lambda one: -(one.mean.mean or 0.0))
    differences = tuple(
        Difference(
            better=better.reader,
            worse=worse.reader,
            difference=paired_difference(values[better.reader], values[worse.reader], seed=seed),
        )
        for better, worse in combinations(ranked, 2)
    )
    return Ranking(measure=measure, figure=figure, readers=tuple(ranked), differences=differences)


def _on_common_examples(readers: Sequence[ReaderReadings], measure: Measure, figure: Figure) -> dict[str, list[float]]:
    """A figure by reader, over the examples for which all have it."""
    found: dict[str, dict[str, float]] = {}
    for reader in readers:
        if not applies(reader.kind, measure.target, figure):
            raise OptionError(
                f"{figure} at {measure} says nothing of the {reader.kind} reader {reader.reader!r}; "
                "rank by the lift of the answer"
            )
        figures = {example: float(getattr(i, figure)) for example, i in reader.of(measure).items()}
        found[reader.reader] = {example: value for example, value in figures.items() if not np.isnan(value)}
    common = sorted(set.intersection(*(set(figures) for figures in found.values()))) if found else []
    if not common:
        raise OptionError(f"the readers have no example in common at {measure}; score them on one set of passages")
    return {reader: [figures[example] for example in common] for reader, figures in found.items()}
