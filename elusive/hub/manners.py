"""How huggingface_hub is to behave while it works for us: quiet, and not for ever; as it was before afterwards."""

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Final

from elusive.progress import Progress

TIMEOUT: Final = 60.0


@contextlib.contextmanager
def quiet_library(progress: Progress) -> Iterator[None]:
    """No bars, log lines and warnings of huggingface_hub; its waits are told on `progress`."""
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    logger = logging.getLogger("huggingface_hub")
    handlers, propagate, hidden = logger.handlers[:], logger.propagate, are_progress_bars_disabled()
    logger.handlers, logger.propagate = [_Waits(progress)], False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not hidden:
            disable_progress_bars()
        try:
            yield
        finally:
            logger.handlers, logger.propagate = handlers, propagate
            if not hidden:
                enable_progress_bars()


class _Waits(logging.Handler):
    """Turns the library's lines about a wait into ours, without the address that it waits for."""

    _WHY = re.compile(r"HTTP Error (?P<status>\d+) thrown while requesting|'(?P<error>.*)' thrown while requesting")
    _WAIT = re.compile(r"(?:Retrying in|Waiting) (?P<seconds>[\d.]+)s.*\[Retry (?P<number>\d+)/(?P<all>\d+)\]")

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._why = "no answer"

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if why := self._WHY.search(message):
            self._why = why["status"] or why["error"]
        elif wait := self._WAIT.search(message):
            again = f"trying again in {float(wait['seconds']):.0f} s ({wait['number']} of {wait['all']})"
            self._progress.say(f"uploading: {self._why}; {again}")


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    """A limit in time for calls that the library makes without one, so that a silent Hub does not hold us for ever."""
    from huggingface_hub.utils import get_session  # type: ignore[attr-defined]

    session = get_session()
    before = session.timeout
    session.timeout = TIMEOUT
    try:
        yield
    finally:
        session.timeout = before
