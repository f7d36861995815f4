"""A progress that stops a run at a word or at a step, as Ctrl-C would, and keeps what was said."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class Stopped(Exception):
    pass


@dataclass
class Stopping:
    """Stops when something with `words` is said, or when `steps` steps of training are done; without either, never."""

    words: str = ""
    steps: int = 0
    said: list[str] = field(default_factory=list)

    def say(self, message: str) -> None:
        self.said.append(message)
        if self.words and self.words in message:
            raise Stopped

    @contextmanager
    def stage(self, name: str, *, total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
        done = 0

        def advance(n: int) -> None:
            nonlocal done
            done += n
            if name == "train" and done == self.steps:
                raise Stopped

        yield advance
