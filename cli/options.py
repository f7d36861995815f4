"""Command-line options made from a job's config, so that a job has one list of options, with one set of words.

Every field of the config is a flag whose help is the field's description; a flag that was not given is None, and the
config's own default, or the YAML file, decides.
"""

import inspect
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.markup import escape

from elusive.config.fields import PANELS

Config = Annotated[
    Path | None, typer.Option("--config", metavar="YAML", help="Options from a file; flags win over it.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set one option; may be given again.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", metavar="", help="Start anew in a folder that holds another run.")
]
Json = Annotated[bool, typer.Option("--json", metavar="", help="Print the result as one JSON object.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", metavar="", help="No progress on stderr.")]

_SHORT = {"out": ("-o",)}
_NOT_GIVEN: tuple[Any, ...] = (None, (), [])


def flags_of(config: type[BaseModel], *, argument: str | None = None) -> list[inspect.Parameter]:
    """A command's parameters, one for each field of `config`, in the order of the help.

    Args:
        config: the job's options.
        argument: the field that is given without a flag, if any is.
    """
    return [_parameter(name, field, argument=name == argument) for name, field in _in_order(config)]


def given(config: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Of the values of a command's parameters, those of `config`'s fields that the user gave."""
    return {name: value for name, value in values.items() if name in config.model_fields and value not in _NOT_GIVEN}


def _in_order(config: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Fields by panel; in each, the job's own before those that it shares with other jobs."""

    def place(item: tuple[str, FieldInfo]) -> tuple[int, int]:
        inherited = sum(item[0] in base.model_fields for base in config.__mro__ if hasattr(base, "model_fields"))
        return PANELS.index(_panel(item[1])), inherited

    return sorted(config.model_fields.items(), key=place)


def _panel(field: FieldInfo) -> str:
    return str(_extra(field)["panel"])


def _extra(field: FieldInfo) -> dict[str, Any]:
    assert isinstance(field.json_schema_extra, dict), f"{field} has no panel"
    return field.json_schema_extra


def _parameter(name: str, field: FieldInfo, *, argument: bool) -> inspect.Parameter:
    kind, metavar, choices = _flag_type(field.annotation)
    metavar = _extra(field)["metavar"] or metavar
    words: dict[str, Any] = {"help": _help(field, choices), "show_default": False}
    option: Any
    if argument:
        option = typer.Argument(metavar=name.upper(), **words)
    else:
        flags = [_flag(name, both=kind is bool and field.default is not False), *_SHORT.get(name, ())]
        option = typer.Option(*flags, metavar=metavar, rich_help_panel=_panel(field), **words)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _flag(name: str, *, both: bool) -> str:
    words = name.replace("_", "-")
    return f"--{words}/--no-{words}" if both else f"--{words}"


def _help(field: FieldInfo, choices: tuple[str, ...]) -> str:
    parts = [field.description or ""]
    if choices:
        parts.append(f"One of {', '.join(choices)}.")
    if field.default is not None and field.default != () and not isinstance(field.default, bool):
        parts.append(f"Default: {_shown(field.default)}.")
    return escape(" ".join(parts))


def _shown(default: Any) -> str:
    """A default as it would be given: pairs of models one by one."""
    return " and ".join(",".join(pair) for pair in default) if isinstance(default, tuple) else str(default)


def _flag_type(annotation: Any) -> tuple[Any, str | None, tuple[str, ...]]:
    """What typer is to parse, how its value is called, and its choices; the config itself judges the value."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    if typing.get_origin(annotation) is Annotated:
        # A path whose ~ is expanded, or indices such as 0,4-7,-1.
        return str, "PATH" if typing.get_args(annotation)[0] is str else "INDICES", ()
    if typing.get_origin(annotation) is Literal:
        return str, "CHOICE", typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple:
        return list[str], "PATTERN" if typing.get_args(annotation)[0] is str else "LARGE,SMALL", ()
    names = {str: "TEXT", int: "N", float: "NUMBER", bool: ""}
    return annotation, names.get(annotation), ()
