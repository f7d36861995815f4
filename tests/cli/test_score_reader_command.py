"""`elusive score-reader` as a user meets it: tables on stdout, talk on stderr, and an exit code to stop a pipeline."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from elusive_cli.app import app
from typer.testing import CliRunner, Result

from elusive.config import ScoreReaderConfig
from elusive.config.fields import MODELS, OUTPUT, QUESTIONS, SCORING
from tests.score_reader_fixtures import N_HITS, Miniature, question_rows, write_rows
from tests.tiny import save_llama

pytestmark = pytest.mark.usefixtures("collector_off")

Invoke = Callable[..., Result]

TUNED, UNTUNED = "tiny:reader", "tiny:reader-untuned"


@pytest.fixture
def invoke(miniature: Miniature, quick: None, tmp_path: Path) -> Invoke:
    """The command on the embedded readers, which have read all of its questions before."""

    def run(*arguments: str, reader: str = TUNED, reference: str = UNTUNED, columns: int = 100) -> Result:
        given = ["--data", miniature.data, "--readings", miniature.readings, "-o", str(tmp_path / "out")]
        command = ["score-reader", *given, "--reader", reader, "--reference", reference, *arguments]
        return CliRunner().invoke(app, command, env={"COLUMNS": str(columns)})

    return run


@pytest.fixture
def invoke_tiny(asked: str, reader_a: str, reader_b: str, quick: None, tmp_path: Path) -> Invoke:
    """The command on six questions and two random readers."""

    def run(*arguments: str, data: str = asked) -> Result:
        given = ["--data", data, "-o", str(tmp_path / "out"), "--max-new-tokens", "4"]
        command = ["score-reader", *given, "--reader", reader_a, "--reference", reader_b, *arguments]
        return CliRunner().invoke(app, command, env={"COLUMNS": "200"})

    return run


def told(result: Result) -> dict[str, Any]:
    """The one JSON object on stdout."""
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert isinstance(found, dict)
    return found


# -- what is said ----------------------------------------------------------------------------------------------------


def test_the_tables_tell_of_readers_verdicts_and_differences(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke()
    assert result.exit_code == 0, result.stderr
    assert f"{N_HITS} of {N_HITS} questions, 100% with an answer in a passage" in result.stdout
    number = r" +-?\d+\.\d\d"
    assert re.search(rf"^tiny:reader +good({number}){{6}}", result.stdout, re.MULTILINE)
    assert re.search(rf"^tiny:reader-untuned +reference({number}){{6}}", result.stdout, re.MULTILINE)
    assert re.search(
        r"^tiny:reader: good\. Answer: lift rises by .*; ρ rises by .*; its attention", result.stdout, re.M
    )
    assert re.search(r"^  Question: .*mean ρ", result.stdout, re.MULTILINE)
    assert re.search(r"^tiny:reader is above tiny:reader-untuned in lift \(by \d", result.stdout, re.MULTILINE)
    assert f"report: {tmp_path / 'out' / 'report.html'}" in result.stderr


@pytest.mark.parametrize("columns", [80, 120])
def test_figures_fit_their_terminal_and_cut_no_name(invoke: Invoke, columns: int) -> None:
    table = invoke("--quiet", columns=columns).stdout.split("\n\n")[1]
    assert max(map(len, table.splitlines())) <= columns
    assert "…" not in table
    assert "tiny:reader" in table


def test_json_is_the_whole_of_stdout(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--json")
    found = told(result)
    assert found.keys() >= {"readers", "ranking", "differences", "left_out", "samples", "seconds", "out"}
    assert found["ranking"] == [TUNED, UNTUNED]
    assert [reader["reader"] for reader in found["readers"]] == [TUNED, UNTUNED]
    assert found["readers"][0]["verdict"] == "good"
    assert found["out"] == str(tmp_path / "out")
    assert result.stderr == ""


def test_quiet_says_nothing_on_stderr(invoke: Invoke) -> None:
    assert invoke("--quiet").stderr == ""


def test_readers_that_could_not_read_all_or_at_all_are_told(invoke_tiny: Invoke, tmp_path: Path) -> None:
    rows = question_rows(n=3)
    rows[1]["question"] = "Who met her? " * 200
    result = invoke_tiny("--reader", str(tmp_path / "absent"), data=write_rows(tmp_path / "data.jsonl", rows))
    assert result.exit_code == 0, result.stderr
    assert len(re.findall(r"^\S+ could not read 1 of the questions \(report\.html\)\.$", result.stdout, re.M)) == 2
    assert re.search(r"^\S+absent is left out: .*absent: no such folder$", result.stdout, re.MULTILINE)


def test_scripts_without_spaces_are_told(invoke_tiny: Invoke, tmp_path: Path) -> None:
    rows = question_rows(n=3)
    rows[1]["answers"] = [*rows[1]["answers"], "東京"]
    result = invoke_tiny("--no-exact-match", "--quiet", data=write_rows(tmp_path / "data.jsonl", rows))
    assert "1 of the 3 questions have answers in a script without spaces" in result.stdout


def test_shortened_passages_are_told(invoke_tiny: Invoke) -> None:
    result = invoke_tiny("--max-tokens", "70", "--no-exact-match", "--quiet")
    assert re.search(r"read 6 of the questions with shortened passages\.$", result.stdout, re.MULTILINE)
    assert re.search(r" n/a +n/a$", result.stdout, re.MULTILINE), "exact match was not asked for"


def test_dry_run_shows_the_plan_and_writes_nothing(invoke_tiny: Invoke, tmp_path: Path) -> None:
    result = invoke_tiny("--dry-run", "--samples", "3", "--k", "2")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"^sample +3 questions, 6 passages$", result.stdout, re.MULTILINE)
    assert re.search(r"^\S+/a +decoder-only: 3 questions to read, about \d+ tokens, ", result.stdout, re.MULTILINE)
    assert re.search(r"^options .*samples=3", result.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_dry_run_has_json_too_and_knows_what_was_read(invoke: Invoke, tmp_path: Path) -> None:
    found = told(invoke("--dry-run", "--json"))
    assert [reader["to_read"] for reader in found["readers"]] == [0, 0]
    assert (found["samples"], found["hits"]) == (N_HITS, N_HITS)
    assert "has read all of them already" in invoke("--dry-run").stdout
    assert not (tmp_path / "out").exists()


# -- the exit code ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["tables", "json"])
def test_require_good_ends_with_3_where_no_reader_is_good(invoke: Invoke, form: list[str]) -> None:
    poor = invoke("--require-good", *form, reader=UNTUNED, reference=TUNED)
    assert poor.exit_code == 3
    assert "poor" in poor.stdout
    assert invoke("--require-good", *form, reader=UNTUNED, reference=TUNED).exit_code == 3, "done already, likewise"
    assert invoke(*form, "--overwrite", reader=UNTUNED, reference=TUNED).exit_code == 0, "it was not asked for"


def test_require_good_is_content_with_a_good_one(invoke: Invoke) -> None:
    assert invoke("--require-good", "--quiet").exit_code == 0


# -- options ---------------------------------------------------------------------------------------------------------


def test_percentiles_and_readers_may_be_given_again(invoke_tiny: Invoke, tmp_path: Path) -> None:
    added = save_llama(tmp_path / "added", seed=9, context=512)
    found = told(invoke_tiny("--percentile", "99", "--percentile", "80", "--reader", added, "--json"))
    assert list(found["readers"][0]["indicators"]["answer"]) == ["p80", "p90", "p95", "p99"]
    assert [reader["reader"] for reader in found["readers"]][1] == added
    recorded = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["options"]
    assert recorded["percentile"] == [99, 80]


def test_options_come_from_yaml_as_lists_or_words(invoke_tiny: Invoke, tmp_path: Path) -> None:
    options = tmp_path / "options.yaml"
    options.write_text("percentile: 80\nexact-match: false\nlayers: 0\nsamples: 5\n")
    found = told(invoke_tiny("--config", str(options), "--set", "samples=4", "--samples", "3", "--json"))
    assert found["samples"] == 3
    assert found["readers"][0]["em"] is None
    assert "p80" in found["readers"][0]["indicators"]["question"]
    assert len(found["readers"][0]["head_lifts"]) == 1


def help_text(columns: int) -> str:
    environment = {"COLUMNS": str(columns), "TERM": "dumb"}
    return CliRunner().invoke(app, ["score-reader", "--help"], env=environment).stdout


def test_help_names_every_option_with_its_default_under_its_heading() -> None:
    text = help_text(240)
    panels = {panel: text.index(f" {panel} ─") for panel in (QUESTIONS, MODELS, SCORING, OUTPUT)}
    assert list(panels) == sorted(panels, key=lambda panel: panels[panel])
    for name, field in ScoreReaderConfig.model_fields.items():
        found = re.search(rf"^.*(?<=\s)--{name.replace('_', '-')}\s.*$", text, re.MULTILINE)
        assert found, name
        if field.default not in (None, ()) and not isinstance(field.default, bool):
            assert f"Default: {field.default}." in found[0]
        panel = max((panel for panel in panels if panels[panel] < found.start()), key=lambda panel: panels[panel])
        assert panel == field.json_schema_extra["panel"], name
    for flag, metavar in (("reader", "MODEL"), ("percentile", "NUMBER"), ("adapter", "PATH"), ("layers", "INDICES")):
        assert re.search(rf"--{flag} +{metavar} ", text), flag


def test_examples_fit_80_columns() -> None:
    examples = re.findall(r"^ +elusive score-reader.*$", help_text(80).partition("Examples:")[2], re.MULTILINE)
    assert len(examples) == 5
    assert all(line.rstrip() in help_text(200) for line in examples), "none is broken"


OPTIONS = {
    ("--percentile", "100"): r"percentile\.0 is '?100'?: .*less than 100",
    ("--percentile", "nan"): r"percentile\.0 is '?nan'?: ",
    ("--percentile", "most"): r"percentile\.0 is 'most': .*number",
    ("--samples", "0"): r"samples is 0",
    ("--k", "0"): r"k is 0",
    ("--batch-size", "0"): r"batch_size is 0",
    ("--rows", "generatd"): r"rows is 'generatd'; did you mean 'generated'",
    ("--nouns", "texblob"): r"nouns is 'texblob'; did you mean 'textblob'",
    ("--teacher", "perplexity"): r"--teacher perplexity cannot be judged: .*judge it by its hit rate after training",
    ("--adapter", "./lora"): r"--adapter goes on one --reader, and there is none",
    ("--adapter", "x", "--reader", "a", "--reader", "b"): r"--adapter goes on one --reader, and there are 2",
    ("--reader", "a", "--reader", "./a"): r"\./a is given twice; expected each once",
    ("--reader", "./a", "--reference", "a"): r"a is named as reader and as reference",
    ("--text-column", "text"): r"--text-column is of --passages, which are not given",
    ("--set", "reders=1"): r"no option 'reders'; did you mean 'reader'",
    ("--set", "layers=a"): r"layers is 'a': expected numbers and ranges",
    ("--reader", "./absent"): r"\./absent: no such folder",
    ("--reader", "tiny:readr"): r"nothing embedded is called 'tiny:readr'; did you mean 'tiny:reader'",
    ("--reference", "./absent"): r"the reference cannot be used: \./absent: no such folder",
    ("--data", "absent.jsonl"): r"absent\.jsonl",
    ("--template", "absent.yaml"): r"no template file 'absent\.yaml'",
    ("--layers", "99"): r"layers \[99\] are not all among the model's layers 0 to 1",
    ("--device", "cuda:99"): r"device 'cuda:99' cannot be used here",
}


@pytest.mark.parametrize("arguments", OPTIONS, ids=" ".join)
def test_an_option_that_makes_no_sense_is_named_in_one_line(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["score-reader", "--quiet", "--samples", "2", *arguments])
    assert result.exit_code == 1, result.output
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert re.search(OPTIONS[arguments], line), line
    assert result.stdout == ""
    assert not (tmp_path / "scored-readers" / "run.json").exists()
