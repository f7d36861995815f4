"""Commands of ours as processes: what they say is kept in a log, and whoever is asked to end can end them all.

Each has a process group of its own, so that a Ctrl-C reaches them once, through us. Output goes through a pipe: where
this process is killed outright, what it has started ends at its next word instead of working on unseen.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

# Without -P, a module in the user's working folder would stand before the library of the same name.
_PROGRAM: Final = (sys.executable, "-P", "-m", "elusive_cli")
_CHUNK: Final = 1 << 16


class EndedError(Exception):
    """No process is started any more."""


class Processes:
    """The commands at work, from whichever thread they were started.

    Args:
        environment: of each, beside this process's own.
        relay: called with what they write, as it comes.
    """

    def __init__(self, environment: Mapping[str, str], *, relay: Callable[[bytes], object]) -> None:
        self._environment = {**os.environ, **environment}
        self._relay = relay
        self._alive: set[subprocess.Popen[bytes]] = set()
        self._is_ended = False
        self._lock = threading.Lock()

    def run(self, words: Sequence[str], *, log: Path) -> int:
        """Run a command to its end.

        Args:
            words: its name and what follows it.
            log: what it writes is added there, below its command line.

        Returns:
            its exit code; of one that a signal ended 128 + the signal, as shells have it.

        Raises:
            EndedError: `end` was called before it could start.
        """
        with log.open("ab", buffering=0) as kept:
            kept.write(f"$ elusive {shlex.join(words)}\n".encode())
            with self._start(words) as process:
                assert process.stdout is not None
                try:
                    while chunk := os.read(process.stdout.fileno(), _CHUNK):
                        kept.write(chunk)
                        self._relay(chunk)
                    code = process.wait()
                finally:
                    with self._lock:
                        self._alive.discard(process)
        return code if code >= 0 else 128 - code

    def end(self) -> None:
        """Ask all to end, as a user would; none is started after this."""
        with self._lock:
            self._is_ended = True
            for process in self._alive:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)  # SIGINT is ignored by what a shell runs in the background

    def _start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_ended:
                raise EndedError
            process = subprocess.Popen(
                [*_PROGRAM, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environment,
                process_group=0,
            )
            self._alive.add(process)
            return process
