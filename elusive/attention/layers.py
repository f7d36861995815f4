"""One layer's attention, computed and looked at: the exact path, the fast path, and when the fast one is allowed.

`exact` runs the model's own eager attention on chunks of rows, so that soft-capping, sinks and biases are its own; it
costs one chunk of weights. `fast` takes the CPU flash kernel's output and log-sum-exp. That a layer is plain causal
softmax attention is never taken on trust: its first rows are run both ways.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from elusive.attention.interface import RowMask, eager_attention
from elusive.attention.reduce import ExactRows, LayerSums, Reduction, flash_attention_cpu, flash_column_sums
from elusive.types import Bool, Float, Tensor

_CHUNK_ELEMENTS = {"cpu": 2**22, "cuda": 2**26}
"""Attention weights held at once on the exact path, per kind of device."""
_PROOF_ROWS = 32
_BEYOND_PLAIN = ("softcap", "s_aux", "position_bias")
"""Keywords with which families announce attention that is more than a softmax of scaled products."""


@dataclass(frozen=True, eq=False)
class LayerCall:
    """What a layer hands to its attention function; keys and values come before grouped-query repetition.

    Attributes:
        module: the layer's attention module.
        query, key, value: [batch, head or kvhead, token, width].
        mask: the rule of its mask.
        options: keywords of the family, `scaling` among them.
    """

    module: nn.Module
    query: Float[Tensor, "batch head token width"]
    key: Float[Tensor, "batch kvhead token width"]
    value: Float[Tensor, "batch kvhead token valuewidth"]
    mask: RowMask
    options: dict[str, Any]

    @property
    def scaling(self) -> float:
        """What products of queries and keys are multiplied by."""
        given = self.options.get("scaling")
        return self.query.shape[-1] ** -0.5 if given is None else float(given)


def fast_layer(call: LayerCall, reduction: Reduction | None) -> tuple[Tensor, LayerSums | None]:
    """Output [batch, query, head, width], and sums where there is a `reduction`, from the CPU flash kernel."""
    out, lse = flash_attention_cpu(call.query, call.key, call.value, scaling=call.scaling)
    sums = None
    if reduction:
        sums = flash_column_sums(call.query, call.key, lse, scaling=call.scaling, reduction=reduction)
    return out.transpose(1, 2).contiguous(), sums


def exact_layer(call: LayerCall, reduction: Reduction | None) -> tuple[Tensor, LayerSums | None]:
    """The same from the model's own eager attention, a chunk of query rows at a time."""
    batch, n_heads, n_tokens = call.query.shape[:3]
    device = call.query.device
    n_rows = max(1, _CHUNK_ELEMENTS.get(device.type, _CHUNK_ELEMENTS["cuda"]) // (batch * n_heads * n_tokens))
    eager = eager_attention(call.module)
    rows = ExactRows(reduction.on(device), n_heads) if reduction else None
    # In fp32 whatever the model's dtype: a softmax rounded to bfloat16 has eight bits of each weight left.
    q, k, v = call.query.float(), call.key.float(), call.value.float()
    outs = []
    for start in range(0, n_tokens, n_rows):
        stop = min(start + n_rows, n_tokens)
        visible = call.mask.visible(start, stop).to(device)
        chunk = q[:, :, start:stop], k[:, :, :stop], v[:, :, :stop]
        out, weights = eager(call.module, *chunk, additive_mask(visible), **call.options)
        outs.append(out)
        if rows:
            rows.add(weights, visible, first_row=start)
    return torch.cat(outs, dim=1).to(call.query.dtype), rows.finish() if rows else None


def why_not_fast(call: LayerCall) -> str:
    """The reason why a layer cannot take the fast path; empty where it can."""
    if call.query.device.type != "cpu":
        return f"the fast path runs on the CPU, the model on {call.query.device.type}"
    if any(call.options.get(keyword) is not None for keyword in _BEYOND_PLAIN):
        return "its attention is more than a softmax of scaled products (soft-capping, sinks or a bias)"
    if call.value.shape[-1] != call.key.shape[-1]:
        return "its values are not as wide as its keys"
    if not call.mask.is_plain_causal():
        return "its mask hides some earlier tokens (a sliding or chunked window)"
    return ""


def differs_from_eager(call: LayerCall) -> bool:
    """Run a layer's first rows both ways: what its own attention does beyond softmax shows up here."""
    n_rows = min(_PROOF_ROWS, call.query.shape[2])
    q, k, v = (x[:1, :, :n_rows].float() for x in (call.query, call.key, call.value))
    visible = call.mask.visible(0, n_rows)
    expected, weights = eager_attention(call.module)(call.module, q, k, v, additive_mask(visible), **call.options)
    out, lse = flash_attention_cpu(q, k, v, scaling=call.scaling)
    scores = q @ k.repeat_interleave(q.shape[1] // k.shape[1], dim=1).transpose(-1, -2) * call.scaling
    flash_weights = (scores - lse[..., None]).exp().tril()
    scale = expected.abs().max().clamp_min(1e-6)
    same_weights = torch.allclose(flash_weights, weights.float(), atol=1e-5)
    return not (same_weights and bool((out.transpose(1, 2) - expected).abs().max() <= 1e-4 * scale))


def additive_mask(visible: Bool[Tensor, "batchorone 1 query key"]) -> Float[Tensor, "batchorone 1 query key"]:
    """What is added to products of queries and keys, so that a row gives nothing to what it does not see."""
    return torch.zeros_like(visible, dtype=torch.float32).masked_fill_(~visible, torch.finfo(torch.float32).min)
