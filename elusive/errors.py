"""The one error family of elusive: what failed, the value, what was expected, what to do.

Each message is one line that a user can act on. The command line prints it without a traceback; a program
catches `ElusiveError`, or the kind it can mend. Nothing here knows the rest of the package.
"""

import difflib
import re
from collections.abc import Iterable
from typing import Final

import yaml

# A date that is none, a value that its tag does not allow, brackets without end: not all are YAMLError.
YAML_ERRORS: Final = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
"""What reading YAML raises where it is broken."""

# Marks that joining letters and choosing between their forms needs (U+200C, U+200D, variation selectors) are not in it:
# emoji and Persian are not written without them.
UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff"  # controls, ends of lines, what is no character
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks of direction
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufffb"  # of no width
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # letters without a picture
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"  # tags, and what is kept for more of them
)
"""A character that nobody sees, or that a terminal or browser obeys; each way of showing text has its sign for it."""


class ElusiveError(Exception):
    """Anything that elusive can explain to its user in one line, whatever the names and values in it."""

    def __str__(self) -> str:
        return one_line(super().__str__())


def one_line(text: str) -> str:
    """`text`, with what is unseen, and what a terminal may have no picture for, shown as escapes."""
    return "".join(c.encode("unicode_escape").decode() if UNSEEN.match(c) or not c.isprintable() else c for c in text)


class InputError(ElusiveError):
    """A file, column or text that cannot be used as it is."""


class ModelError(ElusiveError):
    """A model or tokenizer that cannot be loaded, seen into or trusted (NaN scores)."""


class DivergedError(ModelError):
    """A loss, gradient or vector of a training that is no number; the last checkpoint is from before it."""


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
        verb = "are" if " and " in package else "is"
        super().__init__(f"{purpose} needs {package}, which {verb} not installed; run: pip install 'elusive[{extra}]'")


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
