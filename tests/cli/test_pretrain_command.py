"""`elusive pretrain` as a user meets it: a table, one JSON object, a plan, and one line for what cannot be done."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from elusive_cli.app import app
from typer.testing import CliRunner, Result

from elusive.config import PretrainConfig
from elusive.pretraining import training

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path) -> Invoke:
    def run(*more: str) -> Result:
        short = ["--steps", "3", "--limit", "8", "--batch-size", "2", "--device", "cpu"]
        return CliRunner().invoke(app, ["pretrain", *short, "-o", str(tmp_path / "out"), *more])

    return run


def test_the_table_and_json_say_the_same_and_warnings_are_on_stderr(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke()
    assert result.exit_code == 0, result.stderr
    rows = dict(re.findall(r"^(\w+) +(.*)$", result.stdout, re.MULTILINE))
    assert rows["rows"] == "6 shown"
    out = tmp_path / "out"
    assert rows["written"] == f"{out}/adapter, {out}/report.html"
    assert "warning: 3 optimizer steps are too few to learn anything" in result.stderr
    again = invoke("--json")
    found = json.loads(again.stdout)
    assert found["already_done"]
    assert again.stderr == ""
    assert rows["loss"] == f"{found['loss']['first']:.3f} at first, {found['loss']['last']:.3f} at last"
    assert rows["steps"].startswith("3, 0.8 epochs")


def test_a_dry_run_tells_steps_and_leaves_nothing(invoke: Invoke, tmp_path: Path) -> None:
    plan = json.loads(invoke("--dry-run", "--json", "--lora", "0").stdout)
    assert (plan["texts"], plan["rows"], plan["steps"]) == (8, 6, 3)
    assert plan["parameters"] == plan["all_parameters"]
    assert len(plan["warnings"]) == 2
    assert plan["seconds"] > 0
    assert plan["measurements"] == plan["measured_questions"] == 0
    assert "warning" in invoke("--dry-run").stdout
    assert not (tmp_path / "out").exists()


def test_measurements_are_planned_and_told(invoke: Invoke, tmp_path: Path) -> None:
    asked = ["--evaluate", "sample:people-0", "--evaluate-limit", "6", "--every", "2", "--max-new-tokens", "2"]
    plan = invoke("--dry-run", *asked).stdout
    assert re.search(r"^measured +3 times, by 6 questions$", plan, re.MULTILINE)
    chosen = invoke(*asked, "--select", "sample:people-choose", "--patience", "1", "--dry-run", "--json")
    assert json.loads(chosen.stdout)["measured_questions"] > 6
    result = invoke(*asked)
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^exact match +0\.000 at first, 0\.000 at the best step, 0, 0\.000 at last", result.stdout, re.M)
    assert "step 2: exact match 0.000, F1 0.000" in result.stderr
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Exact match went from 0.000 before training to 0.000 after 3 steps." in page
    assert str(tmp_path) not in page


def test_a_stopped_run_says_one_line_and_goes_on(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from elusive_cli.output import _stop

    with monkeypatch.context() as patch:
        patch.setattr(training._Trainer, "training_step", lambda *_args, **_options: _stop(15, None))
        stopped = invoke("-q")
    assert stopped.exit_code == 143
    assert stopped.stderr.splitlines()[-1] == "terminated; the same command goes on from here"
    assert json.loads(invoke("--json").stdout)["steps"] == 3


def test_other_options_are_refused_with_the_difference(invoke: Invoke) -> None:
    invoke("-q")
    other = invoke("--lr", "1e-3")
    assert other.exit_code == 1
    [line] = other.stderr.splitlines()
    assert "holds a run with other options (lr: 0.0005 there, 0.001 now)" in line
    assert invoke("--save-every", "7", "--json").exit_code == 0, "the weights are the same"


def test_every_option_is_a_flag_with_help(invoke: Invoke) -> None:
    shown = CliRunner().invoke(app, ["pretrain", "--help"], env={"COLUMNS": "200"}).stdout
    for name in PretrainConfig.model_fields.keys() - {"data"}:
        assert f"--{name.replace('_', '-')}" in shown
    for switch in ("--no-eos", "--no-bf16"):
        assert switch in shown
