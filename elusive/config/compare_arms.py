"""Options of `elusive compare-arms`."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from elusive.config.fields import ARMS, OUTPUT, Options, Patterns, Place, option
from elusive.errors import near_matches

_NAME: Final = re.compile(r"\w[\w .,:;%+/()-]{0,39}(?<! )")
"""Names stand in tables, sentences and Markdown, and mean nothing there."""


def _written(given: Any) -> Any:
    """Arms as the command line writes them: in YAML and Python a mapping of names to patterns reads better."""
    if isinstance(given, Mapping):
        return tuple(f"{name}={pattern}" for name, pattern in given.items())
    return [given] if isinstance(given, str) else given


def _named(arms: tuple[str, ...]) -> tuple[str, ...]:
    names: list[str] = []
    for arm in arms:
        name, equals, pattern = arm.partition("=")
        if not (equals and name and pattern):
            raise ValueError(f"{arm!r} is no arm; expected NAME=PATTERN such as 'plain=runs/plain-*'")
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name of an arm; expected at most 40 letters, digits, spaces and . , : ; % + - / ( ) _"
            )
        if name in names:
            raise ValueError(f"{name!r} names two arms; expected each name once")
        names.append(name)
    return arms


class CompareArmsConfig(Options):
    """Everything that `elusive compare-arms` can be told; descriptions are its help."""

    arm: Annotated[tuple[str, ...], BeforeValidator(_written), AfterValidator(_named)] = option(
        (),
        ARMS,
        "An arm: its name, and a quoted pattern of its folders of `elusive evaluate`, one for each seed, in the order "
        "of their names; given for each arm.",
        metavar="NAME=PATTERN",
    )
    reference: Patterns = option(
        (), ARMS, "What the other arms are held against; the first arm unless told; may be given again.", metavar="NAME"
    )
    seed: int = option(0, ARMS, "Of the intervals.", ge=0)

    out: Place = option("arms", OUTPUT, "Output folder.")
    best: Place | None = option(
        None,
        OUTPUT,
        "Write the options of `elusive augment` in which the best arm differs from the others here, for its --config.",
        metavar="FILE",
    )

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        if len(self.arms) < 2:
            given = f"one arm, {next(iter(self.arms))!r}," if self.arms else "no arm"
            raise ValueError(f"{given} is nothing to compare; give --arm NAME=PATTERN at least twice")
        for name in self.reference:
            if name not in self.arms:
                raise ValueError(f"reference {name!r} is no arm{near_matches(name, self.arms)}")
        return self

    @property
    def arms(self) -> Mapping[str, str]:
        """Patterns of folders by the name of the arm."""
        return MappingProxyType(dict(arm.split("=", 1) for arm in self.arm))

    @property
    def references(self) -> tuple[str, ...]:
        """The arms that the others are held against, each once."""
        return tuple(dict.fromkeys(self.reference)) or (next(iter(self.arms)),)


ARMS_NEUTRAL_OPTIONS = frozenset({"out", "best"})
"""Options of `CompareArmsConfig` under which another value gives the same files."""
