"""The loss whose head runs where something is learnt is the model's own, in value and gradient, for every family."""

import numpy as np
import pytest
import torch
import transformers as tf
from peft import LoraConfig, get_peft_model
from torch import nn

from elusive.pretraining import head as head_module
from elusive.pretraining.batches import IGNORED, NO_CACHE, Collator
from elusive.pretraining.head import output_head
from elusive.pretraining.loss import NextTokenLoss, token_mean
from elusive.pretraining.rows import Row
from tests.unit.attention.families import FAMILIES, PAD, build, text

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

# What each family's head is: tied or not, with a bias, scaled, divided, capped, both and neither.
CONFIGS = {name: FAMILIES[name].config for name in FAMILIES}
CONFIGS["granite"] = lambda: tf.GraniteConfig(**_dict(FAMILIES["granite"].config()), logits_scaling=8.0)
CONFIGS["recurrent_gemma"] = lambda: tf.RecurrentGemmaConfig(**_dict(FAMILIES["llama"].config()))
SPECIAL = {
    "gemma2": {"cap": 30.0},
    "recurrent_gemma": {"cap": 30.0},
    "granite": {"scale": 1 / 8},
    "cohere": {"scale": 1 / 16},
    "cohere2": {"scale": 1 / 16},
}


def _dict(config):
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    return {name: getattr(config, name) for name in (*names, "num_key_value_heads", "pad_token_id")}


@pytest.fixture(scope="module")
def batch():
    rows = [Row(np.array(text(n, seed=n), dtype=np.int32)) for n in (9, 17, 13)]
    made = Collator(pad=PAD)(rows)
    made["labels"][1, 5:9] = IGNORED
    return made


def inputs_of(batch):
    return {name: tensor for name, tensor in batch.items() if name != "labels"} | NO_CACHE


def gradients(model):
    found = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    return found


def own(model, batch):
    """As the model has it, of all logits; Bart's would have labels that are shifted already."""
    shifted = model.config.model_type != "bart"
    loss = model(**batch, **NO_CACHE).loss if shifted else token_mean(model(**inputs_of(batch)), batch["labels"])
    loss.backward()
    return loss.item(), gradients(model)


def ours(model, batch):
    loss_of = NextTokenLoss(model)
    with loss_of.watching():
        loss = loss_of(model(**inputs_of(batch)), batch["labels"])
    loss.backward()
    return loss.item(), gradients(model)


def assert_same(found, expected):
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    assert found[1].keys() == expected[1].keys()
    rounding = 1e-6 * max(gradient.abs().max().item() for gradient in expected[1].values())
    for name, gradient in expected[1].items():  # some are zero but for rounding, as a key's bias
        tolerance = 1e-4 * gradient.abs().max().item() + rounding
        torch.testing.assert_close(found[1][name], gradient, rtol=0, atol=tolerance, msg=name)


@pytest.mark.parametrize("name", CONFIGS)
def test_value_and_gradients_are_those_of_the_model_itself(name, batch):
    model = build(CONFIGS[name](), peak=5.0)
    head = output_head(model)
    assert head is not None
    assert {"scale": head.formula.scale, "cap": head.formula.cap} == {"scale": 1, "cap": None} | SPECIAL.get(name, {})
    assert_same(ours(model, batch), own(model, batch))


@pytest.mark.parametrize("name", ["llama", "gemma2", "gptj", "cohere"])
def test_under_an_adapter_likewise(name, batch):
    torch.manual_seed(0)
    model = get_peft_model(
        build(CONFIGS[name](), peak=5.0),
        LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False),
    )
    found, expected = ours(model, batch), own(model, batch)
    assert all("lora_" in name for name in expected[1])
    assert_same(found, expected)


def test_the_head_runs_for_what_is_learnt_and_no_more(batch, monkeypatch):
    model = build(CONFIGS["llama"]())
    given = []
    real = head_module.F.linear
    monkeypatch.setattr(
        "elusive.pretraining.cross_entropy.F.linear", lambda *a: (given.append(a[0].shape), real(*a))[1]
    )
    seen = []
    loss_of = NextTokenLoss(model)
    model.lm_head.register_forward_hook(lambda _head, taken, _out: seen.append(taken[0].shape))
    with loss_of.watching():
        outputs = model(**inputs_of(batch))
        assert outputs.logits.shape[:2] == (1, 1)
        given.clear()
        loss_of(outputs, batch["labels"])
    n_learnt = int((batch["labels"] != IGNORED).sum())
    assert n_learnt == 8 + 16 + 12 - 4
    assert given == [(n_learnt, 64)]
    assert seen == [(1, 1, 64)]
    assert model(**inputs_of(batch)).logits.shape[:2] == batch["labels"].shape, "afterwards it is as it was"


