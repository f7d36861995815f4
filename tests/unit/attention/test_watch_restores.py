"""A watched model is afterwards what it was before, and models that nobody watches never notice."""

import gc
import threading
import weakref
from contextlib import suppress

import pytest
import torch
from comparison import Loaded
from families import FAMILIES, build, text
from transformers import PreTrainedModel

from elusive.attention.probe import watch
from elusive.attention.received import received_attention

IDS = torch.tensor([text(80, seed=30)])

every_family = pytest.mark.parametrize("loaded", FAMILIES, indirect=True)


def state(model: PreTrainedModel) -> list[object]:
    """Everything about a model that watching touches."""
    parts = list(model.modules())
    return [
        [part.training for part in parts],
        [len(part._forward_hooks) for part in parts],
        [len(part._forward_pre_hooks) for part in parts],
        ["forward" in vars(part) for part in parts],
        [p.config._attn_implementation for p in parts if isinstance(p, PreTrainedModel)],
        [p.config.to_dict() for p in parts if isinstance(p, PreTrainedModel)],
    ]


@torch.no_grad()
def logits(model: PreTrainedModel) -> torch.Tensor:
    return model(input_ids=IDS, use_cache=False).logits


@pytest.fixture
def half_training(loaded: Loaded):
    """A model in a mixed training mode."""
    model = loaded.model.train()
    list(model.modules())[-1].eval()
    yield model
    model.eval()


@every_family
def test_state_is_restored_after_scoring(loaded: Loaded, half_training):
    before = state(half_training)
    with watch(half_training) as probe:
        probe(IDS, torch.ones(IDS.shape))
        assert state(half_training) != before
    assert state(half_training) == before


@every_family
def test_state_is_restored_after_an_exception_in_the_block(loaded: Loaded, half_training):
    before = state(half_training)
    with pytest.raises(KeyboardInterrupt), watch(half_training):
        raise KeyboardInterrupt
    assert state(half_training) == before


@every_family
def test_state_is_restored_after_an_exception_in_the_forward_pass(loaded: Loaded, half_training):
    before = state(half_training)
    with pytest.raises(IndexError):
        received_attention(half_training, -1 - IDS)
    assert state(half_training) == before


@every_family
def test_logits_are_bit_equal_before_and_after(loaded: Loaded):
    before = logits(loaded.model)
    received_attention(loaded.model, IDS)
    assert torch.equal(logits(loaded.model), before)


@every_family
def test_a_probe_gives_the_same_twice_and_after_a_failed_pass(loaded: Loaded):
    counted = torch.ones(IDS.shape)
    with watch(loaded.model) as probe:
        first = probe(IDS, counted)
        with suppress(IndexError):
            probe(-1 - IDS, counted)
        second = probe(IDS, counted)
    assert torch.equal(first.sums, second.sums)
    assert torch.equal(first.followers, second.followers)


@pytest.mark.parametrize("loaded", ["gpt2", "opt", "bart_decoder"], indirect=True)
def test_dropout_of_a_model_in_training_is_off_while_it_is_watched(loaded: Loaded, half_training):
    with torch.random.fork_rng():
        first, second = (logits(half_training) for _ in range(2))
    assert not torch.equal(first, second), "the test needs a model that drops"
    training = received_attention(half_training, IDS).nan_to_num(-1.0)
    assert torch.equal(training, received_attention(half_training.eval(), IDS).nan_to_num(-1.0))


@pytest.mark.parametrize("name", ["llama", "falcon"])
def test_a_watched_model_can_be_let_go_afterwards(name):
    model = build(FAMILIES[name].config())
    received_attention(model, IDS)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_no_gradient_is_recorded(load_family):
    model = load_family("llama").model
    assert all(weight.requires_grad for weight in model.parameters())
    assert not received_attention(model, IDS).requires_grad


def test_another_model_in_another_thread_is_unaffected(load_family):
    watched, bystander = load_family("llama").model, load_family("qwen2").model
    before, seen = logits(bystander), []
    with watch(watched) as probe:
        thread = threading.Thread(target=lambda: seen.append(logits(bystander)))
        thread.start()
        probe(IDS, torch.ones(IDS.shape))
        thread.join()
        assert torch.equal(logits(bystander), before), "nor in this one"
    assert torch.equal(seen[0], before)


def test_two_models_can_be_watched_at_once_where_each_is_run_by_its_own_probe(load_family):
    counted = torch.ones(IDS.shape)
    alone = []
    for name in ("llama", "falcon"):
        with watch(load_family(name).model) as probe:
            alone.append(probe(IDS, counted).sums)
    with watch(load_family("llama").model) as first, watch(load_family("falcon").model) as second:
        together = [first(IDS, counted).sums, second(IDS, counted).sums]
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


@pytest.mark.parametrize("on_disk", [["model.embed_tokens"], ["model.embed_tokens", "model.layers", "model.norm"]])
def test_a_model_offloaded_to_disk_gives_the_same_and_stays_there(load_family, tmp_path, on_disk):
    loaded = load_family("llama")
    parts = ["model.embed_tokens", "model.layers", "model.norm", "model.rotary_emb", "lm_head"]
    where = dict.fromkeys(parts, "cpu") | dict.fromkeys(on_disk, "disk")
    offloaded = type(loaded.model).from_pretrained(loaded.folder, device_map=where, offload_folder=tmp_path)
    devices = [str(weight.device) for weight in offloaded.parameters()]
    assert "meta" in devices
    received = received_attention(offloaded, IDS)
    assert torch.equal(received.nan_to_num(-1.0), received_attention(loaded.model, IDS).nan_to_num(-1.0))
    assert [str(weight.device) for weight in offloaded.parameters()] == devices
