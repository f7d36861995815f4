"""What a model predicts of each token of a text: its surprisal, and the entropy of the distribution it was drawn from.

    surprisal[j] = -log p(token j | prefix, tokens before j)              entropy[j] = -Σ_v p(v) log p(v), in nats

Windows are those of the attention engine (METHOD 1.1): each begins with the prefix, and each token counts once, in the
window that gives it most left context. Costs one forward pass a window, with the head; logits are turned to
probabilities a slice of rows at a time, because a vocabulary may be large.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from elusive.attention.live import evaluating, name_of, on_input_device, pretrained
from elusive.attention.windows import Tokens, Window, batches_of, windows_of
from elusive.errors import ModelError
from elusive.types import Float, Int, Tensor

_ROWS: Final = 256
"""Rows of logits that are in float32 at a time."""


@dataclass(frozen=True, eq=False)
class TextPredictions:
    """What one model predicts of one text.

    Attributes:
        surprisal: -log p of each token, in nats, [token].
        entropy: of the distribution that each token was predicted from, in nats, [token].
    """

    surprisal: NDArray[np.float32]
    entropy: NDArray[np.float32]


@torch.no_grad()
def predict_texts(
    model: torch.nn.Module,
    texts: Sequence[Tokens],
    *,
    first: int,
    window: int,
    batch_tokens: int,
    on_tokens: Callable[[int], object] = lambda _n: None,
) -> list[TextPredictions]:
    """Surprisal and entropy of every token of whole texts.

    Args:
        model: a decoder-only language model with its head, also wrapped by peft.
        texts: token ids of each text, without any special token.
        first: the id of the prefix token that precedes each window.
        window: tokens per window, `first` included; at least 3.
        batch_tokens: padded tokens per forward pass; never below one window.
        on_tokens: called with the number of tokens just predicted; they add up to all.

    Raises:
        ModelError: a likelihood that is not finite.
    """
    found = [TextPredictions(*(np.empty(len(text), np.float32) for _ in range(2))) for text in texts]
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
                _keep(found[piece.text], piece, logits[row], placed[row].to(logits.device))
            on_tokens(sum(piece.stop - piece.first_counted for piece in batch))
    if not all(np.isfinite(one.surprisal).all() for one in found):
        raise ModelError(
            f"{name_of(inner)} gives a token a likelihood that is not a finite number; load it in float32 (--dtype)"
        )
    return found


def _keep(
    found: TextPredictions, piece: Window, logits: Float[Tensor, "row vocabulary"], ids: Int[Tensor, " row"]
) -> None:
    """Write down a window's counted tokens; row i of the logits predicts token i + 1."""
    begin = 1 + piece.first_counted - piece.start
    for start in range(begin, piece.n_tokens, _ROWS):
        stop = min(start + _ROWS, piece.n_tokens)
        log_p = logits[start - 1 : stop - 1].float().log_softmax(-1)
        place = slice(piece.start + start - 1, piece.start + stop - 1)
        found.surprisal[place] = -log_p.gather(1, ids[start:stop, None])[:, 0].cpu()
        # A word that cannot occur (log p of -inf) adds nothing.
        found.entropy[place] = -(log_p.exp() * log_p).nan_to_num(0.0).sum(-1).cpu()
