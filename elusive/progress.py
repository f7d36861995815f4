"""Progress of long work: one bar a stage on stderr, with the time left. Knows nothing of what is counted."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

_LARGE = 10_000
"""From here on, counts are shown in thousands and millions."""

Advance = Callable[[int], object]


class Progress(Protocol):
    """Where a job says what it is doing."""

    @contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Advance]:
        """A stretch of work of `total` units (None where unknown); the block is given what to call as they pass."""
        ...

    def say(self, message: str) -> None:
        """One line that the user should see."""
        ...


@dataclass(frozen=True)
class Bars:
    """tqdm bars on stderr; in a log file instead of a terminal, a line now and then."""

    quiet: bool = False

    @contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Advance]:
        """See `Progress.stage`."""
        from tqdm import tqdm

        interval = 0.1 if sys.stderr.isatty() else 30
        with tqdm(
            desc=name,
            total=total,
            unit=f" {unit}",
            unit_scale=bool(total and total > _LARGE),
            disable=self.quiet,
            mininterval=interval,
            dynamic_ncols=True,
        ) as bar:
            yield bar.update

    def say(self, message: str) -> None:
        """See `Progress.say`."""
        if not self.quiet:
            from tqdm import tqdm

            tqdm.write(message, file=sys.stderr)
