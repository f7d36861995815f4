"""The command of a job: a command line becomes one checked `Call`, and the result is shown as the user wants it.

What the jobs' commands have in common stands here once: options from a file, `--set` and flags; errors in one line;
progress; JSON. Knows no job. To keep libraries quiet they are imported, about a second: only for jobs with models.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Generic, TypeVar

import typer

from elusive.config import LoadedModelsConfig
from elusive.config.loading import JobOptions, load

from .libraries import quieten_libraries
from .options import Config, Json, Overwrite, Quiet, Set, flags_of, given
from .output import explained, print_json, print_rows

if TYPE_CHECKING:
    from elusive.progress import Progress

Result = TypeVar("Result", bound=Any)  # a dataclass


@dataclass(frozen=True, kw_only=True)
class Call(Generic[JobOptions]):
    """What a user asks of a job.

    Attributes:
        options: of the job, checked.
        dry_run: plan, and write nothing.
        overwrite: start anew in a folder that holds another run.
        as_json: results are one JSON object.
        quiet: neither progress nor advice; so it is with JSON, too.
    """

    options: JobOptions
    dry_run: bool
    overwrite: bool
    as_json: bool
    quiet: bool

    @property
    def progress(self) -> "Progress":
        """Where the job says what it is doing."""
        from elusive.progress import Bars

        return Bars(quiet=self.quiet)

    def show(self, result: Result, print_tables: Callable[[Result], None]) -> None:
        """Print a result, by `print_tables` unless as JSON."""
        if self.as_json:
            print_json(asdict(result))
        else:
            print_tables(result)

    def show_rows(self, result: Result, rows: Callable[[Result], list[tuple[str, str]]]) -> None:
        """Print a result, as a table of two columns unless as JSON."""
        self.show(result, lambda found: print_rows(rows(found)))


def options_of(
    kind: type[JobOptions],
    *,
    argument: str | None = None,
    plan_help: str = "Print the plan and its cost; write nothing.",
) -> Callable[[Callable[Concatenate[Call[JobOptions], ...], None]], Callable[..., None]]:
    """Decorate `job(call, …)`: a command with a flag for each field of `kind`, those that all jobs share, and its own.

    Args:
        kind: the job's options. Without `out` among them there is no folder, and so no `--overwrite`.
        argument: the field that is given without a flag, if any is.
        plan_help: help of `--dry-run`.
    """

    def decorate(job: Callable[Concatenate[Call[JobOptions], ...], None]) -> Callable[..., None]:
        def command(
            *,
            config: Config = None,
            assignments: Set = None,
            dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help=plan_help)] = False,
            overwrite: Overwrite = False,
            as_json: Json = False,
            quiet: Quiet = False,
            **values: Any,
        ) -> None:
            own = {name: value for name, value in values.items() if name not in kind.model_fields}
            with explained():
                options = load(kind, file=config, assignments=assignments or [], flags=given(kind, values))
                if issubclass(kind, LoadedModelsConfig):
                    quieten_libraries()
                call = Call(
                    options=options, dry_run=dry_run, overwrite=overwrite, as_json=as_json, quiet=quiet or as_json
                )
                job(call, **own)

        flags, has_folder = flags_of(kind, argument=argument), "out" in kind.model_fields
        parameters = _parameters(command, job, flags=flags, has_folder=has_folder)
        functools.update_wrapper(command, job)
        command.__doc__ = _unwrapped(job.__doc__ or "")
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        command.config = kind  # type: ignore[attr-defined] # for what reads a command line without running it
        return command

    return decorate


def _parameters(
    command: Callable[..., None], job: Callable[..., None], *, flags: list[inspect.Parameter], has_folder: bool
) -> list[inspect.Parameter]:
    """As the help lists them: flags of the config, then of `command`, amid which stand the job's own."""
    file, assignments, *shared, _values = inspect.signature(command).parameters.values()
    _call, *own = inspect.signature(job).parameters.values()
    return [*flags, file, assignments, *own, *(p for p in shared if has_folder or p.name != "overwrite")]


def _unwrapped(text: str) -> str:
    """One line a paragraph: the terminal's width decides where it breaks."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n"))
