"""The base beneath an adapter: as it was stored, or widened where 16 bits would be slow."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from elusive.models import ModelSource
from elusive.pretraining.learner import ALL_LINEAR, Lora, load_learner
from tests.tiny import save_llama

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

LORA = Lora(rank=2, alpha=2, dropout=0.0, targets=[ALL_LINEAR], seed=0)
QUICK = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}


@pytest.fixture(scope="module", params=[torch.bfloat16, torch.float16, torch.float32], ids=str)
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, torch.dtype]:
    whole, out = save_llama(tmp_path_factory.mktemp("whole"), seed=3), tmp_path_factory.mktemp("stored")
    AutoModelForCausalLM.from_pretrained(whole, dtype=request.param).save_pretrained(out)
    AutoTokenizer.from_pretrained(whole).save_pretrained(out)
    return str(out), request.param


def a_cpu_with(monkeypatch: pytest.MonkeyPatch, *quick: torch.dtype) -> None:
    """From here on torch has fast products of these types, and not of the other."""
    for dtype, name in QUICK.items():
        monkeypatch.setattr(torch.ops.mkldnn, name, lambda is_quick=dtype in quick: is_quick, raising=False)


def base_weights(path: str | Path, **options: str) -> dict[str, torch.Tensor]:
    learner = load_learner(ModelSource(name=str(path), device="cpu", **options), LORA)
    return {name: weight for name, weight in learner.named_parameters() if not weight.requires_grad}


def dtypes(weights: dict[str, torch.Tensor]) -> set[torch.dtype]:
    return {weight.dtype for weight in weights.values()}


def test_where_its_type_is_slow_a_checkpoint_is_widened_and_no_weight_changes(
    stored: tuple[str, torch.dtype], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, dtype = stored
    a_cpu_with(monkeypatch, dtype)
    as_stored = base_weights(path)
    assert dtypes(as_stored) == {dtype}
    a_cpu_with(monkeypatch, *(QUICK.keys() - {dtype}))
    widened = base_weights(path)
    assert dtypes(widened) == {torch.float32}
    assert all(torch.equal(weight, as_stored[name].float()) for name, weight in widened.items())


def test_a_build_of_torch_without_onednn_has_no_fast_products(
    stored: tuple[str, torch.dtype], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_cpu_with(monkeypatch, *QUICK)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert dtypes(base_weights(stored[0])) == {torch.float32}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_type_that_is_asked_for_is_kept(
    stored: tuple[str, torch.dtype], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_cpu_with(monkeypatch)
    assert dtypes(base_weights(stored[0], dtype=dtype)) == {getattr(torch, dtype)}
