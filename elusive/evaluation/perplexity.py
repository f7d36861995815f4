"""How unlikely a model finds whole texts: -log p of all their tokens, from `elusive.clues.predictions`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from elusive.clues.predictions import predict_texts


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

    Arguments and errors as `predict_texts`.
    """
    predicted = predict_texts(model, texts, first=first, window=window, batch_tokens=batch_tokens, on_tokens=on_tokens)
    return [float(one.surprisal.sum(dtype=np.float64)) for one in predicted]
