"""Command lines read without being run: whether a command is ours, its options are good, and where it writes.

For what holds commands of ours as text, such as recipes.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from elusive.config import load
from elusive.errors import OptionError, near_matches

from .options import given

# Whatever is wrong with a command line; typer has no public name for it, and brings it itself or not, by its version.
_UsageError: Final = typer.BadParameter.__mro__[1]


def read_command(words: Sequence[str], *, to_come: Path) -> Path | None:
    """The output folder of a command; see `elusive.jobs.recipe_steps.ReadCommand`.

    Raises:
        ElusiveError: it is no command of ours, or its options are not good.
    """
    commands = _commands()
    name, *arguments = words or ("",)
    if name not in commands:
        raise OptionError(f"there is no command {name!r}{near_matches(name, commands)}")
    command = commands[name]
    try:
        values = command.make_context(name, arguments).params
    except _UsageError as error:
        raise OptionError(error.format_message()) from None
    except typer.Exit:
        raise OptionError("asks for help, and does nothing") from None
    kind = getattr(command.callback, "config", None)
    if kind is None:  # options of its own, such as those of push
        return None
    file = values.get("config")
    if file is not None and not file.exists() and file.absolute().is_relative_to(to_come.absolute()):
        file = None
    config = load(kind, file=file, assignments=values.get("assignments") or (), flags=given(kind, values))
    return Path(config.out) if "out" in kind.model_fields else None


@functools.cache
def _commands() -> Mapping[str, Any]:
    """The commands that are no groups of commands."""
    from .app import app

    names = {info.name for info in app.registered_commands}
    return {name: command for name, command in typer.main.get_command(app).commands.items() if name in names}
