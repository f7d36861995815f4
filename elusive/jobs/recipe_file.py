"""A recipe as its author wrote it: a YAML document of stages, each a few of our own commands for some values.

Checked here is what the file alone can tell, all faults at once: names, values that nobody uses, `{variables}` that
nobody gives. Whether a command's options are good is the command line's to say (`recipe_steps`).
"""

import difflib
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError

from elusive.config.loading import read_yaml
from elusive.data.atomic import write_text
from elusive.errors import FolderError, InputError, OptionError, near_matches

OUT: Final = "out"
"""The variable that is the run's own folder."""
PROGRAM: Final = "elusive"
VARIABLE: Final = re.compile(r"\{([A-Za-z_]\w*)\}")  # so {4} of a regular expression stays what it is
_NAME: Final = r"^[a-z0-9][a-z0-9-]*$"
_SUFFIXES: Final = (".yaml", ".yml")

Value = StrictStr | StrictInt | StrictFloat
Words = Annotated[str, Field(pattern=r"\S")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Command(_Strict):
    """One command of a stage; in the file a string, or a mapping where other exit codes than 0 are good too."""

    run: Words
    allow: tuple[StrictInt, ...] = ()


def _as_mapping(written: Any) -> Any:
    return {"run": written} if isinstance(written, str) else written


class Stage(_Strict):
    """Commands that are run one after the other, for each combination of the values in `for`."""

    name: Annotated[str, Field(pattern=_NAME)]
    values: dict[VariableName, Annotated[tuple[Value, ...], Field(min_length=1)]] = Field(default={}, alias="for")
    run: Annotated[tuple[Annotated[Command, BeforeValidator(_as_mapping)], ...], Field(min_length=1)]


class Recipe(_Strict):
    """A whole experiment.

    Attributes:
        title: one line.
        about: what it does, and where it departs from its source.
        command: the command line that runs it.
        hardware: what it needs.
        time: what it takes there, and how that is known.
        expected: in Markdown, what should come out.
        variables: what `--set` may change, with the values that hold otherwise.
        stages: run one after the other.
    """

    title: Words
    about: Words
    command: Words
    hardware: Words
    time: Words
    expected: Words
    variables: dict[VariableName, Value] = {}
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]


_HOLDERS: Final[Mapping[int, type[BaseModel]]] = {0: Recipe, 2: Stage}
"""What a name that is none stands in, by its depth; further down it is a command."""


def shipped_recipes() -> dict[str, Path]:
    """The files of the recipes that the package brings, by name."""
    folder = Path(str(files("elusive.recipes")))
    return dict(sorted((file.stem, file) for file in folder.glob("*.yaml")))


def find_recipe(name: str) -> Path:
    """The file that a name, or a path to a YAML file, stands for.

    Raises:
        InputError: there is none; near matches are named.
    """
    if name.endswith(_SUFFIXES) or "/" in name:
        return Path(name).expanduser()
    shipped = shipped_recipes()
    if name not in shipped:
        raise InputError(f"there is no recipe {name!r}{near_matches(name, shipped)}")
    return shipped[name]


def copy_recipe(name: str, to: Path | None = None, *, overwrite: bool = False) -> Path:
    """Write a recipe into a file of one's own.

    Args:
        name: as for `find_recipe`.
        to: the file; in the working folder, under the recipe's name, unless told.
        overwrite: whether a file that is there is replaced.

    Raises:
        InputError: there is no such recipe.
        FolderError: the file is there, or cannot be written.
    """
    recipe = find_recipe(name)
    to = to or Path(recipe.name)
    load_recipe(recipe)
    if not overwrite and os.path.lexists(to):
        raise FolderError(f"{to} is there already; name another file, or --overwrite it")
    write_text(to, recipe.read_text(encoding="utf-8"))
    return to


def load_recipe(file: Path) -> Recipe:
    """Read a recipe.

    Raises:
        InputError: no such file, or no mapping.
        OptionError: all faults at once, each with its place.
    """
    content = read_yaml(file, what="recipe")
    try:
        recipe = Recipe(**content)
    except ValidationError as error:
        raise OptionError(f"{file}: " + "; ".join(_fault(fault) for fault in error.errors())) from None
    if faults := list(_faults_of_names(recipe)):
        raise OptionError(f"{file}: " + "; ".join(faults))
    return recipe


def with_values(recipe: Recipe, assignments: Iterable[str]) -> Recipe:
    """The recipe with other values of its variables, given as `variable=value`.

    Raises:
        OptionError: no '=', or no such variable; near matches are named.
    """
    given: dict[str, Value] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise OptionError(f"--set {assignment!r} has no '='; expected variable=value")
        if name not in recipe.variables:
            raise OptionError(f"the recipe has no variable {name!r}{near_matches(name, recipe.variables)}")
        given[name] = value
    return recipe.model_copy(update={"variables": {**recipe.variables, **given}})


def _fault(fault: Mapping[str, Any]) -> str:
    """A fault of pydantic's, in our words."""
    *parents, last = (str(step) for step in fault["loc"])
    where = ".".join([*parents, last])
    if fault["type"] == "extra_forbidden":
        holder = _HOLDERS.get(len(parents), Command)
        known = [field.alias or name for name, field in holder.model_fields.items()]
        near = difflib.get_close_matches(last, known, n=1)
        return f"there is no {where!r}" + (f"; did you mean {near[0]!r}?" if near else f"; there are: {known}")
    if fault["type"] == "missing":
        return f"the field {where!r} is missing"
    return f"{where} is {str(fault['input'])[:80]!r}: {fault['msg']}"


def _faults_of_names(recipe: Recipe) -> Iterator[str]:
    names = [stage.name for stage in recipe.stages]
    yield from (f"two stages are called {name!r}" for name in sorted({n for n in names if names.count(n) > 1}))
    used: set[str] = set()
    for stage in recipe.stages:
        known = {OUT, *recipe.variables, *stage.values}
        if again := sorted({OUT, *recipe.variables} & stage.values.keys()):
            yield f"stage {stage.name!r}: {again[0]!r} is a variable of the recipe already; call it otherwise"
        for command in stage.run:
            yield from (f"stage {stage.name!r}: {command.run!r} {fault}" for fault in _faults_of_text(command.run))
            named = VARIABLE.findall(command.run)
            used |= set(named)
            for name in sorted(set(named) - known):
                yield f"stage {stage.name!r}: nothing gives {{{name}}}{near_matches(name, known)}"
    for name in recipe.variables:
        if name == OUT:
            yield f"variable {OUT!r} is the run's folder, which --out gives"
        elif name not in used:
            yield f"variable {name!r} is used by no command"


def _faults_of_text(text: str) -> Iterator[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        yield f"cannot be split into words: {error}"
    else:
        if words[0] != PROGRAM:
            yield f"does not begin with {PROGRAM!r}; a recipe runs our own commands alone"
