"""When the index is embedded anew: a schedule of steps, or how stale its results have become. Pure.

    "200"                           every 200 steps
    "0-1000:500,1000-10000:2000"    Atlas's grammar: from step a, before step b, every n steps
    "overlap:0.8"                   when the results of probe questions share less than .8 with fresh ones
    "overlap:0.8:25"                the same, looked at every 25 steps instead of 10
    "never"

Steps are those that the optimiser has taken. At step 0 the index is fresh. As in Atlas, a span counts from its own
first step, which is due itself; its "-1" is `never`.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from elusive.errors import OptionError

_MEASURED_EVERY: Final = 10
_GRAMMAR: Final = "expected a number of steps ('200'), spans ('0-1000:500,1000-10000:2000'), 'overlap:0.8' or 'never'"


@dataclass(frozen=True)
class Span:
    """From step `start`, before step `stop` (None: to the end), every `every` steps."""

    start: int
    stop: int | None
    every: int

    def is_due(self, step: int) -> bool:
        """Whether one of its steps is `step`."""
        is_inside = step >= self.start and (self.stop is None or step < self.stop)
        return is_inside and (step - self.start) % self.every == 0


@dataclass(frozen=True, kw_only=True)
class RefreshPolicy:
    """When to refresh; made by `refresh_policy`.

    Attributes:
        spans: of steps at which it is due.
        measured: those at which staleness is to be measured.
        least_overlap: with fresh results, below which the index is stale; None where nothing is measured.
    """

    spans: tuple[Span, ...] = ()
    measured: tuple[Span, ...] = ()
    least_overlap: float | None = None

    def due(self, step: int) -> bool:
        """Whether to refresh after `step` steps, whatever is measured."""
        return step > 0 and any(span.is_due(step) for span in self.spans)

    def measures(self, step: int) -> bool:
        """Whether to measure staleness after `step` steps."""
        return step > 0 and any(span.is_due(step) for span in self.measured)

    def is_stale(self, overlap: float) -> bool:
        """Whether to refresh, where the mean overlap of stale and fresh results is this (see `overlap_at`)."""
        return self.least_overlap is not None and not overlap >= self.least_overlap


def refresh_policy(text: str) -> RefreshPolicy:
    """Read a policy; the grammar is above.

    Raises:
        OptionError: what is none, spans that overlap or are empty, a number that makes no sense.
    """
    words = text.strip()
    if words == "never":
        return RefreshPolicy()
    if words.startswith("overlap:"):
        return _measured(words)
    if words.isascii() and words.isdigit():
        return RefreshPolicy(spans=(Span(0, None, _every(words, words)),))
    spans = tuple(_span(piece.strip(), words) for piece in words.split(","))
    for one, other in pairwise(spans):
        assert one.stop is not None
        if other.start < one.stop:
            raise OptionError(
                f"refresh {words!r}: a span begins at step {other.start}, and the one before it ends at {one.stop}; "
                "expected them in order, none inside another"
            )
    return RefreshPolicy(spans=spans)


def overlap_at(k: int, results: Sequence[Sequence[Hashable]], fresh: Sequence[Sequence[Hashable]]) -> float:
    """How much of the fresh first k is in the first k of `results`, mean over questions.

    Args:
        k: how many results count, at least 1.
        results: of each question, best first; no result twice.
        fresh: of the same questions, likewise.

    Returns:
        From 0 to 1; a question for which there is no fresh result counts as 1.

    Raises:
        OptionError: no questions, different numbers of them, k below 1.
    """
    if k < 1:
        raise OptionError(f"k is {k}; it must be at least 1")
    if len(results) != len(fresh) or not results:
        raise OptionError(f"results of {len(results)} and of {len(fresh)} questions; expected the same, one at least")
    shares = [_share(set(old[:k]), set(new[:k])) for old, new in zip(results, fresh, strict=True)]
    return sum(shares) / len(shares)


def _share(old: set[Hashable], new: set[Hashable]) -> float:
    return len(old & new) / len(new) if new else 1.0


def _measured(words: str) -> RefreshPolicy:
    match = re.fullmatch(r"overlap:([0-9.]+)(?::([0-9]+))?", words)
    try:
        least = float(match[1]) if match else -1.0
    except ValueError:
        least = -1.0
    if match is None or not 0 < least <= 1:
        raise OptionError(f"refresh {words!r}: expected 'overlap:' and a share above 0, at most 1, as in 'overlap:0.8'")
    every = _every(match[2], words) if match[2] else _MEASURED_EVERY
    return RefreshPolicy(measured=(Span(0, None, every),), least_overlap=least)


def _span(piece: str, words: str) -> Span:
    match = re.fullmatch(r"([0-9]+)-([0-9]+):([0-9]+)", piece)
    if match is None:
        raise OptionError(f"refresh {words!r}: {piece!r} is no span; {_GRAMMAR}")
    start, stop = int(match[1]), int(match[2])
    if start >= stop:
        raise OptionError(f"refresh {words!r}: the span {piece!r} is empty; expected its first step below its last")
    return Span(start, stop, _every(match[3], words))


def _every(digits: str, words: str) -> int:
    if int(digits) < 1:
        raise OptionError(
            f"refresh {words!r}: every {int(digits)} steps is no interval; expected at least 1, or 'never'"
        )
    return int(digits)
