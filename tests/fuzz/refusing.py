"""Runs a command that should be refused, and holds it to its refusal: one line, and nothing half-written."""

import re
from collections.abc import Sequence
from pathlib import Path

from elusive_cli.app import app
from typer.testing import CliRunner, Result

from tests.files import contents
from tests.fuzz.tally import Tally

STORES = ("scores", "readings")


def hold_to_refusal(command: Sequence[str], *, folder: Path, words: str, tally: Tally, what: str) -> None:
    """Runs `command` into the folder `out` of `folder`.

    Args:
        command: the arguments, without the output folder.
        folder: of the test; its name is left out of what is counted.
        words: a pattern that the line fits.
        tally: where it is counted.
        what: under which words.
    """
    result = CliRunner().invoke(app, [*command, "-o", str(folder / "out"), "--quiet"])
    line = re.sub("[─╭╮╰╯│]", "", result.stderr).strip().removeprefix("error: ")
    left = [name for name in contents(folder, "out") if not any(store in name for store in STORES)]
    right = _is_refusal(result) and re.search(words, line) is not None and not left
    tally.note(what, "refused" if right else "wrong", line, hide=[folder])
    assert right, (result.exit_code, result.output, result.exception, left)


def _is_refusal(result: Result) -> bool:
    if result.stdout or not isinstance(result.exception, SystemExit):
        return False
    if result.exit_code == 2:  # the command line itself is wrong: its usage is shown
        return "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    return result.exit_code == 1 and len(lines) == 1 and lines[0].startswith("error: ")
