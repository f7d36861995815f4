"""The older classes that compute attention themselves: Falcon, GPT-J, GPT-Neo, Bloom and MPT.

They return their weights whole, so a layer costs memory with the square of the text's length: one layer at a
time, for a forward hook adds the weights up and lets them go before the next layer runs. Weights come in the
model's own dtype here; sums are in fp32.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from elusive.attention.reduce import ExactRows, LayerSums, Reduction
from elusive.types import Bool, Tensor

_ATTENTION_CLASSES = {
    "bloom": "transformers.models.bloom.modeling_bloom.BloomAttention",
    "falcon": "transformers.models.falcon.modeling_falcon.FalconAttention",
    "gpt_neo": "transformers.models.gpt_neo.modeling_gpt_neo.GPTNeoSelfAttention",
    "gptj": "transformers.models.gptj.modeling_gptj.GPTJAttention",
    "mpt": "transformers.models.mpt.modeling_mpt.MptAttention",
}
_ROWS = 256
_VALUES: dict[str, tuple[str, Callable[[Any, Tensor], Tensor]]] = {
    "bloom": ("query_key_value", lambda layer, out: layer._reshape(out)[2]),
    "falcon": ("query_key_value", lambda layer, out: layer._split_heads(out)[2].transpose(1, 2)),
    "gpt_neo": ("v_proj", lambda layer, out: out.unflatten(-1, (layer.num_heads, -1)).transpose(1, 2)),
    "gptj": ("v_proj", lambda layer, out: out.unflatten(-1, (layer.num_attention_heads, -1)).transpose(1, 2)),
    "mpt": ("Wqkv", lambda layer, out: _mpt_values(layer, out)),
}
"""Which projection of a layer makes its values, and how they are cut into [batch, kvhead, token, width]."""


def self_computing_layers(model: nn.Module, model_type: str) -> list[nn.Module]:
    """The attention modules of a model of these families, in order; empty for every other model."""
    path = _ATTENTION_CLASSES.get(model_type)
    if path is None:
        return []
    module_name, _, class_name = path.rpartition(".")
    kind = getattr(importlib.import_module(module_name), class_name)
    # The flash variants are subclasses that never hold weights.
    return [part for part in model.modules() if type(part) is kind]


@contextmanager
def hooked(layers: list[nn.Module], see: Callable[[nn.Module, Tensor], None]) -> Iterator[None]:
    """Call `see(module, weights)` for every layer of every forward pass; the weights then leave the output."""
    handles = [layer.register_forward_pre_hook(_ask_for_weights, with_kwargs=True) for layer in layers]

    def forward_hook(module: nn.Module, _args: Any, output: tuple[Any, ...]) -> tuple[Any, ...]:
        see(module, output[1])
        return (output[0], None, *output[2:])

    handles += [layer.register_forward_hook(forward_hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def hooked_with_values(
    layers: list[nn.Module], model_type: str, see: Callable[[nn.Module, Tensor, Tensor], None]
) -> Iterator[None]:
    """Like `hooked`, with the layer's values: `see(module, weights, values)`."""
    projection, cut = _VALUES[model_type]
    values: dict[nn.Module, Tensor] = {}

    def keep(layer: nn.Module) -> Callable[[nn.Module, Any, Tensor], None]:
        def forward_hook(_projection: nn.Module, _args: Any, output: Tensor) -> None:
            values[layer] = cut(layer, output)

        return forward_hook

    # On the layer's own attribute, whatever an adapter has put there.
    handles = [getattr(layer, projection).register_forward_hook(keep(layer)) for layer in layers]
    try:
        with hooked(layers, lambda layer, weights: see(layer, weights, values.pop(layer))):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _mpt_values(layer: Any, qkv: Tensor) -> Tensor:
    if layer.clip_qkv:
        qkv = qkv.clamp(-layer.clip_qkv, layer.clip_qkv)
    value = qkv.chunk(3, dim=-1)[2]
    return value.reshape(*value.shape[:2], layer.n_heads, -1).transpose(1, 2)


def _ask_for_weights(_module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    # Falcon goes through SDPA, and returns no weights, unless it is asked for them.
    return args, kwargs | {"output_attentions": True}


def sums_of(module: nn.Module, weights: Tensor, reduction: Reduction) -> LayerSums:
    """A hooked layer's sums from its whole weights, [batch, head, query, key]."""
    n_heads, n_tokens = weights.shape[1:3]
    rows = ExactRows(reduction, n_heads)
    for start in range(0, n_tokens, _ROWS):
        stop = min(start + _ROWS, n_tokens)
        visible = _visible(module, start, stop, device=weights.device)
        rows.add(weights[:, :, start:stop, :stop], visible, first_row=start)
    return rows.finish()


def _visible(module: nn.Module, start: int, stop: int, *, device: torch.device) -> Bool[Tensor, "1 1 query key"]:
    own = getattr(module, "bias", None)  # GPT-Neo keeps its causal or local mask in a buffer of this name
    if isinstance(own, Tensor) and own.dtype == torch.bool:
        return own[:, :, start:stop, :stop]
    return torch.ones(1, 1, stop - start, stop, dtype=torch.bool, device=device).tril(start)
