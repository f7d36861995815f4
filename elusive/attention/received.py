"""Received attention, the score of record: one number per token per model (METHOD 1.1; Gao et al., AAAI 2025).

    received[j] = mean over chosen layers of  1/|F(j)| · Σ_{i ∈ F(j)}  mean over chosen heads of A[i, j]

F(j) are the followers of j: later tokens of the same text, real and not special, that the layer's own mask lets see j.
A column mean, self excluded. The authors' published script sums over keys instead, and a row of attention sums to one
whatever the model.

Departures from the paper: the mean runs over all layers and heads by default (the paper does not say); where only some
layers let any follower see a token (chunked attention), the mean runs over these.
"""

from collections.abc import Sequence

import torch
from torch import nn
from transformers import PreTrainedModel

from elusive.attention.probe import ReceivedSums, watch
from elusive.choices import Impl
from elusive.errors import OptionError
from elusive.types import Bool, Float, Int, Tensor


def received_attention(
    model: nn.Module,
    input_ids: Int[Tensor, "batch token"],
    attention_mask: Int[Tensor, "batch token"] | None = None,
    *,
    special_tokens_mask: Int[Tensor, "batch token"] | None = None,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    impl: Impl = "auto",
    renormalise: bool = False,
) -> Float[Tensor, "batch token"]:
    """The attention that each token receives from the tokens after it.

    The model may be live and in use: it is as before afterwards. Decoders put much of their attention on the first
    token, so let each text begin with a special one (BOS); nothing is added here.

    Args:
        model: a decoder-only causal LM of transformers, with or without its head.
        input_ids: token ids, padded on either side.
        attention_mask: 1 for real tokens, 0 for padding; None where nothing is padded.
        special_tokens_mask: 1 for special tokens, as tokenizers return it; None takes the ids that the model's
            config names as BOS, EOS and padding.
        layers: layers to average over, negative from the end; None is all.
        heads: query heads to average over in each layer, negative from the end; None is all.
        impl: `auto`, `exact` or `fast`; what is named never falls back silently.
        renormalise: weigh each row without the share that it gives to the first token.

    Returns:
        fp32 on the CPU, in attention weight (0 to 1); NaN for special tokens, padding, and tokens without followers.

    Raises:
        ModelError: the model cannot be seen into, or its attention is not finite.
        OptionError: shapes that differ, padding inside a text, or layers and heads that the model does not have.
    """
    real = _real(input_ids, attention_mask)
    if not input_ids.numel():
        return torch.empty(input_ids.shape)
    # Padding goes to the right: causality alone then hides it, and positions need no correction.
    order = torch.argsort(~real, dim=1, stable=True)
    with watch(model, layers=layers, heads=heads, impl=impl, renormalise=renormalise) as probe:
        scored = (real & ~_special(probe.model, input_ids, special_tokens_mask)).gather(1, order)
        seen = probe(input_ids.cpu().gather(1, order), scored.float())
    received = mean_received(seen).masked_fill(~scored, torch.nan)
    return torch.empty_like(received).scatter_(1, order, received)


def mean_received(seen: ReceivedSums) -> Float[Tensor, "batch token"]:
    """From sums to the score of record; NaN where no layer has a follower."""
    return mean_over_layers(seen.sums, seen.followers)


def mean_over_layers(
    sums: Float[Tensor, "layer *token"], followers: Float[Tensor, "layer *token"]
) -> Float[Tensor, "*token"]:
    """Divide per layer, then average over the layers in which a token has a follower."""
    return _by_layer(sums, followers).nanmean(0)


def log_mean_over_layers(
    sums: Float[Tensor, "layer *token"], followers: Float[Tensor, "layer *token"]
) -> Float[Tensor, "*token"]:
    """Divide per layer, then average the logarithms: the log of the geometric mean over layers.

    Every layer counts equally, however little attention it leaves to anything but the sink.
    """
    tiny = torch.finfo(torch.float32).tiny  # attention underflows to 0 long before it means "none"
    return _by_layer(sums, followers).clamp_min(tiny).log().nanmean(0)


def _by_layer(
    sums: Float[Tensor, "layer *token"], followers: Float[Tensor, "layer *token"]
) -> Float[Tensor, "layer *token"]:
    return (sums / followers).masked_fill(followers == 0, torch.nan)


def _real(input_ids: Tensor, attention_mask: Tensor | None) -> Bool[Tensor, "batch token"]:
    if input_ids.ndim != 2:
        raise OptionError(f"input_ids has shape {tuple(input_ids.shape)}; expected (batch, token)")
    if attention_mask is None:
        return torch.ones_like(input_ids, dtype=torch.bool, device="cpu")
    if attention_mask.shape != input_ids.shape:
        raise OptionError(f"attention_mask has shape {tuple(attention_mask.shape)}, input_ids {tuple(input_ids.shape)}")
    real = attention_mask.cpu().bool()
    edges = real.int().diff(dim=1, prepend=torch.zeros(len(real), 1, dtype=torch.int32)).clamp_min(0).sum(1)
    if bool((edges > 1).any()):
        raise OptionError(f"attention_mask row {int((edges > 1).nonzero()[0])} has padding inside the text")
    return real


def _special(model: PreTrainedModel, input_ids: Tensor, given: Tensor | None) -> Bool[Tensor, "batch token"]:
    if given is not None:
        if given.shape != input_ids.shape:
            raise OptionError(f"special_tokens_mask has shape {tuple(given.shape)}, input_ids {tuple(input_ids.shape)}")
        return given.cpu().bool()
    config = model.config.get_text_config()
    named = [getattr(config, f"{kind}_token_id", None) for kind in ("bos", "eos", "pad")]
    ids = {i for name in named if name is not None for i in (name if isinstance(name, list) else [name])}
    return torch.isin(input_ids.cpu(), torch.tensor(sorted(ids), dtype=input_ids.dtype))
