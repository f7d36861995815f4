"""The events of a run, and doing something at one of them: dying, most of all.

An event is a call that changes the file system, a step of progress, or a call that a test asks to be seen. They come in
the same order in every run, so a moment can be named by its number.
"""

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Action = Callable[[], object]
CALLS = ("mkdir", "fsync", "replace", "unlink", "rmdir")


@dataclass(frozen=True)
class Event:
    """One event: in which stage it came, and what it was."""

    stage: str
    what: str


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Watch:
    """A run's `Progress` that sees its events.

    Attributes:
        at: the number of the event at which to act; None acts at none.
        act: what is done then.
        after: act when the event has taken effect, rather than before.
        torn: the event renames a file: cut it first, as if its writing had come only so far; a share of its length.
        ever_after: act at each later event too.
    """

    at: int | None = None
    act: Action = die
    after: bool = False
    torn: float | None = None
    ever_after: bool = False
    events: list[Event] = field(default_factory=list)
    _stage: str = "start"

    def install(self) -> None:
        """From now on, in this process for good."""
        for name in CALLS:
            self.see(os, name)

    def see(self, owner: object, name: str, *, stage: str | None = None) -> None:
        """Calls of a function are events too, and begin a stage where one is named; likewise for good."""
        setattr(owner, name, self._observed(name, getattr(owner, name), stage=stage))

    @contextlib.contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
        self._enter(name)
        self._see("begin", lambda: None)
        yield lambda n: self._see("advance", lambda: None) if n else None
        self._see("end", lambda: None)
        if name == "write":
            self._enter("finish")

    def say(self, message: str) -> None:
        pass

    def _enter(self, name: str) -> None:
        if self._stage != "finish":
            self._stage = re.sub(r"\S*/", "", name.removesuffix(" model"))  # a model goes by its name without folders

    def _observed(self, name: str, call: Callable[..., Any], *, stage: str | None) -> Callable[..., Any]:
        def observed(first: Any, *args: Any, **options: Any) -> Any:
            if stage:
                self._enter(stage)
            return self._see(name, lambda: call(first, *args, **options), file=first)

        return observed

    def _see(self, what: str, effect: Callable[[], Any], *, file: Any = None) -> Any:
        number = len(self.events)
        self.events.append(Event(self._stage, what))
        met = self.at is not None and (number == self.at or (self.ever_after and number > self.at))
        if met and self.torn is not None:
            os.truncate(file, int(self.torn * Path(file).stat().st_size))
        if met and not self.after:
            self.act()
        try:
            return effect()
        finally:
            if met and self.after:
                self.act()
