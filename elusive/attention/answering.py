"""What the rows that emit an answer attend to (METHOD 2.1; Li et al., NAACL 2024), and no other row.

    scores[l, h, t] = mean over the chosen rows a of  A[l, h, a, t] · ‖v[l, h, t]‖₂

v is the per-head value before the output projection; the head of a grouped value is repeated. Every layer runs by the
implementation which the model was loaded with; the model's own eager attention is run beside it on the chosen rows
alone, in fp32, so that this costs |A| · T per layer and head on top of a plain pass. That both give the same output
on these rows is checked in every layer. The older classes that compute attention themselves return their weights
whole, one layer at a time (`hooks`). In an encoder-decoder it is cross-attention that counts.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from elusive.attention import hooks, interface
from elusive.attention.answer_rows import AnswerRows, LayerRows
from elusive.attention.interface import MaskBesideOrdinary
from elusive.attention.live import (
    LayerPass,
    body_of,
    evaluating,
    layers_to_hook,
    name_of,
    on_input_device,
    pretrained,
)
from elusive.attention.selection import resolve_selection
from elusive.errors import ModelError
from elusive.types import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class AnswerAttention:
    """What the chosen rows of each example attend to, over the chosen layers and heads; fp32, on the CPU.

    Attributes:
        scores: mean over the rows of attention, times the norm of the value where these were asked for; 0 where no
            row can see a token (it comes later, is hidden by a window, or is padding).
        logits: of the first row, before the softmax; None unless asked for. Of tokens that the row does not see, the
            product of query and key as well.
    """

    scores: Float[Tensor, "batch layer head token"]
    logits: Float[Tensor, "batch layer head token"] | None


@dataclass(frozen=True)
class Encoded:
    """What the encoder made of each example.

    Attributes:
        states: its last hidden states.
        real: which of them are not padding.
    """

    states: Float[Tensor, "batch token width"]
    real: Bool[Tensor, "batch token"]


class AnswerProbe:
    """A model under watch; made by `watch_answers`, called with right-padded token ids."""

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        layers: tuple[int, ...],
        heads: tuple[int, ...] | None,
        values: bool,
        logits: bool,
    ) -> None:
        self.model = model
        self._cross = bool(getattr(model.config, "is_encoder_decoder", False))
        self._layers, self._heads, self._values, self._logits = layers, heads, values, logits
        self._pass = LayerPass(model, layers)
        self._rows: AnswerRows | None = None
        self._seen: list[LayerRows] = []

    @torch.no_grad()
    def __call__(
        self, input_ids: Int[Tensor, "batch query"], rows: Sequence[range], *, encoded: Encoded | None = None
    ) -> AnswerAttention:
        """One forward pass, without the head.

        Args:
            input_ids: real tokens first; whatever pads the row comes after them. Of an encoder-decoder, the decoder's.
            rows: for each example, the positions of the rows to take: at least one.
            encoded: what the decoder of an encoder-decoder reads; None for every other model.

        Raises:
            ModelError: the model hides its attention, attends in both directions, shows other attention than it uses,
                or gives weights that are not finite.
        """
        assert self._cross == (encoded is not None), "an encoder-decoder, and no other model, reads encoder states"
        ids = on_input_device(self.model, input_ids)
        self._rows = AnswerRows.of(rows, heads=self._heads, values=self._values, logits=self._logits)
        seen: list[LayerRows] = []
        self._seen = seen
        try:
            if encoded is None:
                self._pass.run(body_of(self.model), input_ids=ids)
            else:
                states = {"encoder_hidden_states": encoded.states, "encoder_attention_mask": encoded.real}
                self._pass.run(self.model.get_decoder(), input_ids=ids, **states)
        finally:
            self._rows, self._seen = None, []
        return self._answer(seen)

    def _answer(self, seen: list[LayerRows]) -> AnswerAttention:
        scores = torch.stack([rows.scores.cpu() for rows in seen], dim=1)
        if not bool(torch.isfinite(scores).all()):
            raise ModelError(
                f"{name_of(self.model)} gave attention that is not finite; are its weights NaN or overflowing?"
            )
        for layer, rows in zip(self._layers, seen, strict=True):
            if fault := rows.fault():
                raise ModelError(f"{name_of(self.model)}, layer {layer}: {fault}")
        logits = [rows.logits.cpu() for rows in seen if rows.logits is not None]
        return AnswerAttention(scores, torch.stack(logits, dim=1) if logits else None)

    # -- what runs inside a forward pass ---------------------------------------------------------------------------

    def attend(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: object, **options: Any
    ) -> Tensor:
        """Compute a layer's attention in the ordinary way and, where it counts, take the chosen rows."""
        assert self._rows is not None, "a watched model is run through its probe"
        if not isinstance(mask, MaskBesideOrdinary):
            raise self._refusal(module)
        causal = getattr(module, "is_causal", True) is not False
        if not causal and not self._cross:
            raise self._refusal(module)
        options["dropout"] = 0.0
        out = interface.ordinary_attention(module, query, key, value, mask, **options)
        if causal and self._cross:
            return out  # the decoder's self-attention
        layer = self._pass.next_layer(module)
        if layer == 0 and causal:
            mask.rows.check_causal(model=name_of(self.model))
        if layer in self._layers:
            self._seen.append(self._rows.of_layer(module, query, key, value, mask.rows, out, options))
        self._pass.done(layer)
        return out

    def _refusal(self, module: nn.Module) -> ModelError:
        return ModelError(
            f"{name_of(self.model)}: {type(module).__name__} attends without a mask of transformers' mask interface "
            "where a decoder has one; elusive needs a causal decoder"
        )

    def see(self, module: nn.Module, weights: Tensor | None, values: Tensor) -> None:
        """Take the chosen rows of the whole weights of a layer that computes attention itself."""
        assert self._rows is not None, "a watched model is run through its probe"
        layer = self._pass.next_layer(module)
        if weights is None:
            raise ModelError(f"{name_of(self.model)}: {type(module).__name__} returned no attention weights")
        if layer in self._layers:
            self._seen.append(self._rows.of_whole_weights(weights, values))
        self._pass.done(layer)


