"""From attention to column sums, without ever holding an n × n matrix of a whole layer.

A layer's answer is, per token j, the sum over counted followers i > j of its attention, averaged over the chosen
heads, and how many such followers can see j (METHOD: received attention, a *column* mean, self excluded).
`ExactRows` adds up weights as the model's own attention gives them, a chunk of query rows at a time; memory per
layer is one chunk. `flash_column_sums` needs only the log-sum-exp of each row, which the CPU flash kernel
returns beside its output: a weight is then exp(q·k − lse), and no softmax is computed twice.
All sums are in fp32.
"""

from dataclasses import dataclass, replace

import torch

from elusive.types import Bool, Float, Tensor

FLASH_ROWS = 128
"""Query rows per chunk of the flash path: large enough for a full matrix product, small enough for the cache."""


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """What to add up in every layer.

    Attributes:
        counted: which positions count as followers: real, not special, and counted once over all windows.
        heads: chosen query heads; None is all of them.
        renormalise: weigh every row without the share that it gives to the first token.
    """

    counted: Float[Tensor, "batch query"]
    heads: tuple[int, ...] | None = None
    renormalise: bool = False

    def on(self, device: torch.device) -> "Reduction":
        """The same on another device: a model may be spread over several."""
        return replace(self, counted=self.counted.to(device))

    def n_chosen(self, n_heads: int) -> int:
        """How many of the layer's `n_heads` are averaged over."""
        return n_heads if self.heads is None else len(self.heads)


@dataclass(frozen=True)
class LayerSums:
    """One layer's answer; `first` is kept apart because the sink is measured before any renormalisation.

    Attributes:
        sums: Σ over counted followers, mean over chosen heads, of the attention that a token receives.
        followers: how many counted followers can see it.
        first: Σ over counted rows i ≥ 1, mean over chosen heads, of the attention to the first token.
    """

    sums: Float[Tensor, "batch token"]
    followers: Float[Tensor, "batch token"]
    first: Float[Tensor, " batch"]


class ExactRows:
    """Accumulates a layer's sums from chunks of query rows, given as attention weights after softmax."""

    def __init__(self, reduction: Reduction, n_heads: int) -> None:
        self._reduction = reduction
        self._n_heads = n_heads
        self._sums = torch.zeros_like(reduction.counted)
        self._followers = torch.zeros_like(reduction.counted)
        self._first = torch.zeros_like(reduction.counted[:, 0])

    def add(
        self,
        weights: Float[Tensor, "batch head query key"],
        visible: Bool[Tensor, "batchorone 1 query key"],
        *,
        first_row: int,
    ) -> None:
        """Add the rows `first_row …`; `weights` is overwritten. Columns start at 0 and may stop at the last row.

        Args:
            weights: attention after softmax, any float type.
            visible: what the layer's own mask lets each row see.
            first_row: the position of the chunk's first row.
        """
        n_rows, n_keys = weights.shape[-2:]
        counted = self._reduction.counted[:, first_row : first_row + n_rows]
        p = weights.float()
        if self._reduction.heads is not None:
            p = p[:, list(self._reduction.heads)]
        others = p[..., 1:].sum(-1) if self._reduction.renormalise else None
        # Self is no follower. Zeroed rather than subtracted: the diagonal can dwarf the rest of a column.
        p.diagonal(offset=first_row, dim1=-2, dim2=-1).zero_()
        row_weight = counted[:, None, :].expand(-1, p.shape[1], -1)
        n_chosen = self._reduction.n_chosen(self._n_heads)
        self._first += (p[..., 0] * row_weight).sum((1, 2)) / n_chosen
        if others is not None:
            p[..., 0] = 0.0  # a row that gives everything to the sink would overflow its column
            row_weight = row_weight / others.clamp_min(torch.finfo(torch.float32).tiny)
        # [batch, 1, head·query] @ [batch, head·query, key]: one pass over the weights.
        flat = torch.bmm(row_weight.reshape(len(p), 1, -1), p.flatten(1, 2))
        self._sums[:, :n_keys] += flat[:, 0] / n_chosen
        seen = visible[:, 0].float().tril(first_row - 1)
        if self._reduction.renormalise:
            seen[..., 0] = 0.0  # the sink itself has no renormalised score
        self._followers[:, :n_keys] += torch.bmm(counted[:, None], seen.expand(len(p), -1, -1))[:, 0]

    def finish(self) -> LayerSums:
        """The layer's sums over all rows added so far."""
        return LayerSums(self._sums, self._followers, self._first)


