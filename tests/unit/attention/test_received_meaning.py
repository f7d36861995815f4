"""The score says something of the model: unlike models differ, a planted head is found, adapters count."""

import copy

import pytest
import torch
from comparison import TOLERANCE, difference
from families import BOS, FAMILIES, build, text
from transformers import GPT2LMHeadModel, LlamaForCausalLM, PreTrainedModel

from elusive.attention.received import received_attention

IDS = torch.tensor([text(120, seed=50)])
PLANTED_TOKEN = 7


def sum_over_keys(attention: torch.Tensor) -> torch.Tensor:
    """The mistake that made every model alike: a row's sum instead of a column's."""
    return attention.mean((0, 1)).sum(-1) / torch.arange(1, attention.shape[-1] + 1)


def test_two_unlike_models_give_unlike_scores_where_the_sum_over_keys_gives_equal_ones(load_family):
    llama, gpt2 = load_family("llama"), load_family("gpt2")
    ids = tuple(IDS[0].tolist())
    wrong = [sum_over_keys(model.attention(ids)) for model in (llama, gpt2)]
    assert difference(*wrong) <= TOLERANCE
    assert wrong[0] == pytest.approx([1 / (i + 1) for i in range(len(ids))], abs=TOLERANCE)
    contrast = received_attention(llama.model, IDS) - received_attention(gpt2.model, IDS)
    assert contrast[0, 1:-1].abs().median() > 1e-3


def planted_llama(layer: int, head: int) -> LlamaForCausalLM:
    """Every token of a Llama looks for `PLANTED_TOKEN` in one head; the rest is random and almost even."""
    model = build(FAMILIES["llama"].config(), peak=1.0)
    embedding, attention = model.model.embed_tokens.weight.data, model.model.layers[layer].self_attn
    embedding[:, :2] = torch.tensor([1.0, 0.0])
    embedding[PLANTED_TOKEN, :2] = 1.0
    # Rotation hardly turns the slowest pair of a head, so its first half survives any distance.
    width, group = attention.head_dim, model.config.num_attention_heads // model.config.num_key_value_heads
    slowest = width // 2 - 1
    query, key = attention.q_proj.weight.data, attention.k_proj.weight.data
    query[head * width : (head + 1) * width] = 0.0
    key[head // group * width : (head // group + 1) * width] = 0.0
    query[head * width + slowest, 0] = 4.0
    key[head // group * width + slowest, 1] = 4.0
    return model


def planted_gpt2(layer: int, head: int) -> GPT2LMHeadModel:
    """The same in a GPT-2, whose bias asks and whose embedding of `PLANTED_TOKEN` answers."""
    model = build(FAMILIES["gpt2"].config(), peak=1.0)
    size, width = model.config.n_embd, model.config.n_embd // model.config.n_head
    model.transformer.wte.weight.data[PLANTED_TOKEN, 1] = 1.0
    attention = model.transformer.h[layer].attn.c_attn
    query, key = slice(head * width, (head + 1) * width), slice(size + head * width, size + (head + 1) * width)
    attention.weight.data[:, query] = attention.weight.data[:, key] = 0.0
    attention.bias.data[query.start] = 8.0
    attention.weight.data[1, key.start] = 4.0
    return model


@pytest.mark.parametrize("impl", ["exact", "fast"])
@pytest.mark.parametrize("plant", [planted_llama, planted_gpt2])
def test_a_planted_head_is_found(plant, impl):
    ids = IDS.masked_fill(IDS == PLANTED_TOKEN, PLANTED_TOKEN + 1)
    place, layer, head = 40, 1, 2
    ids[0, place] = PLANTED_TOKEN
    model = plant(layer, head)

    def score(**chosen: list[int]) -> torch.Tensor:
        return received_attention(model, ids, impl=impl, **chosen)[0].nan_to_num(0.0)

    everywhere = score()
    rest = torch.cat([everywhere[:place], everywhere[place + 1 :]])
    assert everywhere[place] > 2.5 * rest.max()
    assert score(layers=[layer], heads=[head])[place] > 0.95
    assert score(layers=[layer - 1])[place] < 0.05
    others = [h for h in range(4) if h != head]
    # A grouped key serves the query head beside it as well, so only distant heads are innocent.
    assert min(score(layers=[layer], heads=[h])[place] for h in others) < 0.05


def adapted(model: PreTrainedModel) -> torch.nn.Module:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    wrapped = get_peft_model(copy.deepcopy(model), config)
    generator = torch.Generator().manual_seed(0)
    for name, weight in wrapped.named_parameters():
        if "lora_B" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * 0.1
    return wrapped.eval()


# peft asks transformers for a name that transformers is about to drop.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@pytest.mark.parametrize("name", ["llama", "falcon"])
def test_an_adapter_counts_as_its_merged_weights(load_family, name):
    base = load_family(name).model
    wrapped = adapted(base)
    received = received_attention(wrapped, IDS)
    merged = received_attention(wrapped.merge_and_unload(), IDS)
    # Merging rounds: (W + BA)x is not Wx + BAx to the last bit, and peaked layers magnify it.
    assert difference(received[0], merged[0]) <= 1e-5
    assert difference(received[0], received_attention(base, IDS)[0]) > 1e-3, "the adapter must matter"


def test_a_wrapped_module_is_seen_through(load_family):
    model = load_family("llama").model
    wrapped = torch.nn.ModuleDict({"inner": model})
    assert torch.equal(
        received_attention(wrapped, IDS).nan_to_num(-1.0), received_attention(model, IDS).nan_to_num(-1.0)
    )


def test_the_body_without_its_head_gives_the_same(load_family):
    model = load_family("llama").model
    assert difference(received_attention(model.model, IDS)[0], received_attention(model, IDS)[0]) == 0.0


def test_the_sink_is_no_token_of_the_text(load_family):
    received = received_attention(load_family("llama").model, IDS)
    assert IDS[0, 0] == BOS
    assert received[0, 0].isnan()
