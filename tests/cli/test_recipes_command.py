"""`elusive recipes` as a user meets it: what there is, what it would do, and runs that stop and go on."""

import json
import re
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from elusive_cli.app import app
from elusive_cli.command_lines import read_command
from typer.testing import CliRunner, Result

from elusive.errors import ElusiveError
from elusive.jobs.recipe_file import shipped_recipes

DEADLINE = 60.0
AUGMENT = "elusive augment {corpus} --copies {copies} --guide random --seed {seed} --out {out}/{seed}"


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["recipes", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commands of `elusive augment`, side by side."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus.jsonl").write_text('{"text": "She was born in Tarn, and works for Garsoft."}\n')
    head = {name: f"the {name} of it" for name in ("title", "about", "command", "hardware", "time", "expected")}
    stages = [{"name": "augment", "for": {"seed": [1, 2]}, "run": [AUGMENT]}]
    file = tmp_path / "two.yaml"
    variables = {"corpus": "corpus.jsonl", "copies": 2}
    file.write_text(yaml.safe_dump({**head, "variables": variables, "stages": stages}, sort_keys=False))
    return file


def test_the_list_names_every_recipe() -> None:
    result = invoke()
    assert result.exit_code == 0, result.stderr
    assert [line.split()[0] for line in result.stdout.splitlines()[1:] if line[:1].strip()] == list(shipped_recipes())
    assert list(json.loads(invoke("--json").stdout)) == list(shipped_recipes())


def test_show_prints_the_head_and_the_steps(recipe: Path) -> None:
    shown = invoke("show", recipe).stdout
    for words in ("the title of it", "the about of it", "the expected of it", AUGMENT, "augment, for seed in 1, 2"):
        assert words in shown
    assert re.search(r"hardware +the hardware of it", shown)
    assert json.loads(invoke("show", recipe, "--json").stdout)["stages"][0]["for"] == {"seed": [1, 2]}


def test_copy_writes_the_file_and_refuses_to_replace_one(recipe: Path) -> None:
    name, file = next(iter(shipped_recipes().items()))
    assert invoke("copy", name).exit_code == 0
    assert (recipe.parent / f"{name}.yaml").read_bytes() == file.read_bytes()
    again = invoke("copy", name)
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == f"error: {name}.yaml is there already; name another file, or --overwrite it\n"


def test_dry_run_prints_every_command_and_writes_nothing(recipe: Path) -> None:
    result = invoke("run", recipe, "--dry-run", "--set", "copies=3")
    assert result.exit_code == 0, result.stderr
    for seed in (1, 2):
        command = f"elusive augment corpus.jsonl --copies 3 --guide random --seed {seed} --out two/{seed}"
        assert f"{seed} augment\n    {command}\n" in result.stdout
    assert re.search(
        r"steps +2, of which 0 finished\nhardware +the hardware of it\ntime +the time of it", result.stdout
    )
    assert not Path("two").exists()


def test_a_failing_step_is_shown_and_told_with_its_log(recipe: Path) -> None:
    recipe.write_text(recipe.read_text() + "- name: push\n  run:\n  - elusive push {out}/absent you/name\n")
    failed = invoke("run", recipe, "--only", "push")
    assert (failed.exit_code, failed.stdout) == (1, "")
    before, shown, error = failed.stderr.splitlines()
    assert before == "step 3 of 3 (push): elusive push two/absent you/name"
    assert shown.startswith("error: two/absent holds no run.json; name the folder that elusive augment wrote")
    assert error == (
        f"error: step 3 of 3 (push) ended with exit code 1 ({shown}): elusive push two/absent you/name; "
        "all of it is in two/logs/003-push.log; mend it, and the same command goes on from here"
    )


def test_a_run_goes_on_after_a_kill_side_by_side_and_then_is_finished(recipe: Path) -> None:
    killed = psutil.Popen([sys.executable, "-m", "elusive_cli", "recipes", "run", recipe, "--quiet"])
    end = time.monotonic() + DEADLINE
    while not Path("two", "steps.jsonl").exists():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
    killed.suspend()
    at_work = killed.children()
    killed.kill()
    killed.wait()
    assert not psutil.wait_procs(at_work, timeout=DEADLINE)[1], "what it was at ends too, at its next word"

    done = invoke("run", recipe, "--workers", "2")
    assert done.exit_code == 0, done.stderr
    assert "step 1 of 2 (augment) was finished before: elusive augment corpus.jsonl" in done.stderr
    assert re.search(r"step 2 of 2 \(augment\) ended in \d+ s: elusive augment corpus.jsonl", done.stderr)
    assert re.search(r"steps +2, of which 1 were finished before", done.stdout)
    assert all(json.loads(Path("two", str(seed), "run.json").read_text())["finished"] for seed in (1, 2))
    assert json.loads(invoke("run", recipe, "--json").stdout)["ran"] == 0


def test_faults_of_all_commands_are_one_line_and_nothing_runs(recipe: Path) -> None:
    text = (
        recipe.read_text().replace("--guide random", "--guide randm --alpha 2").replace("- name: augment", "- name: a")
    )
    recipe.write_text(text + "- name: b\n  run: ['elusive pretrian', 'elusive index --kind flat --lists 3']\n")
    result = invoke("run", recipe)
    assert (result.exit_code, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    for words in (
        "stage 'a'",
        "guide is 'randm'; did you mean 'random'?",
        "alpha is 2.0",
        "stage 'b', 'elusive pretrian': there is no command 'pretrian'; did you mean 'pretrain'",
        "No such option: --lists",
    ):
        assert words in line
    assert not Path("two").exists()
    unknown = invoke("run", recipe, "--set", "copy=3")
    assert unknown.stderr == "error: the recipe has no variable 'copy'; did you mean 'corpus' or 'copies'?\n"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["augment", "--help"], "asks for help"),
        (["recipes", "run", "x"], "there is no command 'recipes'"),
        ([], "there is no command ''"),
        (["augment", "a.jsonl", "b.jsonl"], "b.jsonl"),
        (["augment", "--config", "absent.yaml"], "no config file 'absent.yaml'"),
        (["augment", "--set", "copies=-1"], "copies is -1"),
    ],
)
def test_what_cannot_be_a_step_is_told(words: list[str], fault: str, tmp_path: Path) -> None:
    with pytest.raises(ElusiveError, match=re.escape(fault)):
        read_command(words, to_come=tmp_path)


def test_a_command_is_read_with_its_files_and_those_to_come(tmp_path: Path) -> None:
    assert read_command(["augment"], to_come=tmp_path) == Path("augmented")
    assert read_command(["augment", "--config", f"{tmp_path}/best.yaml", "-o", "x"], to_come=tmp_path) == Path("x")
    (tmp_path / "best.yaml").write_text("out: told\n")
    assert read_command(["augment", "--config", f"{tmp_path}/best.yaml"], to_come=tmp_path) == Path("told")
    assert read_command(["push", "folder", "you/name"], to_come=tmp_path) is None
    assert [file.name for file in tmp_path.iterdir()] == ["best.yaml"]
