"""Readers' names as a page can bear them: short, and still each another."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from elusive.indicators.examples import ReaderExamples
from elusive.indicators.judged import JudgedReader
from elusive.indicators.ranking import Ranking
from elusive.report.glyphs import shortened

MAX_NAME: Final = 60


def short_names(names: Iterable[str]) -> dict[str, str]:
    """A short name for each; what would be the same is numbered."""
    found: dict[str, str] = {}
    for number, name in enumerate(names, 1):
        short = shortened(name, MAX_NAME)
        found[name] = short if short not in found.values() else f"{number}: {short}"
    return found


def with_short_names(
    readers: Sequence[JudgedReader], examples: Sequence[ReaderExamples], ranking: Ranking
) -> tuple[list[JudgedReader], list[ReaderExamples], Ranking]:
    """All three under the readers' short names."""
    names = short_names(reader.reader for reader in readers)
    return (
        [replace(one, reader=names[one.reader]) for one in readers],
        [replace(one, reader=names[one.reader]) for one in examples],
        replace(
            ranking,
            readers=tuple(replace(one, reader=names[one.reader]) for one in ranking.readers),
            differences=tuple(
                replace(one, better=names[one.better], worse=names[one.worse]) for one in ranking.differences
            ),
        ),
    )
