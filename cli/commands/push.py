"""`elusive push`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ..options import Json, Quiet
from ..output import explained, show
from ..words import memory

EPILOG = """
Examples:

  elusive push out you/docs-augmented

  elusive push out you/docs-augmented --dry-run   # what would change there

  elusive push pretrained you/docs-lora           # an adapter, or a model, with a model card

  elusive push distilled you/docs-retriever       # a retriever, for sentence-transformers
"""
_MANY = 12


def push(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder that elusive augment, pretrain or distill finished.")
    ],
    repo: Annotated[str, typer.Argument(metavar="REPO", help="The repository, as you/name. Created if missing.")],
    *,
    private: Annotated[
        bool, typer.Option("--private", metavar="", help="Make it a private one; one that exists must be private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Ask the Hub and list what would change; write nothing.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Push what a run has made to the Hugging Face Hub: a dataset, an adapter, a model or a retriever.

    All goes in one commit, with a card of its kind. Of a dataset, data and clues are pushed; scores, rejected rows,
    metrics and reports stay here.

    Pushed again, only what differs is sent, and what people wrote into the card there is kept.

    Log in first: hf auth login, or set HF_TOKEN.
    """
    with explained():
        from elusive.hub import pushing
        from elusive.progress import Bars

        progress = Bars(quiet=quiet or as_json)
        if dry_run:
            plan = asdict(pushing.plan_push(folder, repo, private=private, progress=progress))
            show(plan, as_json=as_json, table=lambda: _plan_rows(plan))
            return
        result = asdict(pushing.push(folder, repo, private=private, progress=progress))
        show(result, as_json=as_json, table=lambda: _result_rows(result))
        if not quiet and not as_json:
            typer.echo(f"load it: {result['load_with']}", err=True)


def _result_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("files pushed", f"{len(result['upload']):,}, {_size(sum(result['upload'].values()))}"),
        ("unchanged", f"{len(result['unchanged']):,}"),
        ("deleted there", f"{len(result['delete']):,}"),
        ("pushed to", result["url"]),
        ("commit", result["commit"]),
    ]
    return [*rows, *_kept_row(result)]


def _plan_rows(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    sizes = plan["upload"]
    rows = [
        (plan["what"], plan["url"] + ("  (to be made)" if plan["creates"] else "")),
        ("files to push", f"{len(sizes):,}, {_size(sum(sizes.values()))}"),
        *_listed(f"{name}, {_size(size)}" for name, size in sizes.items()),
        ("unchanged", f"{len(plan['unchanged']):,}"),
        ("to delete there", f"{len(plan['delete']):,}"),
        *_listed(plan["delete"]),
    ]
    return [*rows, *_kept_row(plan)]


def _listed(lines: Any) -> list[tuple[str, str]]:
    shown = list(lines)
    rest = [f"and {len(shown) - _MANY:,} more"] if len(shown) > _MANY else []
    return [("", line) for line in [*shown[:_MANY], *rest]]


def _kept_row(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [("kept of the card there", "; ".join(result["kept"]))] if result["kept"] else []


def _size(n_bytes: int) -> str:
    return memory(n_bytes) if n_bytes >= 2**20 else f"{n_bytes:,} bytes"
