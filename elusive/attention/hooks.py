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
