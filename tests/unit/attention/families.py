"""One tiny model of every family that elusive sees into, on disk, with weights scaled so that attention is peaked.

Random weights as a model is born with attend almost evenly, and an even spread hides most mistakes. Texts of 240
tokens cross the chunks of every path and the windows of every family that has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from elusive.attention import oracle

BOS, EOS, PAD, VOCABULARY = 0, 1, 2, 300
WINDOW, CHUNK = 50, 64

_IDS = {"vocab_size": VOCABULARY, "bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
_BASE = _IDS | {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 512,
}
_GROUPED = _BASE | {"intermediate_size": 96, "num_key_value_heads": 2}
_UNGROUPED = _GROUPED | {"num_key_value_heads": 4}
_WIDE = _GROUPED | {"head_dim": 16}
_SLIDING = {"sliding_window": WINDOW}
_MIXED = _SLIDING | {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
_CHUNKED = {
    "attention_chunk_size": CHUNK,
    "layer_types": ["chunked_attention", "full_attention", "chunked_attention"],
    "intermediate_size_mlp": 96,
}
_CAPPED = {"attn_logit_softcapping": 9.0, "query_pre_attn_scalar": 16}
_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
_LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": None,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 16,
    "moe_intermediate_size": 32,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
}
_GPT2 = _IDS | {"n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 512}
_GPT_NEO = _IDS | {
    "hidden_size": 64,
    "num_layers": 4,
    "num_heads": 4,
    "max_position_embeddings": 512,
    "window_size": WINDOW,
    "attention_types": [[["global", "local"], 2]],
}
_BART = _IDS | {
    "d_model": 64,
    "decoder_layers": 3,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 96,
    "max_position_embeddings": 512,
    "is_decoder": True,
    "is_encoder_decoder": False,
}


@dataclass(frozen=True)
class Family:
    """A family: how to configure it, and what its layers hide.

    Attributes:
        config: makes the configuration.
        slides: the layers with a sliding window of `WINDOW` tokens.
        chunks: the layers that attend within chunks of `CHUNK` tokens.
        not_fast: words of the reason why a long text cannot take the fast path; empty where it can.
    """

    config: Callable[[], PreTrainedConfig]
    slides: tuple[int, ...] = ()
    chunks: tuple[int, ...] = ()
    not_fast: str = ""

    def can_see(self, n_layers: int, n_tokens: int) -> list[list[list[bool]]]:
        """Each layer's own mask, in words."""
        return [
            oracle.causal(
                n_tokens,
                window=WINDOW if layer in self.slides else None,
                chunk=CHUNK if layer in self.chunks else None,
            )
            for layer in range(n_layers)
        ]


def _family(config_class: type, values: dict[str, Any], /, *, not_fast: str = "", **rest: Any) -> Family:
    if "slides" in rest or "chunks" in rest:
        not_fast = not_fast or "hides some earlier tokens"
    return Family(lambda: config_class(**values), not_fast=not_fast, **rest)


_ITSELF = "computes its attention itself"
_BEYOND = "more than a softmax"
_FALCON_NEW = _BASE | {"new_decoder_architecture": True, "num_kv_heads": 2}

FAMILIES: dict[str, Family] = {
    "llama": _family(tf.LlamaConfig, _GROUPED),
    "mistral": _family(tf.MistralConfig, _GROUPED | _SLIDING, slides=(0, 1, 2)),
    "mixtral": _family(tf.MixtralConfig, _GROUPED | _EXPERTS),
    "qwen2": _family(tf.Qwen2Config, _GROUPED),
    "qwen3": _family(tf.Qwen3Config, _WIDE),
    "gemma": _family(tf.GemmaConfig, _WIDE),
    "gemma2": _family(tf.Gemma2Config, _WIDE | _SLIDING | _CAPPED, slides=(0, 2), not_fast=_BEYOND),
    "gemma3": _family(tf.Gemma3TextConfig, _WIDE | _MIXED, slides=(0, 2)),
    "phi": _family(tf.PhiConfig, _UNGROUPED),
    "phi3": _family(tf.Phi3Config, _GROUPED),
    "gpt2": _family(tf.GPT2Config, _GPT2),
    "gpt_neox": _family(tf.GPTNeoXConfig, _BASE | {"intermediate_size": 96}),
    "opt": _family(tf.OPTConfig, _BASE | {"ffn_dim": 96, "word_embed_proj_dim": 64}),
    "olmo2": _family(tf.Olmo2Config, _GROUPED),
    "granite": _family(tf.GraniteConfig, _GROUPED),
    "cohere": _family(tf.CohereConfig, _GROUPED),
    "cohere2": _family(tf.Cohere2Config, _GROUPED | _MIXED, slides=(0, 2)),
    "starcoder2": _family(tf.Starcoder2Config, _GROUPED),
    "smollm3": _family(tf.SmolLM3Config, _GROUPED),
    "gpt_oss": _family(tf.GptOssConfig, _WIDE | _EXPERTS | _SLIDING, slides=(0, 2), not_fast=_BEYOND),
    "llama4": _family(tf.Llama4TextConfig, _WIDE | _EXPERTS | _CHUNKED, chunks=(0, 2)),
    "deepseek_v3": _family(tf.DeepseekV3Config, _UNGROUPED | _LATENT),
    "bart_decoder": _family(tf.BartConfig, _BART),
    "falcon": _family(tf.FalconConfig, _BASE, not_fast=_ITSELF),
    "falcon_alibi": _family(tf.FalconConfig, _BASE | {"alibi": True}, not_fast=_ITSELF),
    "falcon_new": _family(tf.FalconConfig, _FALCON_NEW, not_fast=_ITSELF),
    "gptj": _family(tf.GPTJConfig, _GPT2 | {"rotary_dim": 8}, not_fast=_ITSELF),
    "gpt_neo": _family(tf.GPTNeoConfig, _GPT_NEO, slides=(1, 3), not_fast=_ITSELF),
    "bloom": _family(tf.BloomConfig, _IDS | {"hidden_size": 64, "n_layer": 3, "n_head": 4}, not_fast=_ITSELF),
    "mpt": _family(
        tf.MptConfig,
        _IDS | {"d_model": 64, "n_layers": 3, "n_heads": 4, "max_seq_len": 512},
        not_fast=_ITSELF,
    ),
}
FAST = [name for name, family in FAMILIES.items() if not family.not_fast]
NOT_FAST = [name for name, family in FAMILIES.items() if family.not_fast]


def build(config: PreTrainedConfig, *, seed: int = 1, peak: float = 9.0) -> PreTrainedModel:
    """A model with random weights, its matrices scaled up by `peak`."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config)
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            weight.data *= peak
        elif "q_norm" in name or "k_norm" in name:
            weight.data += 2.0  # these families undo the scale of their matrices
    return model.eval()


def text(n_tokens: int, *, seed: int, first: int = BOS) -> list[int]:
    """Random ids of ordinary tokens after a special first one."""
    generator = torch.Generator().manual_seed(seed)
    return [first, *torch.randint(PAD + 1, VOCABULARY - 10, (n_tokens - 1,), generator=generator).tolist()]


def save(config: PreTrainedConfig, folder: Path, **options: Any) -> Path:
    """Build a model and leave it on disk, as users have theirs."""
    build(config, **options).save_pretrained(folder)
    return folder
