"""`elusive recipes`: list, show, copy, run."""

import shutil
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ..command_lines import read_command
from ..options import Json, Quiet
from ..output import explained, print_json, print_rows, show
from ..tables import plain, table_of
from ..words import duration

if TYPE_CHECKING:
    from elusive.jobs.recipe import PlannedStep
    from elusive.jobs.recipe_file import Recipe

EPILOG = """
Examples:

  elusive recipes                                  # what there is

  elusive recipes show tiny-biographies

  elusive recipes run tiny-biographies --dry-run   # every command, run or not

  elusive recipes run tiny-biographies --workers 2

  elusive recipes copy nq-fine-tuned mine.yaml     # to change it, and run it
"""
recipes = typer.Typer(
    help="Whole experiments, each a list of our own commands: without a command they are listed.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_WIDEST: Final = 120

Name = Annotated[str, typer.Argument(metavar="NAME", help="A recipe's name, or a YAML file.")]


@recipes.callback(invoke_without_command=True)
def list_recipes(context: typer.Context, *, as_json: Json = False) -> None:
    """Whole experiments, each a list of our own commands: without a command they are listed."""
    if context.invoked_subcommand is not None:
        return
    with explained():
        from elusive.jobs.recipe_file import load_recipe, shipped_recipes

        found = {name: load_recipe(file) for name, file in shipped_recipes().items()}
        heads = {name: {"title": r.title, "hardware": r.hardware, "time": r.time} for name, r in found.items()}
        if as_json:
            print_json(heads)
            return
        from rich.console import Console

        table = table_of("recipe", "what it does", "hardware", "time", numbers=())
        table.columns[0].no_wrap = True  # a name is there to be copied
        for name, head in heads.items():
            table.add_row(name, *(plain(" ".join(words.partition(";")[0].split())) for words in head.values()))
        Console(highlight=False).print(table)


@recipes.command("show")
def show_recipe(name: Name, *, as_json: Json = False) -> None:
    """Show a recipe: what it needs and takes, the figures that it should come to, and its steps."""
    with explained():
        recipe = _loaded(name)
        if as_json:
            print_json(recipe.model_dump(by_alias=True))
        else:
            _print_recipe(recipe)


@recipes.command("copy")
def copy_recipe(
    name: Name,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to; NAME.yaml unless told.")] = None,
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", metavar="", help="Replace a file that is there.")] = False,
) -> None:
    """Copy a recipe into a file of yours, to change it there and run it."""
    with explained():
        from elusive.jobs.recipe_file import copy_recipe as copy

        written = copy(name, file, overwrite=overwrite)
        typer.echo(f"{written}: change it, then: elusive recipes run {written}", err=True)


@recipes.command("run")
def run_recipe(
    name: Name,
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Folder of the run; the recipe's name unless told."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="VARIABLE=VALUE", help="Set a variable of the recipe; may be given again."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="Steps of a stage at a time; they share the cores.")
    ] = 1,
    only: Annotated[str | None, typer.Option("--only", metavar="STAGE", help="Run this stage alone.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", metavar="", help="Print every command, and whether it is finished; run nothing."),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a recipe, or go on with one.

    All commands are checked before the first is run; what was finished before is skipped.

    A step that fails stops the recipe, and the same command goes on from there. OUT/logs keeps all output.

    One step runs at a time, and shows what it does. With --workers, only the ends of steps are told.
    """
    with explained():
        from elusive.jobs import recipe as job
        from elusive.jobs.recipe_file import find_recipe, with_values
        from elusive.progress import Bars

        recipe = with_values(_loaded(name), assignments or [])
        folder = out or Path(find_recipe(name).stem)
        if dry_run:
            steps = job.plan(recipe, folder, read=read_command, only=only)
            if as_json:
                head = {"hardware": recipe.hardware, "time": recipe.time}
                print_json({**head, "steps": [asdict(step) for step in steps]})
            else:
                _print_plan(recipe, steps)
            return
        silent = quiet or as_json
        result = asdict(
            job.run(
                recipe,
                folder,
                read=read_command,
                only=only,
                workers=workers,
                relay=(lambda _: None) if silent else _relay,
                progress=Bars(quiet=silent),
            )
        )
        show(result, as_json=as_json, table=lambda: _result_rows(result))


def _loaded(name: str) -> "Recipe":
    from elusive.jobs.recipe_file import find_recipe, load_recipe

    return load_recipe(find_recipe(name))


def _relay(written: bytes) -> None:
    sys.stderr.flush()  # what we said ourselves comes first
    sys.stderr.buffer.write(written)
    sys.stderr.flush()


def _print_recipe(recipe: "Recipe") -> None:
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    _heading(recipe.title)
    for paragraph in recipe.about.strip().split("\n\n"):
        words = " ".join(paragraph.split())
        typer.echo(textwrap.fill(words, width, break_long_words=False, break_on_hyphens=False) + "\n")
    rows = {"run it": recipe.command, "hardware": recipe.hardware, "time": recipe.time}
    print_rows([(name, " ".join(words.split())) for name, words in rows.items()])
    _heading("\nExpected")
    typer.echo(recipe.expected.strip())
    if recipe.variables:
        _heading("\nVariables, for --set")
        print_rows([(name, str(value)) for name, value in recipe.variables.items()])
    _heading("\nSteps")
    for stage in recipe.stages:
        values = "; ".join(f"{name} in {', '.join(map(str, given))}" for name, given in stage.values.items())
        typer.echo(typer.style(stage.name, bold=True) + (f", for {values}" if values else ""))
        for command in stage.run:
            typer.echo(f"  {command.run}" + "".join(f"  (exit code {code} is allowed)" for code in command.allow))


def _heading(words: str) -> None:
    typer.echo(typer.style(words, bold=True))


def _print_plan(recipe: "Recipe", steps: "list[PlannedStep]") -> None:
    for step in steps:
        typer.echo(f"{step.number:3} {step.stage}{'  (finished)' if step.is_finished else ''}\n    {step.command}")
    n_finished = sum(step.is_finished for step in steps)
    rows = [
        ("steps", f"{len(steps):,}, of which {n_finished:,} finished"),
        ("hardware", " ".join(recipe.hardware.split())),
        ("time", " ".join(recipe.time.split())),
    ]
    typer.echo()
    print_rows(rows)


def _result_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("steps", f"{result['steps']:,}, of which {result['steps'] - result['ran']:,} were finished before"),
        ("time", duration(result["seconds"])),
        ("written to", result["out"]),
    ]
