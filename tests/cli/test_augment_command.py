"""`elusive augment` as a user meets it: results on stdout, talk on stderr, one line for whatever is wrong."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from elusive_cli.app import app
from typer.testing import CliRunner, Result

from elusive.config import AugmentConfig
from tests.files import contents
from tests.tiny import WORDS, byte_bpe, save_llama

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(corpus: Path, large: str, small: str, tmp_path: Path) -> Invoke:
    def run(*arguments: str, source: str | None = None, large: str = large, small: str = small) -> Result:
        command = ["augment", source or str(corpus), "--large", large, "--small", small, "--preset", "paper"]
        return CliRunner().invoke(app, [*command, "-o", str(tmp_path / "out"), *arguments])

    return run


def test_json_is_the_whole_of_stdout(invoke: Invoke, texts: dict[str, str]) -> None:
    result = invoke("--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    expected = {"texts", "tokens", "rows", "rejected", "drop_rate", "sink_mass", "seconds", "peak_bytes", "out"}
    assert expected <= told.keys()
    assert told["texts"] == len(texts)
    assert told["drop_rate"].keys() == {"planned", "realised"}
    assert told["sink_mass"].keys() == {"large", "small"}


def test_the_table_tells_what_was_done(invoke: Invoke, texts: dict[str, str], tmp_path: Path) -> None:
    result = invoke()
    assert result.exit_code == 0, result.stderr
    for words in ("texts", "drop rate", "prefix", "copies equal", "peak memory", str(tmp_path / "out")):
        assert words in result.stdout
    assert "score with large model" in result.stderr


def test_quiet_says_nothing_on_stderr(invoke: Invoke) -> None:
    assert invoke("--quiet").stderr == ""


def test_dry_run_shows_the_plan_and_writes_nothing(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--dry-run", "--limit", "3")
    assert result.exit_code == 0, result.stderr
    assert "rows to write  33" in result.stdout
    assert not (tmp_path / "out").exists()


def test_limit_previews(invoke: Invoke) -> None:
    assert json.loads(invoke("--limit", "3", "--json").stdout)["rows"] == 33


def test_a_file_of_options_is_overruled_by_set_and_set_by_flags(invoke: Invoke, tmp_path: Path) -> None:
    options = tmp_path / "options.yaml"
    options.write_text("alpha: 0.2\ncopies: 2\ndrop-mode: blank\nlayers: 0,-1\n")
    arguments = ["--config", str(options), "--set", "copies=3", "--set", "seed=4", "--seed", "5", "--json"]
    assert invoke(*arguments).exit_code == 0
    recorded = json.loads((tmp_path / "out" / "run.json").read_text())["options"]
    assert (recorded["alpha"], recorded["copies"], recorded["seed"], recorded["drop_mode"]) == (0.2, 3, 5, "blank")
    assert recorded["layers"] == [0, -1]


def test_unlike_tokenizers_are_aligned_and_it_is_said(invoke: Invoke, texts: dict[str, str], tmp_path: Path) -> None:
    other = save_llama(tmp_path / "other", seed=3, tokenizer=byte_bpe(vocab_size=300, text=WORDS[::-1]))
    result = invoke(small=other)
    assert result.exit_code == 0, result.stderr
    assert re.search(r"aligned texts +1\d +\(the two tokenizers differ", result.stdout)


def test_help_names_every_option_with_the_default_that_the_job_has() -> None:
    text = CliRunner().invoke(app, ["augment", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).stdout
    for name, field in AugmentConfig.model_fields.items():
        flag = "CORPUS" if name == "corpus" else "--" + name.replace("_", "-")
        line = next((line for line in text.splitlines() if re.search(rf"(^|\s){re.escape(flag)}\s", line)), None)
        assert line is not None, flag
        if field.default not in (None, ()) and not isinstance(field.default, bool):
            assert f"Default: {field.default}." in line
    assert "Examples" in text


def test_a_run_in_use_is_refused_with_its_owner(invoke: Invoke, tmp_path: Path) -> None:
    from elusive.data.run_folder import open_run

    with open_run(tmp_path / "out", {}, products=()):
        result = invoke("--quiet")
    assert result.exit_code == 1
    assert re.search(r"in use by process \d+", result.stderr)


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]], ids=["plain", "overwrite"])
def test_files_that_are_no_runs_are_never_touched(invoke: Invoke, tmp_path: Path, overwrite: list[str]) -> None:
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "data" / "precious").write_text("mine")
    result = invoke("--quiet", *overwrite)
    assert result.exit_code == 1
    assert "already holds data but no run.json" in result.stderr
    assert contents(tmp_path, "out") == {"out/data/precious": b"mine"}


def test_errors_show_their_traceback_when_asked(invoke: Invoke, monkeypatch) -> None:
    monkeypatch.setenv("ELUSIVE_DEBUG", "1")
    result = invoke("--alpha", "2")
    assert type(result.exception).__name__ == "OptionError"
