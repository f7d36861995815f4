"""One output folder, what it is made from, and what an undisturbed run of a job leaves in it.

What is a job's own is in `augment_house` and `reader_house`.
"""

import functools
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from elusive_cli.app import app

import elusive.progress
from tests.integration.faults.forks import DONE, REFUSED, Ended, Forks
from tests.integration.faults.ledger import Fault, tried
from tests.integration.faults.moments import Event, Watch


@dataclass
class House(Forks, ABC):
    """What a job reads, as files and folders of `home`, and the folder `out` that runs write.

    Attributes:
        home: holds everything.
        small_chunks: cut the work of a small input into many chunks; a user's chunks hold more.
        whole: the files of an undisturbed run; `run.json` without times.
        events: what an undisturbed run goes through.
    """

    small_chunks: bool = True
    whole: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    job: ClassVar[str]
    data: ClassVar[str]
    """Name of the file of data."""
    models: ClassVar[tuple[str, str]]
    """Names of the folders of models."""
    store: ClassVar[str]
    """What the store that runs may share is called, as an option and in the folder."""
    results: ClassVar[tuple[str, ...]]
    """How the names of files begin that are the same for the same options, wherever they are."""
    counts_parts: ClassVar[bool] = False
    others_in_the_way: ClassVar[tuple[str, ...]]
    """Files of the user's with names that a run writes, or in folders that are a run's own."""
    beside: ClassVar[tuple[str, ...]]
    """Files of the user's with other names, among a run's."""
    another: ClassVar[Mapping[str, Any]]
    """Options of another run."""

    def __post_init__(self) -> None:
        self.out = self.home / "out"
        self._given: tuple[str, ...] = (self.data, *self.models)
        self._spare = self.home / "spare"
        self._account = self.home / "account"

    @abstractmethod
    def call(self, **options: Any) -> object:
        """The job's function, on what the house holds."""

    @property
    @abstractmethod
    def command_line(self) -> list[str]:
        """The same run, as a user types it."""

    @abstractmethod
    def prepare(self, watch: Watch) -> None:
        """Cut the work small, note it by `counted`, and show the watch what is to be seen; only in a child."""

    def furnish(self, **given: Path | str) -> "House":
        """Bring in copies, kept twice so that tests may spoil them, and see what an undisturbed run writes.

        Args:
            **given: what goes to the places of `data` (without its suffix) and of `models`.
        """
        for place in self._given:
            source = Path(given[place.partition(".")[0]])
            if source.is_dir():
                shutil.copytree(source, self.home / place)
            else:
                shutil.copy2(source, self.home / place)
        shutil.copytree(self.home, self._spare)
        warm = self.home / "warm"
        self.call(out=warm, progress=Watch())
        shutil.rmtree(warm)  # what it imported, every child finds ready
        events = self.home / "events.json"

        def record() -> None:
            watch = Watch()
            self.work(watch)
            events.write_text(json.dumps([[e.stage, e.what] for e in watch.events]))

        ended = self.in_child(record)
        assert ended == Ended(DONE, ""), ended.said
        self.whole = self.files()
        self.events = [Event(*pair) for pair in json.loads(events.read_text())]
        self._undisturbed = self._work()
        return self

    def clear(self) -> None:
        """As if nothing had been run yet, and nothing spoilt."""
        shutil.rmtree(self.out, ignore_errors=True)
        if self.out.is_file():
            self.out.unlink()
        self._account.unlink(missing_ok=True)
        self.restore()

    def restore(self) -> None:
        """Data and models as they were."""
        for spoilt in self.models:
            shutil.rmtree(self.home / spoilt, ignore_errors=True)
        (self.home / self.data).unlink(missing_ok=True)
        shutil.copytree(self._spare, self.home, dirs_exist_ok=True)  # times too, by which a change is noticed

    def work(self, watch: Watch | None = None, **options: Any) -> None:
        """The run itself; only in a child, whose libraries are patched to keep account of the work."""
        watch = watch or Watch()
        self._under(watch)
        self.call(**({"out": self.out, "progress": watch} | options))

    def command(self, watch: Watch) -> None:
        """The same run by the command, with `watch` in the place of its bars; only in a child."""
        self._under(watch)
        elusive.progress.Bars = lambda **_: watch  # type: ignore[misc,assignment]
        app([*self.command_line, "--quiet"])

    def _under(self, watch: Watch) -> None:
        self._lines = os.open(self._account, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.prepare(watch)
        watch.install()

    def counted(self, owner: object, name: str, line: Callable[..., str]) -> None:
        """Note each call of a function in the account: as `part`, or as `chunk` and what was in it."""
        real = getattr(owner, name)

        @functools.wraps(real)
        def call(*args: Any, **options: Any) -> Any:
            os.write(self._lines, f"{line(*args)}\n".encode())
            return real(*args, **options)

        setattr(owner, name, call)

    def tried(self, kind: str) -> AbstractContextManager[Fault]:
        """A fault of this job, which is counted."""
        return tried(self.job, kind)

    def run(self, **options: Any) -> Ended:
        """A run in a child, to its end."""
        return self.in_child(lambda: self.work(**options))

    def run_until(self, at: int, **how: Any) -> Ended:
        """A run in a child in which something happens at an event; see `Watch`."""
        return self.in_child(lambda: self.work(Watch(at, **how)))

    def files(self, out: Path | None = None) -> dict[str, bytes]:
        """What lies in the folder, but for the lock, and for what a store that others may share keeps for an hour."""
        out = out or self.out
        found = {file.relative_to(out).as_posix(): file for file in sorted(out.rglob("*")) if file.is_file()}
        return {
            name: _timeless(file) if name == "run.json" else file.read_bytes()
            for name, file in found.items()
            if name != ".elusive/lock"
            and not (name.startswith(f"{self.store}/") and name.endswith((".damaged", "-tmp")))
        }

    def goes_on(self, fault: Fault, **options: Any) -> None:
        """The same command comes to its end, with the same bytes and nothing beside them."""
        ended = self.run(**options)
        assert ended == Ended(DONE, ""), ended.said
        self.must_be_whole(fault)

    def must_be_whole(self, fault: Fault) -> None:
        """The folder is as an undisturbed run leaves it; the work that was done again is noted."""
        found = self.files()
        changed = [name for name, content in self.whole.items() if found.get(name) != content]
        fault.bytes_lost = sum(len(self.whole[name]) for name in changed)
        assert not changed
        assert found.keys() == self.whole.keys(), "leftovers"
        if fault.kills:
            again = self._work() - self._undisturbed
            fault.chunks_again = sum(n for line, n in again.items() if line.startswith("chunk")) / fault.kills
            fault.parts_again = again["part"] / fault.kills if self.counts_parts else None
        fault.survived, fault.refused = True, False  # refused first, it has gone on all the same

    def refuses(self, fault: Fault, ended: Ended, *words: str) -> None:
        """It was one line, with these words in it."""
        assert ended.status == REFUSED, ended.said
        assert "\n" not in ended.said.strip()
        for word in words:
            assert word in ended.said, ended.said
        fault.refused = True

    def numbers(self, **of: str) -> list[int]:
        """The events whose `stage` or `what` is as given."""
        return [i for i, e in enumerate(self.events) if all(getattr(e, name) == value for name, value in of.items())]

    def _work(self) -> Counter[str]:
        return Counter(self._account.read_text().splitlines()) if self._account.exists() else Counter()


def _timeless(run: Path) -> bytes:
    record = json.loads(run.read_text(encoding="utf-8"))
    del record["checksum"]
    for passing in ("seconds", "peak_bytes"):
        record.get("result", {}).pop(passing, None)
    return json.dumps(record).encode()
