"""A model whose answering rows were taken is afterwards as before; what cannot be seen into is refused by name."""

import pytest
import torch
import transformers as tf
from comparison import Loaded
from families import FAMILIES, build, text
from test_received_meaning import PLANTED_TOKEN, adapted, planted_gpt2, planted_llama
from test_watch_refuses import ENCODERS, HYBRIDS, OUTSIDE
from test_watch_restores import logits, state

from elusive.attention.answering import watch_answers
from elusive.errors import ModelError, OptionError

IDS = torch.tensor([text(80, seed=100)])
ROWS = [range(70, 74)]

every_family = pytest.mark.parametrize("loaded", FAMILIES, indirect=True)


def scores(model: torch.nn.Module, ids: torch.Tensor = IDS, **options: object) -> torch.Tensor:
    with watch_answers(model, **options) as probe:
        return probe(ids, ROWS * len(ids)).scores


@every_family
def test_state_and_logits_are_as_before(loaded: Loaded):
    before, said = state(loaded.model.train()), logits(loaded.model.eval())
    loaded.model.train()
    scores(loaded.model)
    assert state(loaded.model) == before
    assert torch.equal(logits(loaded.model.eval()), said)


@pytest.mark.parametrize("loaded", ["llama", "falcon", "gpt_oss"], indirect=True)
def test_state_is_as_before_after_failures(loaded: Loaded):
    before = state(loaded.model)
    with pytest.raises(IndexError):
        scores(loaded.model, -1 - IDS)
    with pytest.raises(KeyboardInterrupt), watch_answers(loaded.model):
        raise KeyboardInterrupt
    assert state(loaded.model) == before


@pytest.mark.parametrize("loaded", ["llama", "falcon"], indirect=True)
def test_no_gradient_is_recorded_and_the_head_is_not_run(loaded: Loaded):
    loaded.model.get_output_embeddings().register_forward_hook(lambda *_: pytest.fail("the head was run"))
    assert not scores(loaded.model).requires_grad
    loaded.model.get_output_embeddings()._forward_hooks.clear()


@pytest.mark.parametrize("plant", [planted_llama, planted_gpt2])
def test_a_planted_head_is_found(plant):
    ids = IDS.masked_fill(IDS == PLANTED_TOKEN, PLANTED_TOKEN + 1)
    ids[0, 40] = PLANTED_TOKEN
    found = scores(plant(1, 2), ids, values=False)[0]
    assert found[1, 2, 40] > 0.9
    assert found[0, :, 40].max() < 0.1


# peft asks transformers for a name that transformers is about to drop.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("name", ["llama", "falcon"])
def test_an_adapter_counts_as_its_merged_weights_values_included(load_family, name):
    base = load_family(name).model
    wrapped = adapted(base)
    found, plain = scores(wrapped), scores(base)
    merged = scores(wrapped.merge_and_unload())
    assert (found - merged).abs().max() / merged.max() <= 1e-4
    assert (found - plain).abs().max() / merged.max() > 1e-2, "the adapter must matter"


def refused(model: torch.nn.Module, because: str, **options: object) -> None:
    with pytest.raises(ModelError, match=because) as refusal:
        scores(model, **options)
    assert type(model).__name__ in str(refusal.value)


@pytest.mark.parametrize("config", HYBRIDS.values(), ids=HYBRIDS)
def test_hybrids_are_refused(config):
    refused(build(config()), "shows no attention", layers=[0])


@pytest.mark.parametrize("config", ENCODERS.values(), ids=ENCODERS)
def test_encoders_are_refused(config):
    refused(tf.AutoModelForCausalLM.from_config(config()), "needs a causal decoder")


@pytest.mark.parametrize("config", OUTSIDE.values(), ids=OUTSIDE)
def test_models_outside_the_attention_interface_are_refused(config):
    refused(build(config()), "outside transformers' attention interface")


@pytest.mark.parametrize(("name", "because"), [("falcon", "before the softmax"), ("gpt_oss", "no plain logits")])
def test_logits_of_models_that_have_none_are_refused(load_family, name, because):
    refused(load_family(name).model, because, logits=True)


@pytest.mark.parametrize("name", ["llama", "gemma2", "falcon"])
def test_nan_weights_are_refused(name):
    model = build(FAMILIES[name].config())
    next(w for key, w in model.named_parameters() if ".1." in key and "q" in key and w.ndim > 1).data[0, 0] = torch.nan
    refused(model, "not finite")


def test_layers_and_ids_that_a_model_does_not_have_are_refused(load_family):
    model = load_family("llama").model
    with pytest.raises(OptionError, match="layers"):
        scores(model, layers=[3])
    with pytest.raises(ModelError, match="knows tokens 0 to 299"):
        scores(model, IDS + 300)
