"""What a user sees: results on stdout, talk on stderr, one line for an error.

`ELUSIVE_DEBUG=1` shows the traceback of an error instead of its line.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import typer

INTERRUPTED = 130
TERMINATED = 143


@contextmanager
def explained() -> Iterator[None]:
    """Errors that elusive can explain become one line and exit code 1; Ctrl-C and SIGTERM end cleanly."""
    from elusive.errors import ElusiveError

    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except ElusiveError as error:
        if os.environ.get("ELUSIVE_DEBUG"):
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    typer.echo("terminated; the same command goes on from here", err=True)
    sys.exit(TERMINATED)


def show(result: Mapping[str, Any], *, as_json: bool, table: Callable[[], list[tuple[str, str]]]) -> None:
    """Print a result on stdout, as one JSON object or as a table of two columns."""
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
        return
    rows = table()
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{typer.style(name.ljust(width), bold=True)}  {value}")
