"""Several processes train one retriever, the one that a single process would train; a wrong launch is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elusive_cli.app import app
from safetensors.numpy import load_file
from typer.testing import CliRunner

from tests.distill_fixtures import Towns, arguments, write_towns

SHORT = {"gate_samples": 2, "limit": 6, "k": 3, "lr": 1e-3, "steps": 2, "refresh": "1", "batch_size": 4}


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Towns:
    return write_towns(tmp_path_factory.mktemp("towns"))


def command(towns: Towns, out: Path, **options: Any) -> list[str]:
    given = arguments(towns.options | SHORT | {"out": str(out)} | options)
    return ["distill", *given, "--ignore-gate", "--json"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_train_what_one_would(towns: Towns, tmp_path: Path) -> None:
    alone = CliRunner().invoke(app, command(towns, tmp_path / "one"))
    assert alone.exit_code == 0, alone.stderr
    here = Path(sys.executable).parent
    launched = subprocess.run(
        [
            here / "torchrun",
            "--standalone",
            "--nproc_per_node",
            "2",
            here / "elusive",
            *command(towns, tmp_path / "two"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert launched.returncode == 0, launched.stderr
    one, two = json.loads(alone.stdout), json.loads(launched.stdout)
    assert one["hr"] == two["hr"]
    assert one["steps"] == two["steps"] == 2
    trained, likewise = (load_file(tmp_path / name / "retriever" / "model.safetensors") for name in ("one", "two"))
    for name, weights in trained.items():
        np.testing.assert_allclose(likewise[name], weights, rtol=0, atol=1e-4, err_msg=name)


def test_a_launch_in_which_each_process_would_do_all_is_refused(
    towns: Towns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = CliRunner().invoke(app, command(towns, tmp_path / "out"))
    assert result.exit_code == 1
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: 2 processes were launched, but accelerate joins 1: each would do all the work")
    assert not (tmp_path / "out").exists()
