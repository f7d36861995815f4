"""Two processes train the model that one would, each row once; the first of them writes and speaks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from elusive_cli.app import app
from safetensors.numpy import load_file
from typer.testing import CliRunner

from tests.distill_fixtures import write_lines
from tests.tiny import WORDS, save_llama
from tests.unit.evaluation.exams import PEOPLE


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    texts = tmp_path / "texts.jsonl"
    # Eleven rows in steps of four: one process has nothing in the last step.
    texts.write_text("".join(json.dumps({"text": WORDS[5 * i :]}) + "\n" for i in range(11)), encoding="utf-8")
    base = save_llama(tmp_path / "base", seed=1, context=512)
    twins = [row | {"name": f"{row['name']} Junior"} for row in PEOPLE]
    people = write_lines(tmp_path / "people.jsonl", [*PEOPLE, *twins])  # two batches of questions
    short = ["--epochs", "2", "--batch-size", "4", "--lora", "0", "--lr", "1e-3", "--device", "cpu"]
    asked = ["--evaluate", people, "--every", "4", "--shots", "0", "--max-new-tokens", "4"]
    return ["pretrain", str(texts), "--model", base, *short, *asked, "--replay", f"{texts}:0.25", "--json"]


@pytest.mark.slow
def test_two_processes_train_what_one_would(command: list[str], tmp_path: Path) -> None:
    alone = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "one")])
    assert alone.exit_code == 0, alone.stderr
    here = Path(sys.executable).parent
    torchrun = [here / "torchrun", "--standalone", "--nproc_per_node", "2", here / "elusive"]
    launched = subprocess.run(
        [*torchrun, *command, "-o", tmp_path / "two"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert launched.returncode == 0, launched.stderr
    one, two = json.loads(alone.stdout), json.loads(launched.stdout)
    same = ("texts", "rows", "replayed", "steps", "epochs", "tokens", "parameters")
    assert [one[name] for name in same] == [two[name] for name in same]
    assert one["loss"] == pytest.approx(two["loss"], rel=1e-4)
    trained, likewise = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two"))
    for name, weights in trained.items():
        np.testing.assert_allclose(likewise[name], weights, rtol=0, atol=1e-4, err_msg=name)
    curves = [(tmp_path / name / "curve.jsonl").read_text().splitlines() for name in ("one", "two")]
    assert [json.loads(line)["step"] for line in curves[1]] == [json.loads(line)["step"] for line in curves[0]]
    assert curves[0][0] == curves[1][0], "of the model that both begin with"
    first = Path("curve") / "answers-000000.jsonl"
    assert (tmp_path / "two" / first).read_bytes() == (tmp_path / "one" / first).read_bytes()


def test_a_launch_in_which_each_process_would_do_all_is_refused(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = CliRunner().invoke(app, [*command, "-o", str(tmp_path / "out")])
    assert result.exit_code == 1
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: 2 processes were launched, but accelerate joins 1: each would do all the work")
    assert not (tmp_path / "out").exists()
