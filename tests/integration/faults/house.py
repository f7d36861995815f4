"""One output folder, what it is made from, and what an undisturbed run leaves in it.

Runs happen in forked children, so that a kill is a real one and costs no second start of the libraries. A chunk is one
text here, so that a small corpus has many chunks and several parts.
"""

import functools
import gc
import json
import os
import shutil
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elusive_cli.app import app

import elusive.progress
from elusive.clues.scoring import Scorer
from elusive.clues.writing import PartWriter
from elusive.data.staging import stage_corpus
from elusive.errors import ElusiveError
from elusive.jobs.augment import augment
from tests.integration.faults.ledger import Fault
from tests.integration.faults.moments import Event, Watch

DONE, REFUSED, BROKEN = 0, 7, 9
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a child ended: its status, negative for a signal, and the error it had to tell."""

    status: int
    said: str


@dataclass
class House:
    """A corpus and two models, and the folder `out` that runs write.

    Attributes:
        home: holds everything.
        chunk_texts: texts a chunk; a user's chunks hold more.
        whole: the files of an undisturbed run; `run.json` without times.
        events: what an undisturbed run goes through.
    """

    home: Path
    chunk_texts: int = 1
    whole: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.out, self.corpus = self.home / "out", self.home / "corpus.jsonl"
        self.large, self.small = self.home / "large", self.home / "small"
        self._spare = self.home / "spare"
        self._account, self._said = self.home / "account", self.home / "said"

    def furnish(self, *, corpus: Path, large: str, small: str) -> "House":
        """Bring in copies, kept twice so that tests may spoil them, and see what an undisturbed run writes."""
        shutil.copy2(corpus, self.corpus)
        shutil.copytree(large, self.large)
        shutil.copytree(small, self.small)
        shutil.copytree(self.home, self._spare)
        warm = self.home / "warm"
        augment(self.corpus, large=str(self.large), small=str(self.small), out=warm, progress=Watch())
        shutil.rmtree(warm)  # what it imported, every child finds ready
        events = self.home / "events.json"

        def record() -> None:
            watch = Watch()
            self.augment(watch)
            events.write_text(json.dumps([[e.stage, e.what] for e in watch.events]))

        assert self.in_child(record) == Ended(DONE, "")
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
        """Corpus and models as they were."""
        for spoilt in (self.large, self.small):
            shutil.rmtree(spoilt, ignore_errors=True)
        self.corpus.unlink(missing_ok=True)
        shutil.copytree(self._spare, self.home, dirs_exist_ok=True)  # times too, by which a change is noticed

    def augment(self, watch: Watch | None = None, **options: Any) -> None:
        """The run itself; only in a child, whose libraries are patched to keep account of the work."""
        watch = watch or Watch()
        self._under(watch)
        given = {"large": str(self.large), "small": str(self.small), "out": self.out, "copies": 2, "target_rate": 0.3}
        augment(self.corpus, progress=watch, **(given | options))

    @property
    def command_line(self) -> list[str]:
        """The same run, as a user types it."""
        models = ["--large", str(self.large), "--small", str(self.small)]
        return ["augment", str(self.corpus), *models, "--out", str(self.out), "--copies", "2", "--target-rate", "0.3"]

    def command(self, watch: Watch) -> None:
        """The same run by the command, with `watch` in the place of its bars; only in a child."""
        self._under(watch)
        elusive.progress.Bars = lambda **_: watch  # type: ignore[misc,assignment]
        app([*self.command_line, "--quiet"])

    def _under(self, watch: Watch) -> None:
        stage_corpus.__kwdefaults__["max_texts"] = self.chunk_texts
        self._keep_account()
        watch.install()

    def run(self, **options: Any) -> Ended:
        """A run in a child, to its end."""
        return self.in_child(lambda: self.augment(**options))

    def run_until(self, at: int, **how: Any) -> Ended:
        """A run in a child in which something happens at an event; see `Watch`."""
        return self.in_child(lambda: self.augment(Watch(at, **how)))

    def in_child(self, action: Callable[[], object]) -> Ended:
        return self.wait(self.start(action))

    def start(self, action: Callable[[], object]) -> int:
        """Begin `action` in a forked child; its process id."""
        child = os.fork()
        if child == 0:
            status = BROKEN
            gc.freeze()  # what the parent holds is none of the child's to collect
            try:
                action()
                status = DONE
            except ElusiveError as error:
                self._message(os.getpid()).write_text(str(error))
                status = REFUSED
            except BaseException:  # noqa: BLE001 (it is told, and the child ends)
                self._message(os.getpid()).write_text(traceback.format_exc())
            finally:
                os._exit(status)
        return child

    def wait(self, child: int) -> Ended:
        """How a child ended."""
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        message = self._message(child)
        said = message.read_text() if message.exists() else ""
        message.unlink(missing_ok=True)
        return Ended(status, said)

    def files(self, out: Path | None = None) -> dict[str, bytes]:
        """What lies in the folder, but for the lock, and for what a store that others may share keeps for an hour."""
        out = out or self.out
        found = {file.relative_to(out).as_posix(): file for file in sorted(out.rglob("*")) if file.is_file()}
        return {
            name: _timeless(file) if name == "run.json" else file.read_bytes()
            for name, file in found.items()
            if name != ".elusive/lock" and not (name.startswith("scores/") and name.endswith((".damaged", "-tmp")))
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
            fault.parts_again = again["part"] / fault.kills
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

    def _message(self, child: int) -> Path:
        return self.home / f"said-{child}"

    def _keep_account(self) -> None:
        account = os.open(self._account, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

        def counted(owner: type, name: str, line: Callable[..., str]) -> None:
            real = getattr(owner, name)

            @functools.wraps(real)
            def call(*args: Any, **options: Any) -> Any:
                os.write(account, f"{line(*args)}\n".encode())
                return real(*args, **options)

            setattr(owner, name, call)

        counted(Scorer, "score", lambda scorer, _probe, tokens: f"chunk {scorer.source.name} {tokens[0].ids[:9]}")
        counted(PartWriter, "write", lambda _writer, _index: "part")

    def _work(self) -> Counter[str]:
        return Counter(self._account.read_text().splitlines()) if self._account.exists() else Counter()


def _timeless(run: Path) -> bytes:
    record = json.loads(run.read_text(encoding="utf-8"))
    del record["checksum"]
    for passing in ("seconds", "peak_bytes"):
        record.get("result", {}).pop(passing, None)
    return json.dumps(record).encode()
