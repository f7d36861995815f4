"""The one error family of elusive: what failed, the value, what was expected, what to do.

Each message is one line that a user can act on. The command line prints it without a traceback; a program
catches `ElusiveError`, or the kind it can mend. Nothing here knows the rest of the package.
"""

import difflib
from collections.abc import Iterable
from typing import Final

import yaml

# A date that is none, a value that its tag does not allow, brackets without end: not all are YAMLError.
YAML_ERRORS: Final = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
"""What reading YAML raises where it is broken."""


class ElusiveError(Exception):
    """Anything that elusive can explain to its user in one line, whatever the names and values in it."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """`text`, with what breaks a line, moves a cursor or turns the direction of writing shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class InputError(ElusiveError):
    """A file, column or text that cannot be used as it is."""


class ModelError(ElusiveError):
    """A model or tokenizer that cannot be loaded, seen into or trusted (NaN scores)."""


class OptionError(ElusiveError, ValueError):
    """An option, or a combination of options, that makes no sense."""


class FolderError(ElusiveError):
    """An output folder that belongs to another run, is locked, or cannot be written."""


class HubError(ElusiveError):
    """The Hugging Face Hub cannot be reached, or refuses."""


class MissingExtraError(ElusiveError, ImportError):
    """An optional dependency that is needed now.

    Args:
        package: what is missing.
        extra: the extra of elusive that brings it.
        purpose: what needs it.
    """

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed; run: pip install 'elusive[{extra}]'")


def near_matches(name: str, choices: Iterable[str]) -> str:
    """The end of an error line: the nearest of `choices` to `name`, else all of them.

    Returns:
        e.g. `; did you mean 'text'?` or `; there are: 'a', 'b'`.
    """
    known = list(choices)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return "; did you mean " + " or ".join(repr(n) for n in near) + "?"
    if not known:
        return "; there are none"
    shown = ", ".join(repr(c) for c in known[:12])
    return f"; there are: {shown}" + (f" and {len(known) - 12} more" if len(known) > 12 else "")
