"""What a user sees: results on stdout, talk on stderr, one line for an error.

`ELUSIVE_DEBUG=1` shows the traceback of an error instead of its line.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import typer

_STOPS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


class _Stopped(KeyboardInterrupt):
    """A signal asks us to end; libraries let it pass, as they do Ctrl-C."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def explained() -> Iterator[None]:
    """Errors that elusive can explain become one line and exit code 1; Ctrl-C, SIGTERM and SIGHUP end cleanly."""
    from elusive.errors import ElusiveError

    for number in _STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, _stop)
    if sys.stderr is None:  # closed by the caller: what we would say goes nowhere
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (open to the end)
    try:
        yield
    except ElusiveError as error:
        if os.environ.get("ELUSIVE_DEBUG"):
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    except _Stopped as stopped:
        with suppress(OSError):  # the terminal may be gone
            typer.echo(f"{_STOPS[stopped.number]}; the same command goes on from here", err=True)
        raise typer.Exit(128 + stopped.number) from None
    except BrokenPipeError:  # nobody reads any more: typer ends quietly
        raise
    except OSError as error:
        if os.environ.get("ELUSIVE_DEBUG"):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what stdout could not take would fail again at exit
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(1) from None


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # asked twice, we end at once; the next run clears up
    raise _Stopped(signal.Signals(number))


def show(result: Mapping[str, Any], *, as_json: bool, table: Callable[[], list[tuple[str, str]]]) -> None:
    """Print a result on stdout, as one JSON object or as a table of two columns."""
    if as_json:
        print_json(result)
    else:
        print_rows(table())


def print_json(result: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout."""
    typer.echo(json.dumps(result, ensure_ascii=False))


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Print a table of two columns on stdout, the first in bold."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{typer.style(name.ljust(width), bold=True)}  {value}")
