"""Runs in forked children: a kill is a real one, and costs no second start of the libraries."""

import gc
import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from elusive.errors import ElusiveError

DONE, REFUSED, BROKEN = 0, 7, 9
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a child ended: its status, negative for a signal, and the error it had to tell."""

    status: int
    said: str


@dataclass
class Forks:
    """Children of this process, which tell how they ended by files in `home`."""

    home: Path

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

    def _message(self, child: int) -> Path:
        return self.home / f"said-{child}"
