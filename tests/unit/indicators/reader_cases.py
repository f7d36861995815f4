"""Readers made up: examples of random token scores, with attention planted where a reader should look."""

from collections.abc import Mapping

import numpy as np

from elusive.indicators.indicator import Indicator, indicator
from elusive.indicators.readings import Measure, ReaderKind, ReaderReadings

MEASURES = tuple(Measure(target, percentile) for target in ("answer", "question") for percentile in (90, 95))


def reader(
    name: str,
    *,
    planted: float = 0.0,
    on: str = "answer",
    n: int = 60,
    noise: int = 0,
    unit: float = 1.0,
    kind: ReaderKind = "decoder-only",
) -> ReaderReadings:
    """A reader of `n` examples with 200 passage tokens: what is nearest to a target gets `planted` more."""
    indicators: dict[Measure, dict[str, Indicator]] = {measure: {} for measure in MEASURES}
    for i in range(n):
        example = np.random.default_rng(i)
        near = {target: example.random(200) for target in ("answer", "question")}
        scores = example.exponential(size=200) + 0.2 * np.random.default_rng([noise, i]).exponential(size=200)
        scores += planted * np.maximum(0, near[on] - 0.85)
        for measure in MEASURES:
            indicators[measure][f"q{i}"] = indicator(unit * scores, near[measure.target], measure.percentile)
    return ReaderReadings(reader=name, kind=kind, examples=frozenset(f"q{i}" for i in range(n)), indicators=indicators)


def given(
    name: str, figures: Mapping[str, tuple[float, float]], *, measure: Measure, n_nearest: int = 10, **options: object
) -> ReaderReadings:
    """A reader of which lift and ρ of each example are told."""
    found = {
        example: Indicator(attention=lift / 200, lift=lift, spearman=rho, n_nearest=n_nearest, n_tokens=200)
        for example, (lift, rho) in figures.items()
    }
    return ReaderReadings(reader=name, indicators={measure: found}, **{"examples": frozenset(figures), **options})
