"""`elusive evaluate` as a user meets it: tables on stdout, talk on stderr, one line for what cannot be done."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elusive_cli.app import app
from typer.testing import CliRunner, Result

from elusive import statistics
from elusive.config import EvaluateConfig
from elusive.config.fields import MODELS, OUTPUT, PASSAGES, QUESTIONS, SCORING
from tests.distill_fixtures import passage_rows, question_rows, write_lines
from tests.unit.evaluation.exams import PEOPLE

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """The command on four people, whom the tiny model has never read of."""
    monkeypatch.setattr(statistics, "_RESAMPLES", 50)
    people = write_lines(tmp_path / "people.jsonl", PEOPLE)

    def run(*arguments: str, questions: str = people, columns: int = 100) -> Result:
        command = ["evaluate", *arguments, "--questions", questions, "-o", str(tmp_path / "out")]
        return CliRunner().invoke(app, command, env={"COLUMNS": str(columns)})

    return run


def told(result: Result) -> dict[str, Any]:
    """The one JSON object on stdout."""
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_has_each_field_and_all_within_its_terminal(invoke: Invoke, tmp_path: Path, columns: int) -> None:
    texts = write_lines(tmp_path / "wiki.jsonl", [{"text": "Mara met Tor."}, {"text": "Tor met Ane."}])
    result = invoke("--shots", "0", "--forgetting", f"other={texts}", columns=columns)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("12 questions on 4 people, 0 shots\n")
    number, interval = r" +\d\.\d{3}", r" +\d\.\d{3} to \d\.\d{3}"
    for name, n in (("birth_city", 4), ("major", 4), ("company", 4), ("all", 12)):
        assert re.search(rf"^{name}(?:{number}{interval}){{2}} +{n}$", result.stdout, re.MULTILINE), name
    assert re.search(r"^other +[\d,]+\.\d\d +\d+\.\d{3} +\d+\.\d{3} to \d+\.\d{3} +\d+$", result.stdout, re.MULTILINE)
    assert "Whether the model has read the questions before is not known" in result.stdout
    assert max(map(len, result.stdout.split("\n\nWhether")[0].splitlines())) <= columns


def test_json_is_the_whole_of_stdout_and_quiet_says_nothing(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--shots", "1", "--field", "major", "--json")
    found = told(result)
    assert (found["questions"], found["groups"], found["shots"], list(found["fields"])) == (4, 4, 1, ["major"])
    assert found["exact_match"].keys() == {"mean", "sd", "low", "high", "n", "left_out"}
    assert result.stderr == ""
    again = told(invoke("--shots", "1", "--field", "major", "--json"))
    assert again == found | {"already_done": True}
    assert invoke("--overwrite", "--quiet", "--shots", "3").stderr == ""


def test_answers_that_would_be_cut_are_told(invoke: Invoke) -> None:
    words = "are longer than 1 tokens, and what the model writes is cut there; raise --max-new-tokens"
    assert words in invoke("--shots", "0", "--max-new-tokens", "1").stderr
    assert words not in invoke("--shots", "0", "--overwrite").stderr


def test_scripts_without_spaces_are_told(invoke: Invoke, tmp_path: Path) -> None:
    passages = write_lines(tmp_path / "p.jsonl", [{"id": "1", "text": "東京都は日本の首都です。"}])
    rows = [{"question": "日本の首都は", "answers": ["東京"]}, {"question": "Who?", "answers": ["Ann"]}]
    asked = write_lines(tmp_path / "q.jsonl", rows)
    result = invoke("--retriever", "tiny:encoder", "--passages", passages, "--quiet", questions=asked)
    assert result.exit_code == 0, result.stderr
    assert "1 of the 2 questions have answers in a script without spaces" in result.stdout
    assert re.search(r"^HR@1 +0\.500", result.stdout, re.MULTILINE)


def test_a_retriever_alone_has_a_table_of_hits(invoke: Invoke, tmp_path: Path) -> None:
    passages = write_lines(tmp_path / "passages.jsonl", passage_rows())
    towns = write_lines(tmp_path / "towns.jsonl", question_rows()[:8])
    result = invoke("--retriever", "tiny:encoder", "--passages", passages, "--k", "1,5", questions=towns)
    assert result.exit_code == 0, result.stderr
    assert "exact match" not in result.stdout
    assert re.findall(r"^(HR@\d+) +\d\.\d{3} +\d\.\d{3} to \d\.\d{3}$", result.stdout, re.MULTILINE) == ["HR@1", "HR@5"]


def test_leaks_that_are_allowed_are_told(invoke: Invoke, tmp_path: Path) -> None:
    texts = write_lines(tmp_path / "texts.jsonl", [{"text": "What did Ane Brook study? Music."}])
    refused = invoke("--trained-on", texts)
    assert refused.exit_code == 1
    assert re.search(r"^error: 1 of the 12 questions stand in what the model was trained on", refused.stderr, re.M)
    result = invoke("--trained-on", texts, "--allow-leaks", "--shots", "0")
    assert "Warning: 1 of the questions stand in what the model was trained on (the first, in " in result.stdout


def test_dry_run_shows_the_first_prompt_and_the_cost_and_writes_nothing(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--dry-run", "--shots", "1", "--limit", "5")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^questions +5 on 2 people$", result.stdout, re.MULTILINE)
    assert re.search(r"^  birth_city +2$", result.stdout, re.MULTILINE)
    prompt = (
        r"'Question: In which city was \w+ \w+ born\?\\nAnswer: \w+\\n\\nQuestion: .*Mara Velting born\?\\nAnswer:'"
    )
    assert re.search(rf"^first prompt +{prompt}$", result.stdout, re.MULTILINE)
    assert re.search(r"^time +about ", result.stdout, re.MULTILINE)
    assert {entry.name for entry in tmp_path.iterdir()} == {"people.jsonl"}
    plan = told(invoke("--dry-run", "--json", "--shots", "3"))
    assert plan["closed_book"]["longest_prompt"] > 50


def help_text(columns: int) -> str:
    environment = {"COLUMNS": str(columns), "TERM": "dumb"}
    return CliRunner().invoke(app, ["evaluate", "--help"], env=environment).stdout


def test_help_names_every_option_under_its_heading() -> None:
    text = help_text(300)
    panels = {panel: text.index(f" {panel} ─") for panel in (QUESTIONS, PASSAGES, MODELS, SCORING, OUTPUT)}
    assert re.search(r"^.*Arguments.*\n.*MODEL.*tiny:large unless told", text, re.MULTILINE)
    for name, field in EvaluateConfig.model_fields.items():
        if name == "model":
            continue
        found = re.compile(rf"^.*(?<=\s)--{name.replace('_', '-')}\s.*$", re.M).search(text, min(panels.values()))
        assert found, name
        panel = max((panel for panel in panels if panels[panel] < found.start()), key=lambda panel: panels[panel])
        assert panel == field.json_schema_extra["panel"], name


def test_examples_fit_80_columns() -> None:
    examples = re.findall(r"^ +elusive evaluate.*$", help_text(80).partition("Examples:")[2], re.MULTILINE)
    assert len(examples) == 5
    assert all(line.rstrip() in help_text(200) for line in examples), "none is broken"


OPTIONS = {
    ("./absent",): r"\./absent: no such folder",
    ("tiny:lage",): r"nothing embedded is called 'tiny:lage'; did you mean 'tiny:large'",
    ("tiny:large", "--adapter", "./absent"): r"\./absent: no such folder",
    ("--questions", "absent.jsonl"): r"no file or folder 'absent\.jsonl'",
    ("--field", "majr"): r"nobody in .* has a 'majr'; did you mean 'major'",
    ("--templates", "absent.yaml"): r"no templates file 'absent\.yaml'",
    ("--shots", "60"): r"biographies\.jsonl|sample:biographies has 59 examples",
    ("--shots", "45"): r"question '.*' is \d+ tokens with 45 shots, .* takes 502 beside 10 new ones; \d+ shots fit",
    ("--shots", "-1"): r"shots is -1",
    ("--shots", "0", "--examples", "x"): r"--examples are for --shots, and there are none",
    ("--k", "5"): r"--k counts the hits of a --retriever",
    ("--passages", "x"): r"--passages needs --retriever beside it",
    ("--forgetting", "absent.jsonl", "--limit", "2"): r"no file or folder 'absent\.jsonl'",
    ("--forgetting", "a=x", "--forgetting", "a=y"): r"two of --forgetting are called a; name them, as NAME=DATA",
    ("--trained-on", "absent.jsonl"): r"no file or folder 'absent\.jsonl'",
    ("--window", "9999", "--forgetting", "sample:biographies"): r"window 9999 is more than the context .* 512 tokens",
    ("--max-new-tokens", "512"): r"max_new_tokens 512 leaves no room for a prompt",
    ("--set", "shot=1"): r"no option 'shot'; did you mean 'shots'",
    ("--device", "cuda:99"): r"device 'cuda:99' cannot be used here",
}


@pytest.mark.parametrize("arguments", OPTIONS, ids=" ".join)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["evaluate", "--quiet", *arguments])
    assert result.exit_code == 1, result.output
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert re.search(OPTIONS[arguments], line), line
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []
