"""`elusive compare-models` as a user meets it: tables on stdout, talk on stderr, one line for whatever is wrong."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from elusive_cli.app import app
from typer.testing import CliRunner, Result

from elusive import models
from elusive.config import CompareModelsConfig

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(corpus: Path, large: str, small: str, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    # Collecting garbage takes longer than scoring does, in a process that has run many tests.
    monkeypatch.setattr(models, "free_memory", lambda: None)

    def run(
        *arguments: str, pairs: tuple[str, ...] = (f"{large},{small}", f"{small},{large}"), columns: int = 120
    ) -> Result:
        given = [part for pair in pairs for part in ("--pair", pair)]
        return CliRunner().invoke(
            app, ["compare-models", str(corpus), *given, *arguments], env={"COLUMNS": str(columns)}
        )

    return run


def test_the_tables_tell_of_models_pairs_and_agreement(invoke: Invoke, small: str) -> None:
    result = invoke("--texts", "4")
    assert result.exit_code == 0, result.stderr
    assert "4 of 15 texts" in result.stdout
    assert "2 rows rejected; on cpu" in result.stdout
    for heading in ("model", "s per M", "ρ of its", "ρ of contrasts (share of the top tenth in common)"):
        assert heading in result.stdout
    assert re.search(r"^1  A, B  the same +128 ", result.stdout, re.MULTILINE)
    assert re.search(r"^pair 2 +-1\.00 \(0\.\d\d\) +1\.00 \(1\.00\)$", result.stdout, re.MULTILINE)
    assert "None of these figures says which pair teaches a model better" in result.stdout
    assert f"score with {small} model" in result.stderr


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_their_terminal_and_cut_no_name(invoke: Invoke, large: str, columns: int) -> None:
    result = invoke("--texts", "2", "--quiet", columns=columns)
    assert max(map(len, result.stdout.splitlines())) <= columns
    assert "…" not in result.stdout
    assert "A  " + large[:20] in result.stdout


def test_json_is_the_whole_of_stdout(invoke: Invoke) -> None:
    result = invoke("--texts", "4", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert {"texts", "sample_texts", "models", "pairs", "contrasts", "top_tenth", "summary"} <= told.keys()
    assert told["models"][0]["cost"]["device"] == "cpu"
    assert told["contrasts"][0][1]["mean"] == -1
    assert result.stderr == ""


def test_one_pair_needs_no_matrix(invoke: Invoke, large: str, small: str) -> None:
    assert "ρ of contrasts" not in invoke("--texts", "2", "--quiet", pairs=(f"{large},{small}",)).stdout


def test_a_candidate_left_out_has_its_row_and_its_reason(
    invoke: Invoke, large: str, small: str, tmp_path: Path
) -> None:
    result = invoke("--texts", "2", "--quiet", pairs=(f"{large},{small}", f"{tmp_path / 'absent'},{small}"))
    assert result.exit_code == 0
    assert re.search(r"^2  C, B  left out", result.stdout, re.MULTILINE)
    assert "C is left out: " in result.stdout
    assert "no such folder" in " ".join(result.stdout.split())


def test_dry_run_says_what_is_to_score(invoke: Invoke, large: str, small: str) -> None:
    result = invoke("--texts", "4", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert re.search(rf"^{large} +4 texts to score$", result.stdout, re.MULTILINE)
    assert "pair 1" in result.stdout
    assert f"{large}, {small}: windows of 128 tokens" in result.stdout


def test_pairs_come_from_yaml_as_lists_or_words(invoke: Invoke, large: str, small: str, tmp_path: Path) -> None:
    options = tmp_path / "pairs.yaml"
    options.write_text(f"texts: 2\npair:\n  - [{large}, {small}]\n  - {small},{large}\n")
    told = json.loads(invoke("--config", str(options), "--json", pairs=()).stdout)
    assert [(pair["large"], pair["small"]) for pair in told["pairs"]] == [(0, 1), (1, 0)]
    assert told["sample_texts"] == 2


def test_help_names_every_option_with_its_default() -> None:
    text = CliRunner().invoke(app, ["compare-models", "--help"], env={"COLUMNS": "240", "TERM": "dumb"}).stdout
    for name in CompareModelsConfig.model_fields:
        assert re.search(rf"(^|\s){'CORPUS' if name == 'corpus' else '--' + name.replace('_', '-')}\s", text), name
    line = next(line for line in text.splitlines() if "--pair" in line)
    assert "LARGE,SMALL" in line
    assert "Default: tiny:large,tiny:small and tiny:small,tiny:large." in line
    assert "Print what would be loaded and scored; write nothing." in text
    assert "plan and its cost" not in text


OPTIONS = {
    ("--pair", "alone"): r"pair\.0 is 'alone': expected LARGE,SMALL such as .*, or in YAML a list of two",
    ("--pair", "a,b,c"): r"expected LARGE,SMALL",
    ("--pair", "a,"): r"expected LARGE,SMALL",
    ("--pair", "a,b", "--pair", "a, b"): r"a,b is given twice",
    ("--set", "pair=[]"): r"pair is \[\]: .*at least 1",
    ("--set", "pair=[a, b]"): r"pair\.0 is 'a': expected LARGE,SMALL",
    ("--set", "pair=3"): r"pair is 3",
    ("--texts", "0"): r"texts is 0",
    ("--set", "pears=1"): r"no option 'pears'.*did you mean 'pair'",
    ("--pair", "./absent,tiny:small"): r"no pair can be compared: \./absent: no such folder",
    ("--pair", "tiny:lrge,tiny:small"): r"nothing embedded is called 'tiny:lrge'; did you mean 'tiny:large'",
    ("--layers", "99"): r"no pair can be compared: layers \[99\]",
    ("--window", "4096"): r"window 4096 is more than the context",
    ("--device", "cuda:99"): r"device 'cuda:99' cannot be used here",
}


@pytest.mark.parametrize("arguments", OPTIONS, ids=" ".join)
def test_an_option_that_makes_no_sense_is_named_in_one_line(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["compare-models", "--quiet", *arguments])
    assert result.exit_code == 1, result.output
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert re.search(OPTIONS[arguments], line), line
    assert result.stdout == ""


def test_a_corpus_that_is_not_there_is_named_in_one_line() -> None:
    result = CliRunner().invoke(app, ["compare-models", "absent.jsonl", "--quiet"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.search(r"^error: no file or folder", result.stderr)
