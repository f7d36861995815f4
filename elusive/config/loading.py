"""YAML, `--set` and flags become one validated object, with all faults named."""

import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from elusive.config.fields import Options
from elusive.errors import YAML_ERRORS, InputError, OptionError, near_matches

JobOptions = TypeVar("JobOptions", bound=Options)

# YAML's anchors write a list of a billion words in ten lines.
_SHORT: Final = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxlong, _SHORT.maxother = 2, 200, 60, 200


def build(kind: type[JobOptions], options: Mapping[str, Any]) -> JobOptions:
    """Validate options.

    Raises:
        OptionError: all faults at once, each with its name, and near matches of unknown names.
    """
    try:
        return kind(**options)
    except ValidationError as error:
        raise OptionError("; ".join(_fault(kind, fault) for fault in error.errors())) from None


def load(
    kind: type[JobOptions],
    *,
    file: Path | None = None,
    assignments: Sequence[str] = (),
    flags: Mapping[str, Any],
) -> JobOptions:
    """Options from a YAML file, then `key=value` assignments, then flags; later ones win.

    Args:
        kind: the job's options.
        file: a YAML mapping of option names, with underscores or hyphens.
        assignments: `key=value`, the value in YAML.
        flags: what was given on the command line.

    Raises:
        InputError: no such file, or not a YAML mapping.
        OptionError: an assignment without `=`, or options that are not valid.
    """
    options = read_yaml(file, what="config") if file else {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise OptionError(f"--set {assignment!r} has no '='; expected key=value")
        try:
            options[name.strip()] = yaml.safe_load(value)
        except YAML_ERRORS as error:
            raise OptionError(f"--set {assignment!r}: the value is not YAML") from error
    return build(kind, {name.replace("-", "_"): value for name, value in options.items()} | dict(flags))


def read_yaml(file: Path, *, what: str) -> dict[str, Any]:
    """A YAML mapping.

    Args:
        file: where it is.
        what: it is, for messages.

    Raises:
        InputError: no such file, or no mapping of names to values.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no {what} file {str(file)!r}") from None
    except (OSError, *YAML_ERRORS) as error:
        raise InputError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise InputError(f"{file}: expected a mapping of names to values, found {type(content).__name__}")
    return content


def _fault(kind: type[BaseModel], fault: Any) -> str:
    path = ".".join(str(step) for step in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"there is no option {path!r}{near_matches(path, kind.model_fields)}"
    if fault["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
        return f"{path} is {_SHORT.repr(fault['input'])}{near_matches(str(fault['input']), choices)}"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return f"{path} is {_SHORT.repr(fault['input'])}: {message}" if path else message
