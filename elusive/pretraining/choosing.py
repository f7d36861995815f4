"""Which step of a run is best, and when a run has stopped rising. Knows figures alone.

A measurement is better than another if its exact match is higher or, at equal exact match, its F1. Of equal ones the
first is best, so that a run that only repeats itself ends.
"""

from collections.abc import Sequence

Score = tuple[float, float]
"""Exact match and F1."""


def best_place(scores: Sequence[Score]) -> int:
    """The place of the best measurement, from 0."""
    return max(range(len(scores)), key=lambda place: scores[place])


def has_stalled(scores: Sequence[Score], *, patience: int) -> bool:
    """Whether the last `patience` measurements brought no new best."""
    return len(scores) - 1 - best_place(scores) >= patience if scores else False
