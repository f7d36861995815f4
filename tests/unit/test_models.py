"""Models from disk: which are loaded, which are refused in one line, and what their configs say."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from safetensors.torch import load_file, save_file
from transformers import PreTrainedConfig

from elusive.errors import ModelError
from elusive.models import ModelSource, context_len, dtype_name, fingerprint, load_config
from elusive.models import load_generative_model as load_generative
from elusive.models import load_model as load_watched

_SMALL: dict[str, Any] = {"vocab_size": 64, "pad_token_id": 2, "eos_token_id": 1, "decoder_start_token_id": 2}
_T5 = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
_BART = {
    "d_model": 16,
    **{f"{part}_{size}": n for part in ("encoder", "decoder") for size, n in (("layers", 1), ("attention_heads", 2))},
}
_PLAIN = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
_GEMMA = {**_PLAIN, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 64}


def t5(**options: Any) -> tf.T5Config:
    return tf.T5Config(**_SMALL, **_T5, **options)


def bart(**options: Any) -> tf.BartConfig:
    return tf.BartConfig(**_SMALL, **_BART, forced_eos_token_id=None, **options)


def llama(**options: Any) -> tf.LlamaConfig:
    return tf.LlamaConfig(**_SMALL, **_PLAIN, **options)


def bert(**options: Any) -> tf.BertConfig:
    return tf.BertConfig(**_SMALL, **_PLAIN, **options)


def saved(folder: Path, config: PreTrainedConfig, *, lacking: str | None = None) -> ModelSource:
    """A random model of this config on disk, or its file of weights without one of them."""
    torch.manual_seed(0)
    auto = tf.AutoModelForSeq2SeqLM if config.is_encoder_decoder else tf.AutoModelForCausalLM
    auto.from_config(config).save_pretrained(folder)
    if lacking:
        file = folder / "model.safetensors"
        weights = load_file(file)
        del weights[lacking]
        save_file(weights, file, metadata={"format": "pt"})
    return ModelSource(name=str(folder))


def refusal(load: Callable[[ModelSource], object], source: ModelSource) -> str:
    with pytest.raises(ModelError) as error:
        load(source)
    message = str(error.value)
    assert message.startswith(source.name)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("config", [t5, bart])
def test_an_encoder_decoder_writes_but_is_not_watched_as_a_causal_lm(tmp_path, config):
    source = saved(tmp_path, config())
    loaded = load_generative(source)
    assert type(loaded).__name__.endswith("ForConditionalGeneration")
    assert not loaded.training
    message = refusal(load_watched, source)
    assert "is an encoder-decoder model; expected a decoder-only causal LM" in message


@pytest.mark.parametrize("load", [load_watched, load_generative])
def test_an_encoder_is_refused_unless_it_is_configured_as_a_decoder(tmp_path, load):
    bert().save_pretrained(tmp_path / "encoder")
    assert "is an encoder-only model (bert)" in refusal(load, ModelSource(name=str(tmp_path / "encoder")))
    assert load(saved(tmp_path / "decoder", bert(is_decoder=True))).config.is_decoder


@pytest.mark.parametrize("kind", [tf.ViTConfig, tf.WhisperConfig, tf.ModernBertConfig])
def test_models_of_no_fitting_kind_are_refused_by_their_config_alone(tmp_path, kind):
    config = kind()
    config.save_pretrained(tmp_path)
    message = refusal(load_generative, ModelSource(name=str(tmp_path)))
    assert config.model_type in message
    assert message.endswith("expected a causal or encoder-decoder LM")


@pytest.mark.parametrize("config", [llama, bart])
def test_a_head_of_its_own_may_not_be_missing_where_the_model_writes(tmp_path, config):
    source = saved(tmp_path, config(tie_word_embeddings=False), lacking="lm_head.weight")
    assert "its weights lack lm_head.weight; expected" in refusal(load_generative, source)
    if config is llama:
        assert load_watched(source) is not None


@pytest.mark.parametrize("config", [llama, bart, t5])
def test_a_head_tied_to_the_embedding_is_not_missing(tmp_path, config):
    source = saved(tmp_path, config(tie_word_embeddings=True))
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    loaded = load_generative(source)
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight


def test_a_head_beside_the_embedding_is_loaded_as_it_is(tmp_path):
    """As T5 v1.1 and its descendants have it."""
    source = saved(tmp_path, t5(tie_word_embeddings=False))
    file = tmp_path / "model.safetensors"
    head = torch.randn(64, 16)
    save_file(load_file(file) | {"lm_head.weight": head}, file, metadata={"format": "pt"})
    assert torch.equal(load_generative(source).get_output_embeddings().weight, head)


@pytest.mark.parametrize(
    ("config", "lacking"),
    [
        (llama, "model.layers.0.mlp.up_proj.weight"),
        (t5, "encoder.block.0.layer.0.SelfAttention.q.weight"),
        (t5, "shared.weight"),
    ],
)
def test_a_missing_weight_is_named_and_never_made_up(tmp_path, config, lacking):
    source = saved(tmp_path, config(), lacking=lacking)
    assert "its weights lack" in refusal(load_generative, source)
    if config is llama:
        assert lacking in refusal(load_watched, source)


def test_an_encoder_saved_without_its_decoder_writes_nothing(tmp_path):
    tf.T5EncoderModel(t5()).save_pretrained(tmp_path)
    message = refusal(load_generative, ModelSource(name=str(tmp_path)))
    assert "no model of type 't5', and is_encoder_decoder is False" in message


@pytest.mark.parametrize(("said", "length"), [({"n_positions": 512}, 512), ({}, 2048)])
def test_the_context_of_a_t5_is_what_its_config_says_if_it_says_anything(tmp_path, said, length):
    t5(**said).save_pretrained(tmp_path)
    assert context_len(load_config(ModelSource(name=str(tmp_path)))) == length


def gemma_encoder_decoder(**options: Any) -> tf.T5GemmaConfig:
    return tf.T5GemmaConfig(encoder=_GEMMA, decoder=_GEMMA, vocab_size=64, **options)


@pytest.mark.parametrize("config", [t5, bart, llama, gemma_encoder_decoder])
def test_the_dtype_is_the_configs_also_where_its_decoder_has_a_config_of_its_own(tmp_path, config):
    config(dtype="bfloat16").save_pretrained(tmp_path)
    assert dtype_name(ModelSource(name=str(tmp_path))) == "bfloat16"
    assert dtype_name(ModelSource(name=str(tmp_path), dtype="float32", quantize="int8")) == "float32+int8"


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("num_attention_heads", "two", "its config cannot be loaded: Validation error for field 'num_attention_heads'"),
        ("num_attention_heads", 3, "its config cannot be loaded: Class validation error"),
        ("intermediate_size", 24, "cannot be loaded: the shapes of its weights are not those that its config says"),
    ],
)
def test_a_config_that_contradicts_itself_or_its_weights_is_refused(tmp_path, option, value, words):
    source = saved(tmp_path, llama())
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {option: value}))
    assert words in refusal(load_watched, source)


def test_a_fingerprint_tells_encoder_decoders_apart_by_a_single_weight(tmp_path):
    one, same = (saved(tmp_path / name, t5()) for name in ("one", "same"))
    assert fingerprint(one) == fingerprint(same)
    file = tmp_path / "same" / "model.safetensors"
    weights = load_file(file)
    weights["shared.weight"][0, 0] += 1
    save_file(weights, file, metadata={"format": "pt"})
    assert fingerprint(one) != fingerprint(same)
