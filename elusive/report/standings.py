"""Each reader's standing: its verdict in words, and its lift as a mark on a line that all readers share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from elusive.indicators.judged import JudgedReader
from elusive.indicators.ranking import Ranked, Ranking
from elusive.indicators.readings import FIGURES
from elusive.indicators.verdict import Word
from elusive.report.printed import interval, number, sentence

_CLASSES: Final[Mapping[Word, str]] = {"good": "good", "poor": "poor", "not enough evidence": "open", "n/a": "open"}


@dataclass(frozen=True)
class Standing:
    """A reader in the ranking.

    Attributes:
        reader, kind, is_reference: which it is.
        word, word_class: its verdict, and how that is set.
        why, advice: in sentences.
        by_question: what indicator 2 says by itself: its word, why, and advice.
        lift, interval: over the examples that all readers have.
        left, width, at, one: of the interval, the mean and a lift of 1 on the line, in percent.
    """

    reader: str
    kind: str
    is_reference: bool
    word: str
    word_class: str
    why: str
    advice: str
    by_question: str
    lift: str
    interval: str
    left: float
    width: float
    at: float
    one: float


@dataclass(frozen=True)
class Lead:
    """What the ranking says of the best reader: those that it is better than for sure, and those that it may not be."""

    best: Standing
    real: tuple[str, ...]
    chance: tuple[str, ...]


def standings(readers: Sequence[JudgedReader], ranking: Ranking) -> tuple[Standing, ...]:
    """The readers, best first."""
    by_name = {reader.reader: reader for reader in readers}
    end = max((one.mean.high or one.mean.mean or 0.0 for one in ranking.readers), default=0.0)
    scale = 100 / max(1.08 * end, 1.2)
    return tuple(_standing(by_name[one.reader], one, scale) for one in ranking.readers)


def lead(ranked: Sequence[Standing], ranking: Ranking) -> Lead:
    """How sure it is that the first is the best."""
    of_best = [one for one in ranking.differences if one.better == ranked[0].reader]
    return Lead(
        ranked[0],
        real=tuple(one.worse for one in of_best if one.is_real),
        chance=tuple(one.worse for one in of_best if not one.is_real),
    )


def why_not_applicable(readers: Sequence[JudgedReader]) -> str:
    """Why figures of the indicators are n/a, if some are."""
    reasons = []
    if any(reader.kind == "encoder-decoder" for reader in readers):
        reasons.append(
            "Of an encoder-decoder only the lift of the answer's tokens was found to go with quality; the rest is n/a."
        )
    if any(reader.kind == "decoder-only" and _lacks_a_figure(reader) for reader in readers):
        reasons.append("A figure that no question defines is n/a.")
    return " ".join(reasons)


def why_unmarked(readers: Sequence[JudgedReader], *, were_asked: bool) -> str:
    """Why figures of the readers' own answers are n/a, if some are."""
    if not were_asked:
        return "n/a: the readers were not asked to answer by themselves."
    reasons = []
    if any(reader.em is None for reader in readers):
        reasons.append("Exact match and F1 are n/a where no right answer is known.")
    if any(reader.em is not None and reader.em_given_hit is None for reader in readers):
        reasons.append("Exact match given a hit is n/a where no passage holds an answer.")
    return " ".join(reasons)


def _lacks_a_figure(reader: JudgedReader) -> bool:
    found = (one for by_percentile in reader.indicators.values() for one in by_percentile.values())
    return any(getattr(one, figure) is None for one in found for figure in FIGURES)


def _standing(reader: JudgedReader, ranked: Ranked, scale: float) -> Standing:
    mean = ranked.mean
    low, high = (mean.mean or 0.0 if bound is None else bound for bound in (mean.low, mean.high))
    by_question = reader.verdicts["question"]
    return Standing(
        reader=reader.reader,
        kind=reader.kind,
        is_reference=reader.is_reference,
        word="reference" if reader.is_reference else reader.verdict,
        word_class=_CLASSES[reader.verdict],
        why=sentence(reader.why),
        advice=sentence(reader.advice),
        by_question=f"{by_question.word}. {sentence(by_question.reason)} {sentence(by_question.advice)}",
        lift=number(mean.mean, ".2f"),
        interval=interval(None if mean.low is None or mean.high is None else (mean.low, mean.high), ".2f"),
        left=scale * low,
        width=scale * (high - low),
        at=scale * (mean.mean or 0.0),
        one=scale,
    )
