"""`elusive index` as a user meets it: a table or JSON on stdout, one line for whatever is wrong."""

import json
import re
from pathlib import Path

import pytest
from elusive_cli.app import app
from typer.testing import CliRunner, Result

from elusive.config import IndexConfig


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["index", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def out(tmp_path: Path) -> list[str]:
    return ["--out", str(tmp_path / "out"), "--limit", "50"]


def test_the_table_tells_of_the_index_and_again_that_it_is_there(out: list[str]) -> None:
    result = invoke(*out)
    assert result.exit_code == 0, result.stderr
    for words in (r"passages +50", r"dimension +128", r"kind +flat", r"time +read .*, embed .*", r"speed +[\d,]+ pass"):
        assert re.search(words, result.stdout), words
    again = invoke(*out)
    assert again.exit_code == 0
    assert "already holds this run" in again.stderr


def test_json_is_the_whole_of_stdout(out: list[str], tmp_path: Path) -> None:
    result = invoke(*out, "--json", "--kind", "sqfp16")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["kind"] == "sqfp16"
    assert told["out"] == str(tmp_path / "out")
    assert {"passages", "rejected", "dimension", "bytes", "seconds", "passages_per_second", "peak_bytes"} <= set(told)
    assert result.stderr == ""


def test_dry_run_prints_a_line_a_kind_and_writes_nothing(out: list[str], tmp_path: Path) -> None:
    result = invoke(*out, "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert re.search(
        r"flat \(chosen\) +about .*of disk, .* of memory to build .*mapped, or on a GPU, to search", result.stdout
    )
    assert "ivf-pq" not in result.stdout, "50 passages are too few for product codes"
    assert not (tmp_path / "out").exists()


def test_help_names_every_option() -> None:
    text = CliRunner().invoke(app, ["index", "--help"], env={"COLUMNS": "240", "TERM": "dumb"}).stdout
    for name in IndexConfig.model_fields:
        assert re.search(rf"(^|\s){'PASSAGES' if name == 'passages' else '--' + name.replace('_', '-')}\s", text), name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("absent.jsonl",), "no file or folder 'absent.jsonl'"),
        (("--kind", "ivf"), "kind is 'ivf'"),
        (("--m", "0"), "m is 0"),
        (("--encoder", "tiny:large", "--limit", "3", "--quantize", "nf4"), "leave out quantize"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    result = invoke(*arguments, "--quiet", "--out", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (1, "")
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert words in line
