"""Whether a reader's attention is fit to teach a retriever: good, poor, not enough evidence, or n/a (METHOD 2.3).

A reader is compared with its reference, the untuned checkpoint, on the examples that both have read. Indicator 1 asks
for a rise of lift and of ρ, indicator 2 for a rise of lift and a mean ρ above .3. What is not shown is said not to be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from elusive.choices import Teacher
from elusive.indicators.readings import Figure, Measure, ReaderKind, ReaderReadings, Target, applies, summarise
from elusive.statistics import Estimate, paired_difference

Word: TypeAlias = Literal["good", "poor", "not enough evidence", "n/a"]

INDICATORS: Final[Mapping[Target, Measure]] = {"answer": Measure("answer", 95), "question": Measure("question", 90)}
"""Indicators 1 and 2, at the percentiles that their verdicts are given at."""

_WEAKLY_MONOTONIC: Final = 0.3
"""ρ above which the paper calls a relation so (arXiv 2402.11794, indicator 2)."""

_NAMES: Final[Mapping[Figure, str]] = {"lift": "lift", "spearman": "ρ"}

_DISTIL: Final = "its attention is fit to teach the retriever"
_TUNE_FIRST: Final = "do not distil from it: tune it on questions with their passages, then score it again"
_SCORE_MORE: Final = "score more examples, with both readers on the same passages"
_BY_INDICATOR_1: Final = "go by the answer's tokens (indicator 1); more examples will not settle this"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is said of a reader.

    Attributes:
        word: the verdict.
        reason: the figures that it rests on, in plain words.
        advice: what to do.
        lift, spearman: change against the reference; None where it does not count, or nothing was compared.
    """

    word: Word
    reason: str
    advice: str
    lift: Estimate | None = None
    spearman: Estimate | None = None


_NO_REFERENCE: Final = Verdict(
    word="not enough evidence",
    reason="there is no reference reader, and no value is good or poor by itself",
    advice="score the checkpoint before tuning on the same passages, and name it as the reference",
)
_NOT_BY_ATTENTION: Final = Verdict(
    word="n/a",
    reason="the retriever does not learn from attention, and perplexity, from which it may, was found to follow "
    "neither indicator",
    advice="judge this teacher by the retriever's hit rate after training",
)
_ENCODER_DECODER: Final = Verdict(
    word="n/a",
    reason="of an encoder-decoder only the lift of the answer's tokens was found to go with quality",
    advice="go by the answer's tokens (indicator 1)",
)


def verdict(
    readings: ReaderReadings,
    reference: ReaderReadings | None,
    *,
    target: Target,
    teacher: Teacher = "attention",
    seed: int = 0,
) -> Verdict:
    """The verdict on a reader by one of the indicators.

    Args:
        readings: of the reader.
        reference: of the checkpoint before it was tuned, on the same passages; None where there is none.
        target: `answer` for indicator 1, `question` for indicator 2.
        teacher: what of the reader the retriever is to learn from.
        seed: of the bootstrap.

    Raises:
        OptionError: a reader that was not measured at the percentile of this indicator.
    """
    if teacher != "attention":
        return _NOT_BY_ATTENTION
    kinds = {readings.kind} | ({reference.kind} if reference else set())
    if not _counts(kinds, target, "lift"):
        return _ENCODER_DECODER
    if reference is None:
        return _NO_REFERENCE
    measure = INDICATORS[target]
    lift = change(readings, reference, measure, "lift", seed=seed)
    if target == "question":
        return _of_question(lift, summarise(readings, measure, seed=seed).spearman)
    if not _counts(kinds, target, "spearman"):
        return _of_answer(lift, None)
    return _of_answer(lift, change(readings, reference, measure, "spearman", seed=seed))


def change(
    readings: ReaderReadings, reference: ReaderReadings, measure: Measure, figure: Figure, *, seed: int = 0
) -> Estimate:
    """How much larger a figure is than the reference's, over the examples that both have."""
    mine, theirs = readings.of(measure), reference.of(measure)
    both = [example for example in mine if example in theirs]
    return paired_difference(
        [getattr(mine[example], figure) for example in both],
        [getattr(theirs[example], figure) for example in both],
        seed=seed,
    )


def _counts(kinds: set[ReaderKind], target: Target, figure: Figure) -> bool:
    return all(applies(kind, target, figure) for kind in kinds)


def _of_answer(lift: Estimate, spearman: Estimate | None) -> Verdict:
    """By the changes that count."""
    changes = [lift] if spearman is None else [lift, spearman]
    outcome: tuple[Word, str] = ("not enough evidence", _SCORE_MORE)
    if any(estimate.is_negative for estimate in changes):
        outcome = ("poor", _TUNE_FIRST)
    elif all(estimate.is_positive for estimate in changes):
        outcome = ("good", _DISTIL)
    reason = _in_words("lift", lift) + ("" if spearman is None else f"; {_in_words('spearman', spearman)}")
    return Verdict(word=outcome[0], reason=reason, advice=outcome[1], lift=lift, spearman=spearman)


def _of_question(lift: Estimate, spearman: Estimate | None) -> Verdict:
    """By the change of lift, and by ρ itself."""
    mean = spearman.mean if spearman else None
    is_monotonic = mean is not None and mean > _WEAKLY_MONOTONIC
    outcome: tuple[Word, str] = ("not enough evidence", _SCORE_MORE)
    if lift.is_positive and is_monotonic:
        outcome = ("good", _DISTIL)
    elif lift.is_negative or (spearman and spearman.high is not None and spearman.high <= _WEAKLY_MONOTONIC):
        outcome = ("not enough evidence", _BY_INDICATOR_1)
    rho = (
        "is not defined" if mean is None else f"{mean:.3f} is {'' if is_monotonic else 'not '}above {_WEAKLY_MONOTONIC}"
    )
    return Verdict(word=outcome[0], reason=f"{_in_words('lift', lift)}; mean ρ {rho}", advice=outcome[1], lift=lift)


def _in_words(figure: Figure, estimate: Estimate) -> str:
    name = _NAMES[figure]
    if estimate.mean is None or estimate.low is None:
        return f"{name} is defined for both readers in {estimate.n} of the examples, and must be in two at least"
    interval = f"95 % {estimate.low:+z.3f} to {estimate.high:+z.3f}, {estimate.n} examples"
    if estimate.is_positive or estimate.is_negative:
        return f"{name} {'rises' if estimate.is_positive else 'falls'} by {abs(estimate.mean):.3f} ({interval})"
    return f"{name} may not have changed ({interval})"