@contextmanager
def watch_answers(
    model: nn.Module,
    *,
    layers: Sequence[int] | None = None,
    heads: Sequence[int] | None = None,
    values: bool = True,
    logits: bool = False,
) -> Iterator[AnswerProbe]:
    """Watch a live model; when the block is left, the model is as it was.

    Args:
        model: a decoder-only or encoder-decoder LM of transformers, also wrapped by peft.
        layers: decoder layers to look at, negative from the end; None is all.
        heads: query heads to look at in each of them, negative from the end; None is all.
        values: weigh attention by the norms of the values.
        logits: take the first row's products before the softmax as well.

    Raises:
        ModelError: a model that elusive cannot see into, by name.
        OptionError: layers or heads that the model does not have.
    """
    inner = pretrained(model)
    to_hook = layers_to_hook(inner)
    if to_hook and logits:
        raise ModelError(
            f"{name_of(inner)} computes its attention itself and shows none before the softmax; "
            "use another target than fid-kd"
        )
    chosen_layers, chosen_heads = resolve_selection(inner.config, layers=layers, heads=heads)
    probe = AnswerProbe(inner, layers=chosen_layers, heads=chosen_heads, values=values, logits=logits)
    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        if to_hook:
            stack.enter_context(interface.implementation(inner, "eager"))
            stack.enter_context(hooks.hooked_with_values(to_hook, inner.config.model_type, probe.see))
        else:
            ordinary = inner.config._attn_implementation
            stack.enter_context(interface.watching_layers(probe, ordinary=ordinary))
            stack.enter_context(interface.implementation(inner, interface.BESIDE_ORDINARY))
        yield probe
