"""`pretrain` and `evaluate` on real weights: an interrupted run goes on, its adapter is asked, text is no noise."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from elusive.jobs.evaluate import evaluate
from elusive.jobs.pretrain import pretrain
from elusive.progress import Bars
from tests.files import contents
from tests.real.conftest import real
from tests.real.stopping import Stopped, Stopping

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own

QUIET = Bars(quiet=True)
# In float32: without units for it, a CPU takes ten times as long in bfloat16, the dtype of the folders.
SHORT: dict[str, Any] = {
    "lora": 4, "batch_size": 2, "lr": 1e-3, "max_length": 64, "device": "cpu", "dtype": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(smollm: str, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "out"
    result = pretrain(corpus, model=smollm, out=out, steps=4, save_every=2, progress=QUIET, **SHORT)
    assert 0 < result.loss["last"] < result.loss["first"] < 12
    return out


def test_an_interrupted_pretraining_ends_with_the_same_adapter(
    smollm: str, corpus: Path, trained: Path, tmp_path: Path
) -> None:
    options = {"model": smollm, "out": tmp_path / "out", "steps": 4, "save_every": 2, **SHORT}
    with pytest.raises(Stopped):
        pretrain(corpus, progress=Stopping(steps=3), **options)
    assert not (tmp_path / "out/adapter").exists()
    pretrain(corpus, progress=QUIET, **options)
    assert contents(tmp_path / "out", "adapter") == contents(trained, "adapter")


@pytest.mark.parametrize("name", ["gemma3-270m", "smollm2-135m-gguf"])
def test_other_weights_train_too(name: str, corpus: Path, tmp_path: Path) -> None:
    result = pretrain(
        corpus, model=real(name), out=tmp_path / "out", steps=1, dtype="bfloat16", progress=QUIET, **SHORT
    )
    assert 0 < result.loss["first"] < 12
    weights = load_file(tmp_path / "out/adapter/adapter_model.safetensors")
    assert all(weight.isfinite().all() for weight in weights.values())
    assert any(weight.any() for name, weight in weights.items() if "lora_B" in name)


def test_evaluate_asks_the_adapter_and_tells_text_from_noise(trained: Path, people: list[dict], tmp_path: Path) -> None:
    asked = tmp_path / "people.jsonl"
    asked.write_text("".join(json.dumps(row) + "\n" for row in people[3:6]), encoding="utf-8")
    texts = {"text": people[5]["text"]}
    words = texts["text"].split()
    random.Random(0).shuffle(words)
    for name, text in (texts | {"noise": " ".join(words)}).items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": text}) + "\n", encoding="utf-8")
    options: dict[str, Any] = {
        "model": str(trained),
        "questions": asked,
        "limit": 4,
        "shots": 2,
        "max_new_tokens": 6,
        "forgetting": tuple(f"{name}={tmp_path / name}.jsonl" for name in ("text", "noise")),
        "out": tmp_path / "out",
        "progress": QUIET,
    }
    result = evaluate(**options)
    assert (result.questions, result.unreadable, result.leaks is not None) == (4, 0, True)
    assert result.exact_match is not None
    assert 0 <= result.exact_match.value <= 1
    answers = [json.loads(line) for line in (tmp_path / "out/answers.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all("\n" not in answer["prediction"] for answer in answers)
    assert any(answer["prediction"] for answer in answers)
    text, noise = (result.forgetting[name].perplexity for name in ("text", "noise"))
    assert 1 < text < noise
    assert evaluate(**options).already_done
