"""The `elusive` command."""

from typing import Annotated

import typer

from .commands.augment import EPILOG, augment
from .commands.compare_arms import EPILOG as COMPARE_ARMS_EPILOG
from .commands.compare_arms import compare_arms
from .commands.compare_models import EPILOG as COMPARE_MODELS_EPILOG
from .commands.compare_models import compare_models
from .commands.distill import EPILOG as DISTILL_EPILOG
from .commands.distill import distill
from .commands.evaluate import EPILOG as EVALUATE_EPILOG
from .commands.evaluate import evaluate
from .commands.index import EPILOG as INDEX_EPILOG
from .commands.index import index
from .commands.pretrain import EPILOG as PRETRAIN_EPILOG
from .commands.pretrain import pretrain
from .commands.push import EPILOG as PUSH_EPILOG
from .commands.push import push
from .commands.recipes import recipes
from .commands.score_reader import EPILOG as SCORE_READER_EPILOG
from .commands.score_reader import score_reader

app = typer.Typer(
    name="elusive",
    help="Reads what language models attend to, and turns it into better training data and better decisions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("augment", epilog=EPILOG)(augment)
app.command("compare-models", epilog=COMPARE_MODELS_EPILOG)(compare_models)
app.command("score-reader", epilog=SCORE_READER_EPILOG)(score_reader)
app.command("index", epilog=INDEX_EPILOG)(index)
app.command("distill", epilog=DISTILL_EPILOG)(distill)
app.command("evaluate", epilog=EVALUATE_EPILOG)(evaluate)
app.command("pretrain", epilog=PRETRAIN_EPILOG)(pretrain)
app.command("compare-arms", epilog=COMPARE_ARMS_EPILOG)(compare_arms)
app.command("push", epilog=PUSH_EPILOG)(push)
app.add_typer(recipes, name="recipes")


def _version(wanted: bool) -> None:
    if wanted:
        from elusive import __version__

        typer.echo(f"elusive {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", metavar="", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None: ...


def main() -> None:
    """Entry point of the installed command."""
    app()