def flash_attention_cpu(
    query: Float[Tensor, "batch head token width"],
    key: Float[Tensor, "batch kvhead token width"],
    value: Float[Tensor, "batch kvhead token width"],
    *,
    scaling: float,
) -> tuple[Float[Tensor, "batch head token width"], Float[Tensor, "batch head token"]]:
    """Causal attention by torch's CPU flash kernel: its output, and the log-sum-exp of each row in fp32."""
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    out, lse = kernel(query, key, value, 0.0, True, scale=scaling)
    return out, lse


def flash_column_sums(
    query: Float[Tensor, "batch head token width"],
    key: Float[Tensor, "batch kvhead token width"],
    lse: Float[Tensor, "batch head token"],
    *,
    scaling: float,
    reduction: Reduction,
) -> LayerSums:
    """Column sums of plain causal softmax attention from the log-sum-exp of its rows.

    The query heads of one key head are stacked into one product. Only the diagonal block of a chunk holds
    positions that must be masked; everything left of it is visible.
    """
    n_heads, n_tokens, width = query.shape[1:]
    q, k, lse = _chosen_heads(query, key, lse, heads=reduction.heads)
    batch, kv_heads, group = q.shape[:3]
    k = k.float().flatten(0, 1)
    sums, first = torch.zeros_like(reduction.counted), torch.zeros_like(reduction.counted[:, 0])
    n_chosen = reduction.n_chosen(n_heads)
    # One buffer for every chunk: fresh memory of this size would be cleared by the kernel each time.
    scores = torch.empty(batch * kv_heads * group * min(FLASH_ROWS, n_tokens) * n_tokens)
    for start in range(0, n_tokens, FLASH_ROWS):
        stop = min(start + FLASH_ROWS, n_tokens)
        rows = stop - start
        counted = reduction.counted[:, start:stop]
        if not counted.any():
            continue
        q_rows = (q[..., start:stop, :].float() * scaling).reshape(batch * kv_heads, group * rows, width)
        p = scores[: q_rows.shape[0] * q_rows.shape[1] * stop].view(*q_rows.shape[:2], stop)
        torch.bmm(q_rows, k[:, :stop].transpose(-1, -2), out=p)
        p.sub_(lse[..., start:stop].reshape(batch * kv_heads, group * rows, 1)).exp_()
        diagonal = p.view(-1, rows, stop)[..., start:]
        weight = counted[:, None, None, :].expand(-1, kv_heads, group, -1).reshape(batch * kv_heads, 1, -1)
        if reduction.renormalise:
            # A row's own token is part of what it is renormalised over, though it is no follower of itself.
            diagonal.tril_()
            # Summed: 1 - p[0] has few digits left where p[0] is near 1.
            others = p[..., 1:].sum(-1).clamp_min(torch.finfo(torch.float32).tiny)
        diagonal.tril_(-1)
        if reduction.renormalise:
            first += (p[..., 0] * weight[:, 0]).view(batch, -1).sum(1) / n_chosen
            weight = weight / others[:, None]
            p[..., 0] = 0.0
        sums[:, :stop] += torch.bmm(weight, p).view(batch, kv_heads, stop).sum(1) / n_chosen
    followers = causal_followers(reduction.counted)
    if reduction.renormalise:
        followers[:, 0] = 0.0
        return LayerSums(sums, followers, first)
    return LayerSums(sums, followers, sums[:, 0])


def causal_followers(counted: Float[Tensor, "batch query"]) -> Float[Tensor, "batch token"]:
    """How many counted rows come after each position."""
    return counted.flip(-1).cumsum(-1).flip(-1) - counted


def _chosen_heads(
    query: Tensor, key: Tensor, lse: Tensor, *, heads: tuple[int, ...] | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Split query heads into [batch, kvhead, group, token(, width)]; a selection makes groups of one."""
    group = query.shape[1] // key.shape[1]
    if heads is None:
        return query.unflatten(1, (-1, group)), key, lse.unflatten(1, (-1, group))
    chosen = list(heads)
    return query[:, chosen, None], key[:, [h // group for h in chosen]], lse[:, chosen, None]
