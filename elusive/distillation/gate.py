"""Before and during training: is the reader fit to teach, and does the retriever's space collapse (METHOD 2.4)? Pure.

The closed top-k KL does not hold the geometry between topics, so a space can contract while the loss falls. Two alarms
need no labels: the gap between the first and the 50th score (it saw 12 of 19 falls beforehand, with 5 false alarms in
22), and the overlap with the initial results (9 of 19). The third is the fall itself. What to do is the loop's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from elusive.errors import OptionError
from elusive.indicators.verdict import Verdict, Word

Sign: TypeAlias = Literal["gap", "overlap", "hit_rate"]
"""What an alarm is raised by."""

_PASSES: Final[frozenset[Word]] = frozenset({"good", "n/a"})


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is known of a retriever at one time; None is not measured.

    Attributes:
        gap: how far the score of rank 1 is above that of rank 50, mean over questions.
        overlap: at 5 with the initial retriever's results.
        hit_rate: HR@5 on dev.
    """

    gap: float | None = None
    overlap: float | None = None
    hit_rate: float | None = None


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Below which there is an alarm; 0 turns one off.

    Attributes:
        gap: share of its start.
        overlap: itself.
        hit_rate: share of its start.

    Raises:
        OptionError: what is no share.
    """

    gap: float = 0.7
    overlap: float = 0.6
    hit_rate: float = 1.0

    def __post_init__(self) -> None:
        for sign in get_args(Sign):
            if not 0 <= getattr(self, sign) <= 1:
                raise OptionError(f"threshold {sign} {getattr(self, sign)} is not between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A sign of collapse.

    Attributes:
        sign: what raised it.
        value: what was measured.
        threshold: what it is below, in the same unit.
        words: for the user, one line.
    """

    sign: Sign
    value: float
    threshold: float
    words: str


@dataclass(frozen=True)
class Alarms:
    """What watches one run.

    Attributes:
        start: the initial retriever.
        thresholds: when there is an alarm.
    """

    start: Measured
    thresholds: Thresholds = Thresholds()

    def check(self, measured: Measured) -> tuple[Alarm, ...]:
        """The alarms that a measurement raises; a figure that is no number raises its own."""
        return tuple(self._raised(measured))

    def _raised(self, now: Measured) -> Iterator[Alarm]:
        start, least = self.start, self.thresholds
        if now.gap is not None and start.gap is not None and _is_below(now.gap, least.gap * start.gap):
            words = (
                f"the embeddings contract: rank 1 is {now.gap:.3g} above rank 50, below {least.gap:g} of the "
                f"{start.gap:.3g} at the start"
            )
            yield Alarm(sign="gap", value=now.gap, threshold=least.gap * start.gap, words=words)
        if now.overlap is not None and _is_below(now.overlap, least.overlap):
            words = (
                f"the results have moved far: {now.overlap:.3f} of the first 5 are the initial retriever's, below "
                f"{least.overlap:g}"
            )
            yield Alarm(sign="overlap", value=now.overlap, threshold=least.overlap, words=words)
        if (
            now.hit_rate is not None
            and start.hit_rate is not None
            and _is_below(now.hit_rate, least.hit_rate * start.hit_rate)
        ):
            of_start = "" if least.hit_rate == 1 else f"{least.hit_rate:g} of "
            words = f"HR@5 on dev is {now.hit_rate:.3f}, below {of_start}the {start.hit_rate:.3f} at the start"
            yield Alarm(sign="hit_rate", value=now.hit_rate, threshold=least.hit_rate * start.hit_rate, words=words)


@dataclass(frozen=True)
class GateDecision:
    """Whether to train the retriever from a reader.

    Attributes:
        go: whether to.
        reason: why, one line; where it stops, with what to do.
    """

    go: bool
    reason: str


def reader_gate(verdict: Verdict) -> GateDecision:
    """What a verdict on the reader, by indicator 1, says of distilling from it.

    What is not shown to be good stops: an untuned reader is not poorer than itself, and taught nothing in METHOD 2.4.
    Where the indicators do not apply (n/a), nothing is held against the reader.
    """
    if verdict.word in _PASSES:
        return GateDecision(True, f"the reader's attention is {verdict.word}: {verdict.reason}")
    return GateDecision(False, f"the reader's attention is {verdict.word}: {verdict.reason}; {verdict.advice}")


def _is_below(value: float, threshold: float) -> bool:
    """Also of NaN."""
    return not value >= threshold
