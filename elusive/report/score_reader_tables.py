"""The tables of `elusive score-reader`: both indicators, answers, the paper's values, differences, counts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from elusive.indicators.judged import IndicatorFigures, JudgedReader
from elusive.indicators.published import PUBLISHED, Published
from elusive.indicators.ranking import Difference, Ranking
from elusive.indicators.readings import Figure, Measure, Target
from elusive.report.page import Table
from elusive.report.printed import Cell, FigureTable, Group, counts, interval, mean_and_sd, number

_SPECS: Final[Mapping[Figure, str]] = {"attention": ".4f", "lift": ".2f", "spearman": ".3f"}
_PAPER: Final = tuple(Measure(target, percentile) for target in ("answer", "question") for percentile in (90, 95))
_ALL_PAIRS: Final = 15
"""Of six readers; with more, pairs without the best are left to neighbours."""

Figures = Mapping[Target, Mapping[str, IndicatorFigures]]


def indicator_table(
    readers: Sequence[JudgedReader], target: Target, *, of: Callable[[JudgedReader], Figures], caption: str
) -> FigureTable:
    """An indicator at every percentile, a group each.

    Args:
        readers: a row each.
        target: of the indicator.
        of: which figures of a reader: over all questions, or over some.
        caption: says which.
    """
    percentiles = dict.fromkeys(p for reader in readers for p in of(reader).get(target, {}))
    without = ("without nouns",) if target == "question" else ()
    return FigureTable(
        caption,
        ("attention", "lift", "ρ", "questions", "ρ not defined", "few tokens", *without),
        tuple(Group(_nearest(p), tuple(_rows(readers, target, p, of))) for p in percentiles),
    )


def _rows(
    readers: Sequence[JudgedReader], target: Target, percentile: str, of: Callable[[JudgedReader], Figures]
) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    for reader in readers:
        found = of(reader).get(target, {}).get(percentile)
        if found is None:
            continue
        means = tuple(
            Cell(mean_and_sd(getattr(found, figure), found.sd[figure], spec), interval(found.ci[figure], spec))
            for figure, spec in _SPECS.items()
        )
        without = [found.without_target] if target == "question" else []
        yield reader.reader, means + counts(found.n, found.degenerate, found.few, *without)


def _nearest(percentile: str) -> str:
    return f"the nearest {100 - float(percentile[1:]):g} % of passage tokens ({percentile})"


def answer_table(readers: Sequence[JudgedReader]) -> FigureTable:
    """The readers' own answers, marked."""
    rows = (
        (
            reader.reader,
            (
                Cell(number(reader.em, ".3f"), interval(reader.em_ci, ".3f")),
                Cell(number(reader.f1, ".3f"), interval(reader.f1_ci, ".3f")),
                Cell(number(reader.em_given_hit, ".3f")),
            ),
        )
        for reader in readers
    )
    head = ("exact match", "F1", "exact match given a hit")
    return FigureTable("The readers' own answers", head, (Group("", tuple(rows)),))


def paper_table(readers: Sequence[JudgedReader], figure: Figure) -> FigureTable:
    """Attention or ρ: these readers' on top, then the paper's on each dataset."""
    ours = ((reader.reader, tuple(_ours(reader, measure, figure) for measure in _PAPER)) for reader in readers)
    theirs = (
        Group(f"the paper's, {dataset}", tuple(_experiments(dataset, figure)))
        for dataset in dict.fromkeys(one.dataset for one in PUBLISHED)
    )
    name = "ρ" if figure == "spearman" else "Attention"
    head = tuple(f"{measure.target}, p{measure.percentile:g}" for measure in _PAPER)
    return FigureTable(f"{name}, mean ± sd over questions", head, (Group("these readers", tuple(ours)), *theirs))


def _ours(reader: JudgedReader, measure: Measure, figure: Figure) -> Cell:
    found = reader.indicators[measure.target][f"p{measure.percentile:g}"]
    return Cell(mean_and_sd(getattr(found, figure), found.sd[figure], ".3f"))


def _experiments(dataset: str, figure: Figure) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    found: dict[str, dict[Measure, Published]] = {}
    for one in PUBLISHED:
        if one.dataset == dataset:
            found.setdefault(one.reader, {})[one.measure] = one
    for name, by_measure in found.items():
        cells = (
            Cell(mean_and_sd(getattr(by_measure[m], figure), getattr(by_measure[m], f"{figure}_sd"), ".3f"))
            for m in _PAPER
        )
        yield name, tuple(cells)


def difference_table(ranking: Ranking) -> Table:
    """Pairs of readers: all of a few; of many, those with the best one and those next to each other."""
    pairs = ranking.differences
    if len(pairs) > _ALL_PAIRS:
        names = [one.reader for one in ranking.readers]
        neighbours = set(pairwise(names))
        pairs = tuple(d for d in pairs if d.better == names[0] or (d.better, d.worse) in neighbours)
    return Table(
        "Differences of lift, the better reader first"
        + ("" if len(pairs) == len(ranking.differences) else "; with the best one, and of neighbours"),
        ("reader", "against", "difference", "95 % interval", "the difference is"),
        tuple(_difference(one) for one in pairs),
    )


def _difference(one: Difference) -> tuple[str, ...]:
    found = one.difference
    bounds = None if found.low is None or found.high is None else (found.low, found.high)
    return (
        one.better,
        one.worse,
        number(found.mean, "+.2f"),
        interval(bounds, "+.2f") or "n/a: one question",
        "real" if one.is_real else "may be chance",
    )


def count_table(readers: Sequence[JudgedReader]) -> FigureTable:
    """What each reader read."""
    rows = (
        (
            reader.reader,
            (
                *counts(reader.samples, reader.unread, reader.hits),
                Cell(f"{reader.hits / reader.samples:.3f}" if reader.samples else "n/a"),
                *counts(reader.tokens, reader.cut),
            ),
        )
        for reader in readers
    )
    head = ("questions read", "not readable", "hits", "hit rate", "tokens", "passages shortened")
    return FigureTable("What each reader read", head, (Group("", tuple(rows)),))
