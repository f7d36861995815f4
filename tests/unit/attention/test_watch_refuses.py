"""What elusive cannot see into is refused by name, whatever layers are chosen; nothing is guessed."""

import pytest
import torch
import transformers as tf
from comparison import difference
from families import FAMILIES, VOCABULARY, build, text
from transformers import AutoModelForCausalLM, PreTrainedModel

from elusive.attention.received import received_attention
from elusive.errors import ModelError

IDS = torch.tensor([text(60, seed=40)])
_SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}
_HYBRID = _SIZES | {"num_hidden_layers": 4, "num_key_value_heads": 2}
_QWEN3_NEXT = {
    "head_dim": 16,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
}
_JAMBA = {"use_mamba_kernels": False, "num_experts": 2, "attn_layer_period": 2, "attn_layer_offset": 1}
_BLOCKS = {"n_embd": 64, "n_layer": 2, "n_head": 4, "rotary_dim": 8}

HYBRIDS = {
    "jamba": lambda: tf.JambaConfig(**_HYBRID, **_JAMBA),
    "qwen3_next": lambda: tf.Qwen3NextConfig(**_HYBRID, **_QWEN3_NEXT),
    "recurrent_gemma": lambda: tf.RecurrentGemmaConfig(
        **_SIZES | {"max_position_embeddings": 128}, num_hidden_layers=3, lru_width=64
    ),
    "lfm2": lambda: tf.Lfm2Config(**_HYBRID, layer_types=["conv", "full_attention"] * 2),
}
ENCODERS = {
    "bert": lambda: tf.BertConfig(**_SIZES, num_hidden_layers=2),
    "roberta": lambda: tf.RobertaConfig(**_SIZES | {"max_position_embeddings": 200}, num_hidden_layers=2),
}
OUTSIDE = {
    "xglm": lambda: tf.XGLMConfig(vocab_size=VOCABULARY, d_model=64, num_layers=2, attention_heads=4, ffn_dim=64),
    "codegen": lambda: tf.CodeGenConfig(vocab_size=VOCABULARY, **_BLOCKS),
}
ENCODER_DECODERS = {
    "t5": lambda: tf.T5ForConditionalGeneration(
        tf.T5Config(vocab_size=VOCABULARY, d_model=64, d_kv=16, d_ff=64, num_layers=2, num_heads=4)
    ),
    "bart": lambda: tf.BartForConditionalGeneration(
        tf.BartConfig(vocab_size=VOCABULARY, d_model=64, encoder_layers=2, decoder_layers=2)
    ),
}


def refused(model: PreTrainedModel, because: str, **options: object) -> None:
    before = [part.config._attn_implementation for part in model.modules() if isinstance(part, PreTrainedModel)]
    with pytest.raises(ModelError, match=because) as refusal:
        received_attention(model, IDS, **options)
    assert type(model).__name__ in str(refusal.value)
    after = [part.config._attn_implementation for part in model.modules() if isinstance(part, PreTrainedModel)]
    assert after == before


@pytest.mark.parametrize("layers", [None, [0]])
@pytest.mark.parametrize("config", HYBRIDS.values(), ids=HYBRIDS)
def test_hybrids_are_refused_even_where_the_chosen_layers_are_as_few_as_their_attention(config, layers):
    model = build(config())
    names = {type(part).__name__ for part in model.modules()}
    assert any("Attention" in name for name in names), "the test needs layers with attention"
    refused(model, "shows no attention", layers=layers)


@pytest.mark.parametrize("config", ENCODERS.values(), ids=ENCODERS)
def test_encoders_are_refused(config):
    refused(AutoModelForCausalLM.from_config(config()), "decoder-only")


@pytest.mark.parametrize("admits", [True, False])
def test_a_bidirectional_decoder_is_refused_whether_or_not_its_layers_admit_it(admits):
    model = build(tf.Gemma3TextConfig(**_HYBRID, head_dim=16, use_bidirectional_attention=True))
    for layer in model.model.layers:
        layer.self_attn.is_causal = not admits
    refused(model, "without a causal mask" if admits else "attends in both directions")


@pytest.mark.parametrize("build_model", ENCODER_DECODERS.values(), ids=ENCODER_DECODERS)
def test_encoder_decoders_are_refused(build_model):
    refused(build_model(), "encoder-decoder")


@pytest.mark.parametrize("config", OUTSIDE.values(), ids=OUTSIDE)
def test_models_outside_the_attention_interface_are_refused(config):
    refused(build(config()), "outside transformers' attention interface")


def test_a_model_without_attention_is_refused():
    config = tf.MambaConfig(vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2)
    refused(build(config), "only 0 of its 2 layers show their attention")


def test_a_module_without_a_transformers_model_is_refused():
    with pytest.raises(ModelError, match="Linear holds no transformers model"):
        received_attention(torch.nn.Linear(2, 2), IDS)


@pytest.mark.parametrize("impl", ["exact", "auto"])
@pytest.mark.parametrize("name", ["llama", "gemma2", "falcon"])
@pytest.mark.parametrize("layer", [0, 2])
def test_nan_weights_are_refused_and_never_a_score(name, impl, layer):
    model = build(FAMILIES[name].config())
    query = next(w for key, w in model.named_parameters() if f".{layer}." in key and "q" in key and w.ndim > 1)
    query.data[0, 0] = torch.nan
    refused(model, "not finite", impl=impl)


def test_a_text_model_inside_a_multimodal_one_is_seen():
    text_config = FAMILIES["gemma3"].config()
    vision = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = tf.Gemma3Config(
        text_config=text_config.to_dict(),
        vision_config=vision | {"image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        image_token_index=299,
    )
    both = build(config)
    alone = AutoModelForCausalLM.from_config(text_config).eval()
    alone.load_state_dict(both.model.language_model.state_dict(), strict=False)
    alone.model.load_state_dict(both.model.language_model.state_dict())
    assert difference(received_attention(both, IDS), received_attention(alone, IDS)) <= 1e-6
