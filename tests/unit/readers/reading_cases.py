"""Small readers of every kind, built in the process, and questions with awkward passages."""

import functools
from typing import Any

import torch
import transformers as tf
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from elusive.data.questions import Passage, Question
from elusive.readers.opening import reader_of
from elusive.readers.reader import Reader, ReaderOptions
from tests.tiny import WORDS, byte_bpe

MARKED = "Question: Where? Answer: Lisk. <s> Passage 1: title: context:\n\nQuestion: Who?\nAnswer: Tor"
PASSAGES = (
    Passage("p1", "Mara Velting", "Mara Velting was born in Orsk and studied chemistry."),
    Passage("p2", "", "She moved to Lisk in 1974; not one of her letters survived."),
    Passage("p3", "Question: Answer:", MARKED),
)
QUESTION = Question("q1", "Where was Mara Velting born?", ("Orsk",), passages=PASSAGES)
OTHER = Question("q2", "Who met her?", ("Tor Aldane", "Tor"), target="Tor", passages=PASSAGES[1::-1])

_SIZES: dict[str, Any] = {
    "vocab_size": 512,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
_LLAMA = {"intermediate_size": 64, "num_key_value_heads": 2, "max_position_embeddings": 512}
_T5 = {"d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 2}
CONFIGS = {
    "llama": lambda: tf.LlamaConfig(**_SIZES, **_LLAMA),
    "falcon": lambda: tf.FalconConfig(**_SIZES, max_position_embeddings=512),
    "t5": lambda: tf.T5Config(vocab_size=512, d_model=32, eos_token_id=1, pad_token_id=2, n_positions=512, **_T5),
}


@functools.cache
def model(kind: str, *, seed: int = 0) -> PreTrainedModel:
    """With attention sharp enough to tell passages apart."""
    torch.manual_seed(seed)
    made = (tf.AutoModelForSeq2SeqLM if kind == "t5" else tf.AutoModelForCausalLM).from_config(CONFIGS[kind]())
    for name, weight in made.named_parameters():
        if any(part in name for part in ("q_proj", "k_proj", "query_key_value", "Attention.q", "Attention.k")):
            weight.data *= 2.0 if kind == "t5" else 6.0  # T5 does not scale its products down
    return made.eval()


@functools.cache
def tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level; its own habit of adding BOS must not matter."""
    return byte_bpe()


@functools.cache
def dummy_prefix_tokenizer() -> PreTrainedTokenizerFast:
    """As SentencePiece does: a space is a part of the word after it, and the first word gets one."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=False))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    specials = ["<s>", "</s>", "<pad>", "<unk>"]
    alphabet = sorted(set(WORDS + MARKED + "▁Whereto"))
    made.train_from_iterator(
        [WORDS], trainers.BpeTrainer(vocab_size=300, special_tokens=specials, initial_alphabet=alphabet)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


@functools.cache
def single_characters() -> PreTrainedTokenizerFast:
    """Spaces, letters and signs each by itself; no BOS, no EOS."""
    made = Tokenizer(models.WordLevel({chr(i): i for i in range(512)}, unk_token="?"))
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    return PreTrainedTokenizerFast(tokenizer_object=made)


def reader(kind: str, **options: Any) -> Reader:
    return reader_of(model(kind), tokenizer(), options=ReaderOptions(**options))


@functools.cache
def positionless(*, wanted: str | None = None) -> PreTrainedModel:
    """One layer without positions: a row looks for what a token is, wherever it is; for `wanted` alone where given."""
    torch.manual_seed(4)
    made = tf.AutoModelForCausalLM.from_config(
        tf.GPT2Config(**_SIZES | {"num_hidden_layers": 1}, n_positions=512)
    ).eval()
    body = made.transformer
    nn.init.zeros_(body.wpe.weight)
    body.wte.weight.data *= 40.0
    if wanted is not None:
        token = tokenizer()(wanted, add_special_tokens=False)["input_ids"][0]
        attention, width = body.h[0].attn.c_attn, 8
        attention.weight.data[:, :64] = 0.0
        body.wte.weight.data[:, 0] = 0.0
        body.wte.weight.data[token, 0] = 40.0
        for head in range(4):
            attention.bias.data[head * width] = 8.0
            attention.weight.data[0, 32 + head * width] = 8.0
    return made
