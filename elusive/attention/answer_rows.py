"""From one layer's queries, keys and values to what the chosen rows attend to; the reduction behind `answering`.

The rows of each example are gathered first, so that every product has |A| rows and not as many as the text has tokens.
All of it is in fp32, whatever the model's dtype.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from elusive.attention.interface import RowMask, eager_attention
from elusive.attention.layers import additive_mask
from elusive.types import Bool, Float, Int, Tensor

_OUTPUT_TOLERANCE, _COARSE_TOLERANCE = 1e-2, 6e-2
"""How far a layer's output may lie from that of its eager attention, in units of its largest value, in fp32 and in
coarser dtypes: more than kernels differ by, less than another mask or bias does."""
_LOGITS_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class LayerRows:
    """What one layer's chosen rows attend to.

    Attributes:
        scores: mean over the rows.
        logits: of the first row, before the softmax; None unless asked for.
        output_error: how far the layer's own output is from what the rows were taken from, and what it may be.
        logits_error: how far a softmax of the logits is from the weights.
    """

    scores: Float[Tensor, "batch head token"]
    logits: Float[Tensor, "batch head token"] | None = None
    output_error: tuple[Tensor, float] | None = None
    logits_error: Tensor | None = None

    def fault(self) -> str:
        """Why this layer is not to be believed; empty where it is. Waits for the device."""
        if self.output_error is not None and not float(self.output_error[0]) <= self.output_error[1]:
            return (
                "its eager attention gives another output than the implementation it runs by "
                f"({float(self.output_error[0]):.2g} of its largest value); load it with attn_implementation='eager'"
            )
        if self.logits_error is not None and not float(self.logits_error) <= _LOGITS_TOLERANCE:
            return (
                "its attention is more than a softmax of scaled products (soft-capping or sinks), so it has no plain "
                "logits; use another target than fid-kd"
            )
        return ""


@dataclass(frozen=True, eq=False)
class AnswerRows:
    """Which rows to take of every layer, and what of them.

    Attributes:
        index: positions of the rows, the last one again where an example has fewer than another.
        weight: what each counts in the mean; 0 for the repeated ones.
        heads: chosen query heads; None is all of them.
        values: weigh attention by the norms of the values.
        logits: take the first row's products before the softmax as well.
    """

    index: Int[Tensor, "batch row"]
    weight: Float[Tensor, "batch row"]
    heads: tuple[int, ...] | None
    values: bool
    logits: bool
    _visible_rows: dict[RowMask, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[range], *, heads: tuple[int, ...] | None, values: bool, logits: bool) -> "AnswerRows":
        """From one range of positions per example."""
        most = max(map(len, rows))
        index = torch.tensor([[*r, *[r[-1]] * (most - len(r))] for r in rows])
        weight = torch.tensor([[1 / len(r)] * len(r) + [0.0] * (most - len(r)) for r in rows])
        return cls(index, weight, heads, values, logits)

    def of_layer(
        self,
        module: nn.Module,
        query: Float[Tensor, "batch head query width"],
        key: Float[Tensor, "batch kvhead token width"],
        value: Float[Tensor, "batch kvhead token valuewidth"],
        mask: RowMask,
        out: Float[Tensor, "batch query head valuewidth"],
        options: dict[str, Any],
    ) -> LayerRows:
        """By the model's own eager attention on the chosen rows; `out` is what the layer gave in the ordinary way."""
        q, k, v = self._gather(query, 2).float(), key.float(), value.float()
        visible = self._visible(mask, n_keys=key.shape[2]).to(query.device)
        if (bias := options.get("position_bias")) is not None:
            bias = self._gather(bias.expand(len(query), -1, -1, -1), 2).float()
            options = options | {"position_bias": bias}
        rows_out, weights = eager_attention(module)(module, q, k, v, additive_mask(visible), **options)
        error = (rows_out - self._gather(out, 1).float()).abs().amax() / v.abs().amax().clamp_min(1e-12)
        allowed = _OUTPUT_TOLERANCE if query.dtype == torch.float32 else _COARSE_TOLERANCE
        seen = LayerRows(self._reduce(weights, v), output_error=(error, allowed))
        if not self.logits:
            return seen
        scaling = options.get("scaling")
        first = q[:, :, :1] * (q.shape[-1] ** -0.5 if scaling is None else scaling)
        logits = first @ k.repeat_interleave(q.shape[1] // k.shape[1], dim=1).mT
        if bias is not None:
            logits = logits + bias[:, :, :1]
        softmax = (logits + additive_mask(visible[:, :, :1])).softmax(-1)
        logits_error = (softmax - weights[:, :, :1]).abs().amax()
        return replace(seen, logits=self._chosen(logits[:, :, 0]), logits_error=logits_error)

    def of_whole_weights(
        self,
        weights: Float[Tensor, "batch head query token"],
        value: Float[Tensor, "batch kvhead token valuewidth"],
    ) -> LayerRows:
        """From all of a layer's weights after the softmax."""
        return LayerRows(self._reduce(self._gather(weights, 2), value))

    def _reduce(
        self, weights: Float[Tensor, "batch head row token"], value: Float[Tensor, "batch kvhead token valuewidth"]
    ) -> Float[Tensor, "batch chosenhead token"]:
        rows = self.weight.to(weights.device)
        scores = torch.einsum("bhrt,br->bht", weights.float(), rows)
        if self.values:
            norms = value.float().norm(dim=-1)
            scores = scores * norms.repeat_interleave(scores.shape[1] // norms.shape[1], dim=1)
        return self._chosen(scores)

    def _chosen(self, by_head: Float[Tensor, "batch head token"]) -> Float[Tensor, "batch chosenhead token"]:
        return by_head if self.heads is None else by_head[:, list(self.heads)]

    def _gather(self, x: Tensor, axis: int) -> Tensor:
        """The chosen rows of each example."""
        shape = [1] * x.ndim
        shape[0], shape[axis] = self.index.shape
        index = self.index.to(x.device).view(shape)
        return x.take_along_dim(index, axis)

    def _visible(self, mask: RowMask, *, n_keys: int) -> Bool[Tensor, "batch 1 row token"]:
        """What the chosen rows see; written out once for all the layers that have this mask."""
        if mask not in self._visible_rows:
            first, last = int(self.index.min()), int(self.index.max()) + 1
            visible = mask.visible(first, last, n_keys=n_keys).expand(len(self.index), -1, -1, -1)
            index = (self.index - first).to(visible.device)[:, None, :, None]
            self._visible_rows[mask] = visible.take_along_dim(index, 2)
        return self._visible_rows[mask]
