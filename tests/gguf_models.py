"""A tiny Llama as a GGUF file, as llama.cpp's converter writes one."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from transformers import AutoTokenizer, LlamaForCausalLM

from tests.tiny import save_llama

_PARTS = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def save_gguf(
    file: Path,
    folder: Path,
    *,
    kind: Type = Type.F32,
    lacking: str = "",
    architecture: str = "llama",
    metadata: dict[str, Any] | None = None,
) -> dict[str, torch.Tensor]:
    """Write the model of a folder as a GGUF file.

    Returns:
        Its weights, by transformers' names, as they are after dequantisation.
    """
    model = LlamaForCausalLM.from_pretrained(folder)
    config = model.config
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_name("tiny")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    _add_tokenizer(writer, folder)
    for key, value in (metadata or {}).items():
        writer.add_string(key, value)
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    read = {}
    for name, weight in model.state_dict().items():
        stored = _gguf_name(name)
        values = weight.float().numpy()
        chosen = Type.F32 if values.ndim == 1 else kind
        part = stored.split(".")[-2]
        permuted = _permuted(values, heads[part]) if part in heads else values
        packed = gguf.quantize(permuted, chosen)
        unpacked = gguf.dequantize(packed, chosen).reshape(values.shape)
        read[name] = torch.from_numpy(_unpermuted(unpacked, heads[part]) if part in heads else unpacked.copy())
        if stored != lacking:
            writer.add_tensor(stored, packed, raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return read


def save_pair(folder: Path, *, seed: int = 0, kind: Type = Type.F32, **options: Any) -> tuple[Path, Path]:
    """The same weights twice: a folder with safetensors, and a GGUF file alone in another."""
    dense, packed = folder / "dense", folder / "packed"
    packed.mkdir(parents=True)
    save_llama(dense, seed=seed, **options)
    file = packed / "model.gguf"
    weights = save_gguf(file, dense, kind=kind)
    model = LlamaForCausalLM.from_pretrained(dense)
    model.load_state_dict(weights)
    model.save_pretrained(dense)
    return dense, file


def _add_tokenizer(writer: gguf.GGUFWriter, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    special = set(tokenizer.all_special_tokens)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([token for token, _ in vocab])
    writer.add_token_types([3 if token in special else 1 for token, _ in vocab])
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(True)
    writer.add_chat_template("{% for message in messages %}<s>{{ message['content'] }}{% endfor %}")


def _gguf_name(name: str) -> str:
    if name in (whole := {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}):
        return whole[name]
    if name == "lm_head.weight":
        return "output.weight"
    number, _, rest = name.removeprefix("model.layers.").partition(".")
    part, _, leaf = rest.rpartition(".")
    return f"blk.{number}.{_PARTS[part]}.{leaf}"


def _permuted(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rotary halves interleaved, as llama.cpp stores queries and keys."""
    return weight.reshape(heads, 2, -1, weight.shape[-1]).swapaxes(1, 2).reshape(weight.shape)


def _unpermuted(weight: np.ndarray, heads: int) -> np.ndarray:
    return weight.reshape(heads, -1, 2, weight.shape[-1]).swapaxes(1, 2).reshape(weight.shape).copy()
