"""What a page may show of a run: what is local goes by its last name alone, and by more of it where two share that."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from elusive.config import PretrainConfig, ScoreReaderConfig
from elusive.config.fields import Options
from elusive.embedded import is_embedded
from elusive.indicators.examples import ReaderExamples
from elusive.indicators.judged import JudgedReader
from elusive.indicators.ranking import Ranking
from elusive.jobs.reader_sources import Sources

AnyOptions = TypeVar("AnyOptions", bound=Options)


class ShownNames:
    """Puts shown names in the place of a run's own."""

    def __init__(self, config: ScoreReaderConfig, sources: Sources) -> None:
        self._config, self._sources = config, sources
        every = [*sources.readers, *([sources.reference] if sources.reference else [])]
        parts = dict.fromkeys(part for one in every for part in (one.source.name, one.adapter) if part)
        self._parts = _last_names(parts)
        longest_first = sorted(parts, key=len, reverse=True)  # a path may be the beginning of another
        self._any_part = re.compile(rf"(?<![\w/.])(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
        self.names = {one.name: self._shown(one.name) for one in every}

    @cached_property
    def config(self) -> ScoreReaderConfig:
        """The options."""
        config = with_last_names(self._config, ("data", "passages", "template"))
        return config.model_copy(
            update={
                "reader": tuple(map(self._shown, config.reader)),
                "adapter": tuple(map(self._shown, config.adapter)),
                "reference": config.reference and self._shown(config.reference),
            }
        )

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Faults, by name."""
        return {self.names[name]: self._shown(fault) for name, fault in self._sources.faults.items()}

    def judged(self, one: JudgedReader) -> JudgedReader:
        """The same of a reader by its shown name."""
        return replace(one, reader=self.names[one.reader])

    def examples(self, one: ReaderExamples) -> ReaderExamples:
        """The same; what went wrong with a question may hold the reader's name, too."""
        unread = {question: self._shown(why) for question, why in one.unread.items()}
        return replace(one, reader=self.names[one.reader], unread=unread)

    def ranking(self, ranking: Ranking) -> Ranking:
        """The same ranking."""
        return replace(
            ranking,
            readers=tuple(replace(one, reader=self.names[one.reader]) for one in ranking.readers),
            differences=tuple(
                replace(one, better=self.names[one.better], worse=self.names[one.worse]) for one in ranking.differences
            ),
        )

    def _shown(self, text: str) -> str:
        """A name, or a message that holds one."""
        return self._any_part.sub(lambda part: self._parts[part[0]], text)


def with_last_names(config: AnyOptions, fields: Sequence[str]) -> AnyOptions:
    """Options whose files and folders go by their last names."""
    given = {name: value for name in fields if (value := getattr(config, name)) is not None}
    shown = _last_names(given.values())
    return config.model_copy(update={name: shown[value] for name, value in given.items()})


def with_shown_sources(config: PretrainConfig) -> PretrainConfig:
    """Options of a pretraining whose files and folders go by their last names, those of --replay too."""
    shown = with_last_names(config, ("data", "model", "evaluate", "select", "examples", "templates"))
    names = _last_names(source for source, _ in config.replayed)
    return shown.model_copy(update={"replay": tuple(f"{names[source]}:{share:g}" for source, share in config.replayed)})


def _last_names(names: Iterable[str]) -> dict[str, str]:
    """Each name, and as many of its last parts as tell it from the others."""
    shown = {name: name for name in names}
    local = {name: Path(name).absolute().parts for name in shown if _is_local(name)}
    for name, parts in local.items():
        others = [other for other in local.values() if other != parts]  # ./tuned is tuned
        n = next(n for n in range(1, len(parts) + 1) if all(other[-n:] != parts[-n:] for other in others))
        shown[name] = "/".join(parts[-n:])
    return shown


def _is_local(name: str) -> bool:
    """Whether a name is that of a file or folder, be it there or not."""
    return not is_embedded(name) and (name.startswith((".", "/")) or Path(name).exists())