def test_after_an_error_the_model_is_as_it_was(batch):
    model = build(CONFIGS["llama"]())

    def interrupted():
        model(**inputs_of(batch))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), NextTokenLoss(model).watching():
        interrupted()
    assert model(**inputs_of(batch)).logits.shape[:2] == batch["labels"].shape


def test_parts_of_a_step_are_divided_by_what_all_of_it_learns(batch):
    model = build(CONFIGS["llama"]())
    loss_of = NextTokenLoss(model)
    n_learnt = int((batch["labels"] != IGNORED).sum())
    parts = []
    for rows in (slice(0, 1), slice(1, 3)):
        part = {name: tensor[rows] for name, tensor in batch.items()}
        with loss_of.watching():
            parts.append(loss_of(model(**inputs_of(part)), part["labels"], torch.tensor(n_learnt)).item())
    assert sum(parts) == pytest.approx(own(model, batch)[0], rel=1e-5)


def test_where_nothing_is_learnt_the_loss_is_zero_and_all_weights_have_a_gradient():
    model = build(CONFIGS["llama"]())
    nothing = Collator(pad=PAD)([None])
    loss, found = ours(model, nothing)
    assert loss == 0
    assert found.keys() == dict(model.named_parameters()).keys(), "or other processes would wait for them"
    assert not any(gradient.any() for gradient in found.values())


class Subclassed(nn.Linear):
    """As a quantised layer is."""


def with_another_head():
    model = build(CONFIGS["llama"]())
    model.lm_head.__class__ = Subclassed
    return model


def with_an_adapter_on_the_head():
    model = build(CONFIGS["llama"]())
    return get_peft_model(model, LoraConfig(r=2, target_modules=["lm_head"], task_type="CAUSAL_LM"))


def with_a_config_that_says_too_much():
    model = build(CONFIGS["llama"]())
    model.config.final_logit_softcapping = 30.0
    return model


def with_logits_that_are_changed_by_rules_of_its_own():
    model = build(CONFIGS["llama"]())
    forward = model.forward

    def doubled(**given):
        outputs = forward(**given)
        outputs.logits = outputs.logits * 1.001
        return outputs

    model.forward = doubled
    return model


def with_a_row_turned_around():
    model = build(CONFIGS["llama"]())
    model.lm_head.register_forward_hook(lambda _head, _given, logits: logits.flip(1))
    return model


@pytest.mark.parametrize(
    "made",
    [
        with_another_head,
        with_an_adapter_on_the_head,
        with_a_config_that_says_too_much,
        with_logits_that_are_changed_by_rules_of_its_own,
        with_a_row_turned_around,
    ],
)
def test_a_head_that_is_not_what_it_seems_is_left_to_the_model(made, batch):
    model = made()
    assert output_head(model) is None
    expected = token_mean(model(**inputs_of(batch)), batch["labels"])
    loss_of = NextTokenLoss(model)
    with loss_of.watching():
        assert torch.equal(loss_of(model(**inputs_of(batch)), batch["labels"]), expected)


@pytest.mark.parametrize("table", ["_CAPS", "_FACTORS", "_DIVISORS"])
def test_what_follows_the_linear_layer_is_not_overlooked(table, monkeypatch):
    monkeypatch.setattr(head_module, table, ())
    name = {"_CAPS": "gemma2", "_FACTORS": "cohere", "_DIVISORS": "granite"}[table]
    assert output_head(build(CONFIGS[name](), peak=1.0)) is None, "even where weights are small"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["gemma2", "cohere"])
def test_a_head_in_sixteen_bits_is_known_by_its_formula(name, dtype, monkeypatch):
    model = build(CONFIGS[name](), peak=1.0).to(dtype)
    assert output_head(model) is not None
    monkeypatch.setattr(head_module, "_CAPS", ())
    monkeypatch.setattr(head_module, "_FACTORS", ())
    assert output_head(model) is None


@pytest.mark.parametrize("training", [True, False])
def test_a_trial_leaves_the_model_and_all_draws_as_they_were(training):
    model = build(CONFIGS["gpt2"]()).train(training)
    before = torch.random.get_rng_state()
    output_head(model)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model.training == training
    assert not model.lm_head._forward_pre_hooks
