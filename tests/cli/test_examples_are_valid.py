"""Command lines that are shown somewhere: in --help, the README, the docs. Each is ours, with options that are good."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from elusive_cli.app import app
from elusive_cli.command_lines import read_command

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("docs/*.md"))]
PAGES += ["benchmarks/README.md", *sorted(str(page.relative_to(ROOT)) for page in ROOT.glob("recipes/**/*.md"))]
TORCHRUN = r"torchrun --nproc_per_node \d+ \$\(which elusive\)"
GROUPS = ("recipes",)


def examples(text: str) -> list[str]:
    """The lines that are a command of ours, without their remarks and behind whatever starts them."""
    lines = (line.strip().removeprefix("$ ").partition("   #")[0] for line in text.splitlines())
    return [re.sub(f"^{TORCHRUN}", "elusive", line).split("  #")[0].strip() for line in lines if is_command(line)]


def is_command(line: str) -> bool:
    return re.match(rf"(elusive|{TORCHRUN})( [a-z./{{-]|$)", line) is not None


def in_help() -> list[tuple[str, str]]:
    shown = [(name, command.epilog or "") for name, command in typer.main.get_command(app).commands.items()]
    return [(name, example) for name, epilog in shown for example in examples(epilog)]


def in_pages() -> list[tuple[str, str]]:
    blocks = {
        page: re.findall(r"```(?:sh|bash|console)\n(.*?)```", (ROOT / page).read_text(), re.DOTALL) for page in PAGES
    }
    return [(page, example) for page, found in blocks.items() for block in found for example in examples(block)]


def check(example: str, *, folder: Path) -> None:
    """Refuse what typer or the options' own rules refuse; files that are named need not be there, but YAML is read."""
    words = shlex.split(example)[1:]
    if words[:1] and words[0] in GROUPS:
        group = typer.main.get_command(app).commands[words[0]]
        if words[1:]:
            group.commands[words[1]].make_context(words[1], words[2:])
    elif words and not words[0].startswith("-"):
        read_command(words, to_come=folder)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where none of the named files is, for what they hold is not checked, but one without which no option is good."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "arms.yaml").write_text("arm: {plain: runs/plain-*, random: runs/random-*}\n")
    return tmp_path


@pytest.mark.parametrize(("shown_by", "example"), in_help())
def test_examples_of_help_can_be_run_as_they_are_written(shown_by: str, example: str, folder: Path) -> None:
    assert shlex.split(example)[1] == shown_by
    check(example, folder=folder)


@pytest.mark.parametrize(("page", "example"), in_pages())
def test_commands_of_pages_can_be_run_as_they_are_written(page: str, example: str, folder: Path) -> None:
    check(example, folder=folder)


def test_every_command_shows_examples() -> None:
    assert {name for name, _ in in_help()} == set(typer.main.get_command(app).commands)
    assert {"README.md", "recipes/README.md"} <= {page for page, _ in in_pages()}


@pytest.mark.parametrize(
    "wrong", ["elusive augmet", "elusive augment --alfa 1", "elusive recipes run", "elusive distill --k 1"]
)
def test_an_example_that_cannot_be_run_is_found(wrong: str, folder: Path) -> None:
    assert examples(f"  $ {wrong}   # a remark") == [wrong]
    with pytest.raises(Exception, match=r"no command|No such option|Missing|k is 1"):
        check(wrong, folder=folder)
