"""Everything that is said of a reader: its figures, with and without the questions that nothing could answer, and its
verdict against the reference.

Costs a bootstrap for each figure. Knows nothing of models and files.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from elusive.indicators.examples import Example, ReaderExamples
from elusive.indicators.readings import (
    FIGURES,
    Figure,
    Measure,
    ReaderKind,
    ReaderReadings,
    Summary,
    Target,
    summarise,
)
from elusive.indicators.verdict import INDICATORS, Verdict, Word, verdict
from elusive.statistics import Estimate, over_examples

_IS_THE_REFERENCE: Final = Verdict(
    word="n/a", reason="it is the reference, which the others are compared with", advice="judge the others by it"
)


@dataclass(frozen=True, kw_only=True)
class IndicatorFigures:
    """An indicator at a percentile, over all examples.

    Attributes:
        attention, lift, spearman: means; None where it does not apply to this kind of reader, or nothing defines it.
        sd: their standard deviations over examples.
        ci: their 95 % intervals, low and high.
        n: examples with the target (the answer, or a noun).
        degenerate: of these, the ones where ρ is not defined, since score or similarity is the same for all.
        without_target: examples without it.
        few: examples with fewer than ten nearest tokens, in which ρ says little.
    """

    attention: float | None
    lift: float | None
    spearman: float | None
    sd: Mapping[Figure, float | None]
    ci: Mapping[Figure, tuple[float, float] | None]
    n: int
    degenerate: int
    without_target: int
    few: int


@dataclass(frozen=True, kw_only=True)
class JudgedReader:
    """A reader, measured and judged.

    Attributes:
        reader, kind: which it is.
        is_reference: whether the others are compared with it.
        samples: questions read.
        hits: of these, the ones with an answer in a passage.
        unread: questions that it could not read.
        indicators: by target, then by percentile (`p90`).
        indicators_given_hit: the same over the hits alone; empty where there is none.
        em, f1: of its own answers; None where it was not asked for them.
        em_ci, f1_ci: their 95 % intervals.
        em_given_hit: exact match over the hits alone.
        verdict, why, advice: by indicator 1 (METHOD 2.3).
        verdicts: by target: what each indicator says by itself.
        slots: mean share of the passage read first, second, …, [place].
        slot_hits: how often that passage holds an answer, [place].
        head_lifts: mean lift of the tokens nearest to the answer in each layer and head alone, [layer][head].
        tokens: read in all; of passages that were too long, those left.
        cut: examples whose passages were shortened to fit.
    """

    reader: str
    kind: ReaderKind
    is_reference: bool
    samples: int
    hits: int
    unread: int
    indicators: Mapping[Target, Mapping[str, IndicatorFigures]]
    indicators_given_hit: Mapping[Target, Mapping[str, IndicatorFigures]]
    em: float | None
    em_ci: tuple[float, float] | None
    em_given_hit: float | None
    f1: float | None
    f1_ci: tuple[float, float] | None
    verdict: Word
    why: str
    advice: str
    verdicts: Mapping[Target, Verdict]
    slots: tuple[float, ...]
    slot_hits: tuple[float, ...]
    head_lifts: tuple[tuple[float, ...], ...]
    tokens: int
    cut: int


def judge(
    readers: Sequence[ReaderExamples], *, reference: str | None, measures: Sequence[Measure], seed: int = 0
) -> tuple[JudgedReader, ...]:
    """Measure readers and judge them.

    Args:
        readers: on one fixed set of questions and passages.
        reference: the name of the one that the others are compared with; None where there is none.
        measures: the indicators and percentiles that were taken.
        seed: of the bootstrap.
    """
    readings = {reader.reader: reader.readings_of(measures) for reader in readers}
    compared = readings[reference] if reference is not None else None
    return tuple(
        _judged(reader, readings[reader.reader], compared, is_reference=reader.reader == reference, seed=seed)
        for reader in readers
    )


def _judged(
    reader: ReaderExamples, readings: ReaderReadings, reference: ReaderReadings | None, *, is_reference: bool, seed: int
) -> JudgedReader:
    verdicts: dict[Target, Verdict] = {
        target: _IS_THE_REFERENCE if is_reference else verdict(readings, reference, target=target, seed=seed)
        for target in INDICATORS
    }
    by_answer, examples = verdicts["answer"], reader.examples
    em, f1 = (_mean(examples, of, seed=seed) for of in (lambda e: e.exact_match, lambda e: e.f1))
    hits = [example for example in examples if any(example.holds)]
    em_given_hit = _mean(hits, lambda e: e.exact_match, seed=seed)
    return JudgedReader(
        reader=reader.reader,
        kind=reader.kind,
        is_reference=is_reference,
        samples=len(examples),
        hits=len(hits),
        unread=len(reader.unread),
        indicators=_indicators(readings, seed=seed),
        indicators_given_hit=_indicators(readings.only(reader.hits), seed=seed) if hits else {},
        em=em.mean,
        em_ci=_interval(em),
        em_given_hit=em_given_hit.mean,
        f1=f1.mean,
        f1_ci=_interval(f1),
        verdict=by_answer.word,
        why=by_answer.reason,
        advice=by_answer.advice,
        verdicts=verdicts,
        slots=_by_place(examples, lambda e: e.shares),
        slot_hits=_by_place(examples, lambda e: e.holds),
        head_lifts=reader.head_lifts,
        tokens=sum(example.n_tokens for example in examples),
        cut=sum(example.n_cut > 0 for example in examples),
    )


def _indicators(readings: ReaderReadings, *, seed: int) -> dict[Target, dict[str, IndicatorFigures]]:
    found: dict[Target, dict[str, IndicatorFigures]] = {"answer": {}, "question": {}}
    for measure in readings.indicators:
        found[measure.target][f"p{measure.percentile:g}"] = _figures(summarise(readings, measure, seed=seed), readings)
    return found


def _figures(summary: Summary, readings: ReaderReadings) -> IndicatorFigures:
    means: dict[Figure, Estimate | None] = {figure: getattr(summary, figure) for figure in FIGURES}
    found = readings.of(summary.measure).values()
    return IndicatorFigures(
        **{figure: mean.mean if mean else None for figure, mean in means.items()},
        sd={figure: mean.sd if mean else None for figure, mean in means.items()},
        ci={figure: _interval(mean) if mean else None for figure, mean in means.items()},
        n=len(found),
        degenerate=sum(bool(np.isnan(one.spearman)) for one in found),
        without_target=summary.n_without_target,
        few=summary.n_few,
    )


def _mean(examples: Iterable[Example], of: Callable[[Example], float | None], *, seed: int) -> Estimate:
    return over_examples([np.nan if (value := of(example)) is None else value for example in examples], seed=seed)


def _interval(estimate: Estimate) -> tuple[float, float] | None:
    return None if estimate.low is None or estimate.high is None else (estimate.low, estimate.high)


def _by_place(examples: Sequence[Example], of: Callable[[Example], Sequence[float]]) -> tuple[float, ...]:
    """The mean over the examples that have a passage at that place."""
    places: list[list[float]] = [[] for _ in range(max((len(e.order) for e in examples), default=0))]
    for example in examples:
        for place, number in enumerate(example.order):
            places[place].append(float(of(example)[number]))
    return tuple(float(np.mean(values)) for values in places)
