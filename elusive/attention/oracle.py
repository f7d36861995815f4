"""The slow and obvious reference for received attention, straight from its definition.

It asks the model for all attention matrices by `output_attentions`, on one text at a time and without padding, and
loops over layers, heads, rows and columns in Python. Memory and time grow with the square of the length; nothing
but tests and doubters should use it.
"""

import math
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from elusive.types import Float, Tensor


@torch.no_grad()
def attention_matrices(model: PreTrainedModel, input_ids: Sequence[int]) -> Float[Tensor, "layer head query key"]:
    """All of a model's attention for one text.

    Args:
        model: loaded with `attn_implementation="eager"`, in evaluation mode.
        input_ids: the text's tokens.
    """
    out = model(input_ids=torch.tensor([list(input_ids)]), output_attentions=True, use_cache=False)
    return torch.stack([layer[0].float() for layer in out.attentions])


def received_by_definition(
    attention: Float[Tensor, "layer head query key"],
    *,
    counted: Sequence[bool],
    can_see: Sequence[Sequence[Sequence[bool]]],
    heads: Sequence[int] | None = None,
    renormalise: bool = False,
) -> list[float]:
    """Received attention of every position of one text, from whole matrices of the chosen layers.

    Args:
        attention: weights after softmax.
        counted: which positions are followers (real, not special).
        can_see: `can_see[l][i][j]`, the layer's own mask.
        heads: chosen heads; None is all.
        renormalise: divide each row by what it leaves to positions after the first.

    Returns:
        NaN for positions that no counted follower can see in any layer, and for the first when renormalised.
    """
    n_layers, n_heads, n, _ = attention.shape
    chosen = range(n_heads) if heads is None else heads
    table = attention.double().tolist()
    received = []
    for j in range(n):
        layer_means = []
        for l in range(n_layers):
            followers = [i for i in range(j + 1, n) if counted[i] and can_see[l][i][j]]
            if not followers or (renormalise and j == 0):
                continue
            total = 0.0
            for i in followers:
                for h in chosen:
                    row = table[l][h][i]
                    total += row[j] / sum(row[1:]) if renormalise else row[j]
            layer_means.append(total / len(chosen) / len(followers))
        received.append(sum(layer_means) / len(layer_means) if layer_means else math.nan)
    return received


def sink_mass_by_definition(attention: Float[Tensor, "layer head query key"]) -> float:
    """Mean over layers, heads and rows i ≥ 1 of the attention to the first token."""
    return float(attention[:, :, 1:, 0].double().mean())


def received_in_windows_by_definition(
    model: PreTrainedModel, text_ids: Sequence[int], *, first: int, window: int
) -> list[float]:
    """Received attention of a text longer than a window: every row counted once, in its first window.

    Args:
        model: loaded with `attn_implementation="eager"`; all its layers are plain causal.
        text_ids: the text's tokens, without the special first one.
        first: the id that precedes every window.
        window: tokens per window, the first included.
    """
    size, n = window - 1, len(text_ids)
    n_layers = model.config.num_hidden_layers
    totals, followers = [[0.0] * n for _ in range(n_layers)], [[0] * n for _ in range(n_layers)]
    covered = start = 0
    while covered < n:
        piece = list(text_ids[start : start + size])
        matrices = attention_matrices(model, [first, *piece]).double().mean(1).tolist()
        for l, i in ((l, i) for l in range(n_layers) for i in range(covered, start + len(piece))):
            for j in range(start, i):
                totals[l][j] += matrices[l][i - start + 1][j - start + 1]
                followers[l][j] += 1
        covered = start + len(piece)
        start += max(1, size // 2)
    return [
        sum(totals[l][j] / followers[l][j] for l in range(n_layers)) / n_layers if followers[0][j] else math.nan
        for j in range(n)
    ]


def causal(n: int, *, window: int | None = None, chunk: int | None = None) -> list[list[bool]]:
    """A layer's mask in words: j ≤ i, within a sliding window or the same chunk where there is one."""
    return [
        [
            j <= i and (window is None or i - j < window) and (chunk is None or i // chunk == j // chunk)
            for j in range(n)
        ]
        for i in range(n)
    ]


def answering_by_definition(
    attention: Float[Tensor, "layer head query key"],
    values: Sequence[Sequence[Sequence[Sequence[float]]]] | None,
    *,
    rows: Sequence[int],
) -> list[list[list[float]]]:
    """What the chosen rows attend to, for each layer, head and token.

    Args:
        attention: weights after softmax.
        values: `values[l][k][t]`, the value vector of token t in key-value head k, which serves as many query heads as
            come on each; None takes the weights alone.
        rows: positions of the rows.
    """
    table = attention.double().tolist()
    scores: list[list[list[float]]] = []
    for l, heads in enumerate(table):
        scores.append([])
        for h, weights in enumerate(heads):
            of_tokens = []
            for t in range(len(weights[0])):
                mean = sum(weights[a][t] for a in rows) / len(rows)
                if values is not None:
                    value = values[l][h * len(values[l]) // len(heads)][t]
                    mean *= math.sqrt(sum(x * x for x in value))
                of_tokens.append(mean)
            scores[l].append(of_tokens)
    return scores
