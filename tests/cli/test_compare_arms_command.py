"""`elusive compare-arms` as a user meets it: a table and a verdict, the same bytes each time, one line for a fault."""

import json
import re
from pathlib import Path

import pytest
import yaml
from elusive_cli.app import app
from typer.testing import CliRunner, Result

from elusive import compare_arms
from elusive.config import AugmentConfig, CompareArmsConfig, load
from elusive.errors import FolderError
from elusive.progress import Bars
from tests.arms_folders import asked, evaluation, experiment, patterns
from tests.files import contents

PRODUCTS = ("arms.json", "arms.md", "report.html")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["compare-arms", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def arms(tmp_path: Path) -> dict[str, str]:
    """Plain texts, random dropout, and a contrast that knows twice as much."""
    augment = {"random": {"guide": "random", "alpha": 0.2}, "contrast": {"guide": "contrast", "alpha": 0.4}}
    return experiment(
        tmp_path,
        {"plain": 0.3, "random": 0.3, "contrast": 0.6},
        n_people=12,
        steps={"plain": 420, "random": 420, "contrast": 400},
        drop_rates={"random": 0.2, "contrast": 0.25},
        augment=augment,
        perplexities={"general.jsonl": 12.5},
    )


def test_the_table_the_verdict_and_the_warnings_are_told(arms: dict[str, str], tmp_path: Path) -> None:
    result = invoke(*patterns(arms), "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.stderr
    for words in (
        r"3 seeds, 108 questions of each arm in 36 groups",
        r"arm +exact match +95 % +F1 +95 % +steps +drop rate",
        r"contrast +0\.\d+ +0\.\d+ to 0\.\d+ +0\.\d+ .* 400 +0\.250",
        r"plain .* 420 +n/a",
        r"Highest exact match: contrast, ",
        r"random and plain are not told apart: \+0\.000 exact match",
        r"contrast is above plain by 0\.\d+ exact match \(95 % \+.*; 3 of 3 seeds above; with seeds as the unit 95 % ",
        r"Warning: Arms differ in optimizer steps: plain 420, random 420, contrast 400\.",
        r"Warning: Arms differ in their mean drop rate: random 0\.200, contrast 0\.250\.",
    ):
        assert re.search(words, result.stdout), words
    again = invoke(*patterns(arms), "-o", str(tmp_path / "out"))
    assert again.exit_code == 0
    assert "already holds this run" in again.stderr
    assert again.stdout == result.stdout


def test_json_is_the_whole_of_stdout_and_what_lies_in_the_folder(arms: dict[str, str], tmp_path: Path) -> None:
    result = invoke(*patterns(arms), "--reference", "plain", "--reference", "random", "--json", "-o", f"{tmp_path}/out")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    told = json.loads(result.stdout)
    assert told["out"] == f"{tmp_path}/out"
    assert told["comparison"] == json.loads((tmp_path / "out" / "arms.json").read_text())
    assert told["comparison"]["references"] == ["plain", "random"]
    assert [arm["seeds"][2]["folder"] for arm in told["comparison"]["arms"]] == ["plain-2", "random-2", "contrast-2"]


def test_the_same_evaluations_make_the_same_bytes_wherever_they_lie(arms: dict[str, str], tmp_path: Path) -> None:
    compare_arms(arms, out=tmp_path / "one", progress=Bars(quiet=True))
    (tmp_path / "arms").rename(tmp_path / "moved")
    moved = {name: pattern.replace("/arms/", "/moved/") for name, pattern in arms.items()}
    compare_arms(
        [f"{name}={pattern}" for name, pattern in moved.items()], out=tmp_path / "two", progress=Bars(quiet=True)
    )
    one, two = (contents(tmp_path, name) for name in ("one", "two"))
    for name in PRODUCTS:
        assert one[f"one/{name}"] == two[f"two/{name}"], name
        assert str(tmp_path).encode() not in one[f"one/{name}"], "no path of this machine"


def test_the_markdown_is_a_table_and_the_verdict(arms: dict[str, str], tmp_path: Path) -> None:
    found = compare_arms(arms, out=tmp_path / "out", progress=Bars(quiet=True)).comparison
    lines = (tmp_path / "out" / "arms.md").read_text().splitlines()
    assert lines[0] == "| arm | exact match | F1 | by seed | steps | drop rate |"
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| plain", "| random", "| contrast"]
    assert {f"- {sentence}" for sentence in (*found.verdict, *found.warnings)} <= set(lines)


def test_other_answers_are_another_run(arms: dict[str, str], tmp_path: Path) -> None:
    compare_arms(arms, out=tmp_path / "out", progress=Bars(quiet=True))
    again = experiment(tmp_path / "again", {"plain": 0.4}, n_people=12)
    with pytest.raises(FolderError, match=r"holds a run with other options .*evaluations: plain changed"):
        compare_arms({**arms, "plain": again["plain"]}, out=tmp_path / "out", progress=Bars(quiet=True))


def test_a_product_that_is_gone_is_told(arms: dict[str, str], tmp_path: Path) -> None:
    compare_arms(arms, out=tmp_path / "out", progress=Bars(quiet=True))
    (tmp_path / "out" / "arms.md").unlink()
    assert "arms.md was removed or changed since" in invoke(*patterns(arms), "-o", f"{tmp_path}/out").stderr
    assert invoke(*patterns(arms), "-o", f"{tmp_path}/out", "--overwrite").exit_code == 0


def test_best_writes_what_augment_takes_and_touches_no_other_file(arms: dict[str, str], tmp_path: Path) -> None:
    best = tmp_path / "best.yaml"
    result = invoke(*patterns(arms), "-o", f"{tmp_path}/out", "--best", str(best))
    assert result.exit_code == 0, result.stderr
    assert "For elusive augment, as for contrast: guide contrast, alpha 0.4." in result.stdout
    assert yaml.safe_load(best.read_text()) == {"guide": "contrast", "alpha": 0.4}
    assert load(AugmentConfig, file=best, flags={}).alpha == 0.4
    assert invoke(*patterns(arms), "-o", f"{tmp_path}/out", "--best", str(best)).exit_code == 0
    best.write_text("copies: 3\n")
    refused = invoke(*patterns(arms), "-o", f"{tmp_path}/out", "--best", str(best))
    assert "is there already, with something else in it" in refused.stderr
    assert best.read_text() == "copies: 3\n"


def test_best_of_arms_whose_making_is_not_known_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    arms = experiment(tmp_path, {"a": 0.2, "b": 0.8}, n_people=4)
    result = invoke(*patterns(arms), "-o", f"{tmp_path}/out", "--best", f"{tmp_path}/best.yaml")
    assert result.exit_code == 1
    assert "the options of augment behind the best arm, 'b', are not known" in result.stderr
    assert not (tmp_path / "out").exists()


def test_dry_run_names_the_folders_and_writes_nothing(arms: dict[str, str], tmp_path: Path) -> None:
    result = invoke(*patterns(arms), "-o", f"{tmp_path}/out", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"questions +108 of each arm", result.stdout)
    assert re.search(r"contrast +\S+/contrast-0, \S+/contrast-1, \S+/contrast-2\n", result.stdout)
    assert not (tmp_path / "out").exists()


def test_arms_are_read_from_yaml_as_a_mapping(arms: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "arms.yaml"
    config.write_text(yaml.safe_dump({"arm": arms, "reference": "random", "out": f"{tmp_path}/out"}, sort_keys=False))
    result = invoke("--config", str(config), "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["comparison"]["references"] == ["random"]


def test_a_name_from_the_data_reaches_no_terminal_as_a_control(tmp_path: Path) -> None:
    for name in ("a", "b\x1b[31m"):
        evaluation(tmp_path / "arms" / f"{name}-0", asked(3, lambda _person, _field: 0.0, seed=0))
    result = invoke(*patterns({"a": f"{tmp_path}/arms/a-*", "b": f"{tmp_path}/arms/b*"}), "--dry-run", "--out", "x")
    assert result.exit_code == 0, result.stderr
    assert "\x1b[31m" not in result.stdout
    assert "b\\x1b[31m-0" in result.stdout


def test_help_names_every_option() -> None:
    text = CliRunner().invoke(app, ["compare-arms", "--help"], env={"COLUMNS": "240", "TERM": "dumb"}).stdout
    for name in CompareArmsConfig.model_fields:
        assert re.search(rf"(^|\s)--{name.replace('_', '-')}\s", text), name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no arm is nothing to compare; give --arm NAME=PATTERN at least twice"),
        (("--arm", "a=x"), "one arm, 'a', is nothing to compare"),
        (("--arm", "a=x", "--arm", "b"), "'b' is no arm; expected NAME=PATTERN"),
        (("--arm", "a=x", "--arm", "a=y"), "'a' names two arms"),
        (("--arm", "a=x", "--arm", "<b>=y"), "'<b>' is no name of an arm"),
        (("--arm", "plain=x", "--arm", "b=y", "--reference", "plian"), "'plian' is no arm; did you mean 'plain'"),
        (("--arm", "a=x", "--arm", "b=y"), "arm 'a': no folder matches 'x'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    result = invoke(*arguments, "--quiet", "--out", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (1, "")
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert not (tmp_path / "out").exists()
