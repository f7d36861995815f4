"""Mixed precision, in a process of its own: accelerate knows one precision a process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file


@pytest.mark.parametrize("mode", ["fine-tuned", "off-the-shelf"])
def test_what_is_trained_in_mixed_precision_stays_float32(mode: str, tmp_path: Path) -> None:
    options = f"--mode {mode} --bf16 --steps 2 --refresh 1 --limit 40 --device cpu --ignore-gate --json"
    command = [Path(sys.executable).parent / "elusive", "distill", *options.split(), "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["steps"] == 2
    weights = load_file(tmp_path / "out" / "retriever" / "model.safetensors")
    assert {str(weight.dtype) for weight in weights.values()} == {"torch.float32"}
