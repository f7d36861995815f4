"""How many tokens a reader takes, and what generation and answers do at the edges of a model."""

import functools
from dataclasses import replace

import pytest
import torch
import transformers as tf
from reading_cases import OTHER, PASSAGES, QUESTION, model, tokenizer
from torch import nn

from elusive.errors import InputError, ModelError, OptionError
from elusive.readers.likelihood import Given
from elusive.readers.limits import n_learnt_positions
from elusive.readers.opening import reader_of
from elusive.readers.reader import Reader, ReaderOptions

SIZES = {
    "vocab_size": 512, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
}  # fmt: skip
BART = {
    "vocab_size": 512, "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
    "decoder_start_token_id": 1, "forced_eos_token_id": None,
}  # fmt: skip
GEMMA = SIZES | {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8, "query_pre_attn_scalar": 8}
T5 = {
    "vocab_size": 512, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_heads": 4, "eos_token_id": 1, "pad_token_id": 2,
    "decoder_start_token_id": 2,
}  # fmt: skip
CONFIGS = {
    "gpt2": lambda: tf.GPT2Config(**SIZES, n_positions=128),
    # The vocabulary is as large as the table of positions, and is none.
    "gpt2-512": lambda: tf.GPT2Config(**SIZES, n_positions=512),
    "opt": lambda: tf.OPTConfig(**SIZES, ffn_dim=64, word_embed_proj_dim=16, max_position_embeddings=128),
    "bart": lambda: tf.BartConfig(**BART, decoder_layers=1, max_position_embeddings=128),
    "bart-deep": lambda: tf.BartConfig(**BART, decoder_layers=3, max_position_embeddings=128),
    "t5-deep": lambda: tf.T5Config(**T5, num_layers=1, num_decoder_layers=3, n_positions=512),
    "t5gemma": lambda: tf.T5GemmaConfig(encoder=dict(GEMMA), decoder=dict(GEMMA), vocab_size=512),
}


@functools.cache
def lm(kind: str) -> tf.PreTrainedModel:
    if kind not in CONFIGS:
        return model(kind)
    torch.manual_seed(0)
    config = CONFIGS[kind]()
    auto = tf.AutoModelForSeq2SeqLM if config.is_encoder_decoder else tf.AutoModelForCausalLM
    return auto.from_config(config).eval()


def asked(kind: str, **options) -> Reader:
    return reader_of(lm(kind), tokenizer(), options=ReaderOptions(**options))


@pytest.mark.parametrize(
    ("kind", "n"),
    [("gpt2", 128), ("gpt2-512", 512), ("opt", 128), ("bart", 128), ("llama", None), ("falcon", None), ("t5", None)],
)
def test_positions_are_counted_where_they_stand_in_a_table(kind, n):
    assert n_learnt_positions(lm(kind)) == n


@pytest.mark.parametrize("kind", ["gpt2", "opt", "bart"])
def test_more_tokens_than_positions_are_refused(kind):
    with pytest.raises(OptionError, match=r"^max_tokens 129 is more than the 128 positions that \w+ has learnt$"):
        asked(kind, max_tokens=129)
    scored = asked(kind, max_tokens=128).scores([OTHER])[0]
    assert scored.target.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["gpt2", "bart"])
def test_a_long_prompt_fills_a_table_and_no_more(kind):
    endless = replace(PASSAGES[1], text="She moved to Lisk in 1974. " * 40)
    found = asked(kind, max_new_tokens=2).scores([replace(QUESTION, passages=(endless,))])[0]
    assert 120 < len(found.tokens) <= 128
    assert found.n_cut[0] > 0


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_model_that_computes_positions_may_be_given_more(kind):
    asked(kind, max_tokens=700)


def test_an_encoder_decoder_writes_no_more_than_it_has_positions():
    with pytest.raises(OptionError, match="max_new_tokens 129 is more than the 128 positions"):
        asked("bart", max_new_tokens=129).answers([QUESTION])
    assert len(asked("bart", max_new_tokens=128).answers([QUESTION])) == 1
    with pytest.raises(InputError, match=r"'q1': its answer is \d+ tokens, and .* 128 positions"):
        asked("bart").scores([replace(QUESTION, target="keys " * 200)])


@torch.no_grad()
def greedily(kind: str, *, n_new: int) -> str:
    """Without a cache and without `generate`."""
    found = asked(kind).scores([replace(QUESTION, passages=PASSAGES[:1])])[0]
    ids, written = torch.from_numpy(found.tokens.ids)[None], [int(lm(kind).config.decoder_start_token_id)]
    for _ in range(n_new):
        logits = lm(kind)(input_ids=ids, decoder_input_ids=torch.tensor([written]), use_cache=False).logits
        written.append(int(logits[0, -1].argmax()))
        if written[-1] == 1:
            break
    return tokenizer().decode(written[1:], skip_special_tokens=True).partition("\n")[0].strip()


@pytest.mark.parametrize("kind", ["t5-deep", "bart-deep"])
def test_a_decoder_deeper_than_its_encoder_writes(kind):
    found = asked(kind, max_new_tokens=5).answers([replace(QUESTION, passages=PASSAGES[:1])])
    assert found == [greedily(kind, n_new=5)]


def beginnings(decoder: nn.Module) -> list[int]:
    """The first token of each pass of a decoder from now on."""
    seen: list[int] = []
    decoder.register_forward_pre_hook(
        lambda _module, _args, inputs: seen.append(int(inputs["input_ids"][0, 0])), with_kwargs=True
    )
    return seen


def test_an_answer_begins_as_generation_does_where_the_config_does_not_say():
    assert not hasattr(lm("t5gemma").config, "decoder_start_token_id")
    assert lm("t5gemma").generation_config.bos_token_id == 0
    seen = beginnings(lm("t5gemma").get_decoder())
    asked("t5gemma", max_new_tokens=1).answers([QUESTION])
    asked("t5gemma").likelihoods([Given.all_of(QUESTION)])
    assert seen == [0, 0]


@pytest.mark.parametrize("name", ["decoder_start_token_id", "bos_token_id"])
def test_a_beginning_is_looked_for_in_the_generation_config(monkeypatch, name):
    live = lm("t5-deep")
    monkeypatch.setattr(live.config, "decoder_start_token_id", None)
    monkeypatch.setattr(live.generation_config, "decoder_start_token_id", None)
    with pytest.raises(ModelError, match="decoder_start_token_id to begin an answer with"):
        asked("t5-deep").scores([QUESTION])
    monkeypatch.setattr(live.generation_config, name, 7)
    seen = beginnings(live.decoder)
    asked("t5-deep").scores([QUESTION])
    assert seen == [7]
