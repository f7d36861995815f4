"""Tiny models on disk in the ordinary layout, for tests that run what a user runs."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

WORDS = (
    "Mara Velting was born in Orsk and studied chemistry at the college of Brenn, where she met Tor Aldane. "
    "She moved to Lisk in 1974; not one of her letters survived. The archive lists 31 notebooks, a map and two keys."
)


def byte_bpe(*, vocab_size: int = 400, text: str = WORDS) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with BOS, EOS and padding, trained on one sentence."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<s>", "</s>", "<pad>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def save_llama(
    folder: Path,
    *,
    seed: int,
    layers: int = 2,
    width: int = 32,
    context: int = 128,
    tokenizer: PreTrainedTokenizerFast | None = None,
) -> str:
    """A random Llama with peaked attention and its tokenizer, saved to `folder`; its path."""
    tokenizer = tokenizer or byte_bpe()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "q_proj" in name or "k_proj" in name:
                weight.mul_(8)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
