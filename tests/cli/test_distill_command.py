"""`elusive distill` as a user meets it: a table of hit rates, one JSON object, and exit code 3 where the gate stops."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elusive_cli.app import app
from typer.testing import CliRunner, Result

from elusive.config import DistillConfig
from elusive.jobs import distill_gate, distill_products
from tests.distill_fixtures import TUNED, UNTUNED, Towns, arguments, write_towns

Invoke = Callable[..., Result]

ONCE = ("--ignore-gate", "--gate-samples", "2", "--steps", "1", "--limit", "8")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the page, which is tested elsewhere."""
    monkeypatch.setattr(distill_products, "distill_page", lambda *_, **__: "a page")
    monkeypatch.setattr(distill_gate, "free_memory", lambda: None)
    monkeypatch.setattr("elusive.statistics._RESAMPLES", 100)


@pytest.fixture(scope="session")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Towns:
    return write_towns(tmp_path_factory.mktemp("towns"))


@pytest.fixture
def invoke(towns: Towns, tmp_path: Path) -> Invoke:
    """The command on the six towns."""

    def run(*more: str, columns: int = 100) -> Result:
        command = ["distill", *arguments(towns.options), "-o", str(tmp_path / "out"), *more]
        return CliRunner().invoke(app, command, env={"COLUMNS": str(columns)})

    return run


def told(result: Result) -> dict[str, Any]:
    """The one JSON object on stdout."""
    found = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert isinstance(found, dict)
    return found


def test_the_table_fits_its_terminal_and_json_says_the_same(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke(*ONCE, columns=80)
    assert result.exit_code == 0, result.stderr
    assert "60 passages, 8 train and 8 dev questions" in result.stdout
    for name in ("dev HR@1", "dev HR@5", "dev HR@20", "test HR@5", "dev exact match", "dev F1"):
        [line] = re.findall(rf"^{name} .*$", result.stdout, re.MULTILINE)
        assert len(line.rstrip()) <= 80
    assert re.search(r"^1 steps, the best retriever after [01]; it is in .*out/retriever\.$", result.stdout, re.M)
    again = invoke(*ONCE, "--json")
    found = told(again)
    assert again.stderr == ""
    assert found["already_done"]
    assert found.keys() >= {"hr", "test", "answers", "steps", "stopped_by", "gate", "seconds", "out"}
    [line] = re.findall(r"^dev HR@5 .*$", result.stdout, re.MULTILINE)
    assert line.split()[2] == f"{found['hr']['5']['start']:.3f}"
    assert found["out"] == str(tmp_path / "out")


def test_a_plan_shows_the_options_that_are_not_the_defaults(invoke: Invoke) -> None:
    shown = invoke(*ONCE, "--steps", "1000", "--dry-run")
    assert shown.exit_code == 0, shown.stderr
    options = re.findall(r"^options +(.*)$", shown.stdout, re.MULTILINE)[0]
    names = {word.split("=")[0] for word in options.split() if "=" in word}
    assert names >= {"passages", "train", "limit", "gate_samples", "ignore_gate", "out"}
    assert not names & {"steps", "dtype", "bf16", "seed", "query_prefix", "patience", "teacher"}
    assert re.search(
        r"^warning +--steps 1,000 in batches of \d+ is [\d,]+ epochs of 8 train questions", shown.stdout, re.M
    )


def test_the_gate_stops_with_3_whatever_the_form(invoke: Invoke) -> None:
    stopped = invoke("--reader", UNTUNED)
    assert stopped.exit_code == 3
    assert re.search(r"^Gate: the reader's attention is ", stopped.stdout, re.MULTILINE)
    assert "The same command with --ignore-gate goes on from here, with its index." in stopped.stdout
    again = invoke("--reader", UNTUNED, "--json")
    assert again.exit_code == 3
    found = told(again)
    assert (found["stopped_by"], found["gate"]["passed"], found["already_done"]) == ("gate", False, True)


def test_only_the_first_of_several_processes_speaks(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke(*ONCE)
    monkeypatch.setenv("RANK", "1")
    assert invoke(*ONCE).stdout == ""


def test_dry_run_shows_the_plan_and_writes_nothing(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--dry-run")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^passages +60$", result.stdout, re.MULTILINE)
    assert re.search(r"^questions +20 to train on, 20 dev, 20 test$", result.stdout, re.MULTILINE)
    assert re.search(r"^steps +0 of the reader, 4 of the retriever, 2 refreshes$", result.stdout, re.MULTILINE)
    assert told(invoke("--dry-run", "--json"))["passages"] == 60
    assert list(tmp_path.iterdir()) == []


def help_text(columns: int) -> str:
    return CliRunner().invoke(app, ["distill", "--help"], env={"COLUMNS": str(columns), "TERM": "dumb"}).stdout


def test_help_names_every_option() -> None:
    text = help_text(240)
    for name in DistillConfig.model_fields:
        assert re.search(rf"^.*(?<=\s)--{name.replace('_', '-')}\s", text, re.MULTILINE), name


def test_examples_fit_80_columns() -> None:
    examples = re.findall(r"^ +(?:elusive|torchrun) .*$", help_text(80).partition("Examples:")[2], re.MULTILINE)
    assert len(examples) == 4
    assert all(line.rstrip() in help_text(200) for line in examples), "none is broken"


OPTIONS = {
    ("--k", "1"): r"k is '?1'?: ",
    ("--steps", "0"): r"steps is '?0'?: ",
    ("--lr", "0"): r"lr is '?0(\.0)?'?: ",
    ("--trust", "-1"): r"trust is '?-1",
    ("--teacher", "attentoin"): r"teacher is 'attentoin'; did you mean 'attention'",
    ("--mode", "fine-tune"): r"mode is 'fine-tune'; did you mean 'fine-tuned'",
    ("--set", "stesp=1"): r"no option 'stesp'; did you mean 'steps'",
    ("--refresh", "often"): r"refresh 'often': 'often' is no span",
    ("--k", "61"): r"k is 61 and there are 60 passages; lower --k",
    (
        "--accumulation",
        "3",
    ): r"batch_size 4 cannot be shared out among 1 processes in 3 parts",
    ("--reader", "./absent"): r"\./absent: no such folder",
    ("--reference", "tiny:readr"): r"nothing embedded is called 'tiny:readr'; did you mean 'tiny:reader'",
    ("--retriever", TUNED): r"nobody says|pool|encoder",
    ("--dev", "absent.jsonl"): r"absent\.jsonl",
}


@pytest.mark.parametrize("form", [(), ("--dry-run",)], ids=["run", "plan"])
@pytest.mark.parametrize("given", OPTIONS, ids=" ".join)
def test_an_option_that_makes_no_sense_is_named_in_one_line(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: tuple[str, ...], form: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("--quiet", *given, *form)
    assert result.exit_code == 1, result.output
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert re.search(OPTIONS[given], line), line
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["train", "dev", "retriever", "reader"])
def test_passages_alone_are_not_enough(name: str, towns: Towns, tmp_path: Path) -> None:
    given = {key: value for key, value in towns.options.items() if key != name}
    result = CliRunner().invoke(app, ["distill", *arguments(given), "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert f"--passages needs --{name} beside it" in result.stderr
    assert not (tmp_path / "out").exists()
