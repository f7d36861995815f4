"""Watches a live model: while `watch` is active, a forward pass yields sums of received attention.

Afterwards everything is as before: attention implementation, hooks, training mode, logits. A pass ends right
after the attention of the last chosen layer; neither the rest of that layer nor the head is computed, so that scoring
a text costs about what a plain forward pass does. It does not know tokenizers, special tokens or windows: it is told
which rows count.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from elusive.attention import hooks, interface
from elusive.attention.interface import RowMask
from elusive.attention.layers import LayerCall, differs_from_eager, exact_layer, fast_layer, why_not_fast
from elusive.attention.live import (
    LayerPass,
    body_of,
    evaluating,
    layers_to_hook,
    name_of,
    on_input_device,
    pretrained,
)
from elusive.attention.reduce import LayerSums, Reduction
from elusive.attention.selection import resolve_selection
from elusive.choices import Impl
from elusive.errors import ModelError, OptionError
from elusive.types import Float, Int, Tensor


@dataclass(frozen=True)
class ReceivedSums:
    """What one forward pass saw, per chosen layer; means are taken later, over windows too.

    Attributes:
        sums: Σ over counted followers, mean over chosen heads, of the attention a token receives.
        followers: how many counted followers can see the token.
        sink: Σ over counted rows i ≥ 1, mean over chosen heads, of the attention to the first token.
        rows: how many rows i ≥ 1 were counted.
    """

    sums: Float[Tensor, "layer batch token"]
    followers: Float[Tensor, "layer batch token"]
    sink: Float[Tensor, "layer batch"]
    rows: Float[Tensor, " batch"]


class Probe:
    """A model under watch; made by `watch`, called with right-padded token ids."""

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        layers: tuple[int, ...],
        heads: tuple[int, ...] | None,
        impl: Impl,
        renormalise: bool,
    ) -> None:
        self.model = model
        self.layers = layers
        self.token_limit: int | None = None  # padded tokens per pass, once memory has run out
        self._heads, self._impl, self._renormalise = heads, impl, renormalise
        self._proven: dict[int, bool] = {}
        self._reduction: Reduction | None = None
        self._seen: list[LayerSums] = []
        self._pass = LayerPass(model, layers)

    @property
    def name(self) -> str:
        """What messages call the model: its class and, where known, its path."""
        return name_of(self.model)

    @torch.no_grad()
    def __call__(self, input_ids: Int[Tensor, "batch token"], counted: Float[Tensor, "batch token"]) -> ReceivedSums:
        """One forward pass.

        Args:
            input_ids: real tokens first; whatever pads the row comes after them.
            counted: 1 for rows that count as followers, 0 for special tokens, padding, and rows that another
                window counts.

        Raises:
            ModelError: the model hides its attention, attends in both directions, or gives weights that are not
                finite.
        """
        ids = on_input_device(self.model, input_ids)
        self._reduction = Reduction(
            counted=counted.to(ids.device, torch.float32), heads=self._heads, renormalise=self._renormalise
        )
        self._seen = []
        try:
            self._pass.run(body_of(self.model), input_ids=ids)
        finally:
            self._reduction = None
        sums, followers, first = (
            torch.stack([getattr(s, part).cpu() for s in self._seen]) for part in ("sums", "followers", "first")
        )
        if not bool(torch.isfinite(sums).all()):
            raise ModelError(f"{self.name} gave attention that is not finite; are its weights NaN or overflowing?")
        return ReceivedSums(sums, followers, first, counted[:, 1:].sum(-1).float().cpu())

    # -- what runs inside a forward pass ---------------------------------------------------------------------------

    def attend(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: object, **options: Any
    ) -> Tensor:
        """Compute a layer's attention and, where the layer was chosen, add up its columns."""
        if not isinstance(mask, RowMask) or getattr(module, "is_causal", True) is False:
            raise ModelError(
                f"{self.name}: {type(module).__name__} attends without a causal mask of transformers' mask interface; "
                "elusive needs a causal (decoder-only) model"
            )
        layer = self._pass.next_layer(module)
        if layer == 0:
            mask.check_causal(model=self.name)
        call = LayerCall(module, query, key, value, mask, {**options, "dropout": 0.0})
        why_not = self._why_not_fast(layer, call)
        if why_not and self._impl == "fast":
            raise ModelError(f"--impl fast: {self.name}, layer {layer}: {why_not}; use --impl auto or exact")
        run = exact_layer if why_not else fast_layer
        out, sums = run(call, self._reduction_for(layer))
        self._keep(layer, sums)
        return out

    def see(self, module: nn.Module, weights: Tensor | None) -> None:
        """Add up the whole weights of a layer that computes attention itself."""
        layer = self._pass.next_layer(module)
        if weights is None:
            raise ModelError(f"{self.name}: {type(module).__name__} returned no attention weights")
        reduction = self._reduction_for(layer)
        self._keep(layer, hooks.sums_of(module, weights, reduction.on(weights.device)) if reduction else None)

    def _reduction_for(self, layer: int) -> Reduction | None:
        assert self._reduction is not None, "a watched model is run through its probe"
        return self._reduction if layer in self.layers else None

    def _keep(self, layer: int, sums: LayerSums | None) -> None:
        if sums is not None:
            self._seen.append(sums)
        self._pass.done(layer)

    def _why_not_fast(self, layer: int, call: LayerCall) -> str:
        """The reason this layer takes the exact path; empty where it takes the fast one."""
        if self._impl == "exact":
            return "the exact path was asked for"
        if why_not := why_not_fast(call):
            return why_not
        if layer not in self._proven:
            self._proven[layer] = not differs_from_eager(call)
        return "" if self._proven[layer] else "its own attention differs from plain causal softmax attention"


@contextmanager
def watch(
    model: nn.Module,
    *,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    impl: Impl = "auto",
    renormalise: bool = False,
) -> Iterator[Probe]:
    """Watch a live model; when the block is left, the model is as it was.

    Args:
        model: a decoder-only causal LM of transformers, with or without its head, also wrapped by peft.
        layers: decoder layers to average over, negative from the end; None is all.
        heads: query heads to average over in every chosen layer, negative from the end; None is all.
        impl: see `elusive.choices.Impl`; an implementation that is named never falls back silently.
        renormalise: weigh each row without the share that it gives to the first token.

    Raises:
        ModelError: a model that elusive cannot see into, by name.
        OptionError: layers or heads that the model does not have, or an unknown `impl`.
    """
    if impl not in ("auto", "exact", "fast"):
        raise OptionError(f"impl {impl!r} is not one of 'auto', 'exact', 'fast'")
    inner = pretrained(model)
    if getattr(inner.config, "is_encoder_decoder", False):
        raise ModelError(f"{name_of(inner)} is an encoder-decoder model; received attention needs a decoder-only one")
    self_computing = layers_to_hook(inner)
    chosen_layers, chosen_heads = resolve_selection(inner.config, layers=layers, heads=heads)
    probe = Probe(
        inner,
        layers=chosen_layers,
        heads=chosen_heads,
        impl=impl,
        renormalise=renormalise,
    )
    if self_computing and impl == "fast":
        raise ModelError(f"--impl fast: {probe.name} computes its attention itself; use --impl auto or exact")
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        if self_computing:
            stack.enter_context(interface.implementation(inner, "eager"))
            stack.enter_context(hooks.hooked(self_computing, probe.see))
        else:
            stack.enter_context(interface.watching_layers(probe))
            stack.enter_context(interface.implementation(inner, interface.IMPLEMENTATION))
        yield probe
