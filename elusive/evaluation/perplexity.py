"""How unlikely a model finds whole texts: -log p of every token, in windows for those longer than the context.

Windows are those of the attention engine (METHOD 1.1): each begins with the special first token, and each token
counts once, in the window that gives it most left context. Costs one forward pass a window, with the head; logits are
turned to probabilities a slice of rows at a time, for a vocabulary may be large.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from elusive.attention.live import evaluating, on_input_device, pretrained
from elusive.attention.windows import Window, batches_of, windows_of
from elusive.errors import ModelError
from elusive.types import Tensor

_ROWS: Final = 1024
"""Rows of logits that are in float32 at a time."""


@dataclass(frozen=True, slots=True)
class TextLikelihood:
    """What a model makes of one text.

    Attributes:
        nll: -log p of all its tokens, in nats; the special first token is given.
        n_tokens: its tokens.
        n_chars: its code points.
    """

    nll: float
    n_tokens: int
    n_chars: int


@torch.no_grad()
def negative_log_likelihoods(
    model: torch.nn.Module,
    texts: Sequence[NDArray[np.int64]],
    *,
    first: int,
    window: int,
    batch_tokens: int,
    on_tokens: Callable[[int], object] = lambda _n: None,
) -> list[float]:
    """-log p of each text, summed over its tokens.

    Args:
        model: a decoder-only language model with its head, also wrapped by peft.
        texts: token ids of each, without any special token.
        first: the id of the special token that precedes each window.
        window: tokens per window, `first` included; at least 3.
        batch_tokens: padded tokens per forward pass; never below one window.
        on_tokens: told how many tokens of the texts were just counted; they add up to all.

    Raises:
        ModelError: a likelihood that is no number.
    """
    totals = [0.0] * len(texts)
    inner = pretrained(model)
    pieces = [piece for number, ids in enumerate(texts) for piece in windows_of(number, len(ids), window=window)]
    with evaluating(model):
        for batch in batches_of(pieces, batch_tokens=batch_tokens):
            rows = [np.concatenate([[first], texts[piece.text][piece.start : piece.stop]]) for piece in batch]
            ids = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in rows], batch_first=True)
            placed = on_input_device(inner, ids)
            # Padding lies to the right, where no real token sees it.
            logits: Tensor = inner(input_ids=placed, use_cache=False).logits
            for row, piece in enumerate(batch):
                totals[piece.text] += _of_counted(logits[row], placed[row].to(logits.device), piece)
            on_tokens(sum(piece.stop - piece.first_counted for piece in batch))
    if not np.isfinite(totals).all():
        raise ModelError("the model gives a text a likelihood that is no number; load it in float32 (--dtype)")
    return totals


def _of_counted(logits: Tensor, ids: Tensor, piece: Window) -> float:
    """-log p of a window's counted tokens; row i of the logits is of token i + 1."""
    begin = 1 + piece.first_counted - piece.start
    total = 0.0
    for start in range(begin, piece.n_tokens, _ROWS):
        stop = min(start + _ROWS, piece.n_tokens)
        losses = F.cross_entropy(logits[start - 1 : stop - 1].float(), ids[start:stop], reduction="none")
        total += float(losses.double().sum())
    return total
