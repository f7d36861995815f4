"""Scores whole texts: windows for those longer than the context, and batches within a budget of tokens.

Every window begins with the special first token and holds up to `window - 1` tokens of the text; windows start half a
window apart. Each row counts once, in the first window that holds it, where it has most left context; sums and
follower counts are added over windows per layer and divided at the end (METHOD 1.1, long texts).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from elusive.attention.probe import Probe, ReceivedSums
from elusive.attention.received import log_mean_over_layers, mean_over_layers
from elusive.errors import ModelError
from elusive.types import Float, Tensor

Tokens = NDArray[np.int64]
RowWeights = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TextScores:
    """What one model made of one text.

    Attributes:
        received: received attention per token of the text, the special first token left out; NaN where undefined.
        log_received: mean over layers of the log of each layer's received attention, likewise.
        sink: Σ over rows of the attention to the first token, mean over layers and heads; over `rows`, the sink mass.
        rows: the weight of the rows that `sink` was summed over: their number, where each counts 1.
    """

    received: NDArray[np.float32]
    log_received: NDArray[np.float32]
    sink: float
    rows: float

    @property
    def sink_mass(self) -> float:
        """Mean share of a row's attention that the first token takes; 0 for a text without rows."""
        return self.sink / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Window:
    """Tokens `start … stop - 1` of text number `text`; rows from `first_counted` on are counted here."""

    text: int
    start: int
    stop: int
    first_counted: int

    @property
    def n_tokens(self) -> int:
        """Tokens of the forward pass, the special first one included."""
        return self.stop - self.start + 1


def windows_of(text: int, n_tokens: int, *, window: int) -> Iterator[Window]:
    """Cut a text of `n_tokens` into windows of at most `window` tokens, the special first one included."""
    size = window - 1
    start = covered = 0
    while covered < n_tokens:
        stop = min(start + size, n_tokens)
        yield Window(text, start, stop, first_counted=covered)
        covered, start = stop, start + max(1, size // 2)


def batches_of(windows: Sequence[Window], *, batch_tokens: int) -> Iterator[list[Window]]:
    """Group windows of like length so that texts × longest stays within `batch_tokens`; the longest come first,
    so that a batch that does not fit into memory shows at once.
    """
    batch: list[Window] = []
    for window in sorted(windows, key=lambda w: (-w.n_tokens, w.text, w.start)):
        if batch and (len(batch) + 1) * batch[0].n_tokens > batch_tokens:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def score_texts(
    probe: Probe,
    texts: Sequence[Tokens],
    *,
    first: int,
    window: int,
    batch_tokens: int,
    row_weights: Sequence[RowWeights] | None = None,
    on_tokens: Callable[[int], None] = lambda _n: None,
) -> list[TextScores]:
    """Received attention of whole texts.

    Args:
        probe: the watched model.
        texts: token ids of each text, without any special token.
        first: the id of the special token that precedes each window.
        window: tokens per window, `first` included; at least 3.
        batch_tokens: padded tokens per forward pass; halved where memory runs out, never below one window.
        row_weights: how much each token's row counts, [token] of each text; None counts every row once.
        on_tokens: told how many tokens of the texts were just scored; they add up to all.
    """
    weights = [np.ones(len(text), dtype=np.float32) for text in texts] if row_weights is None else row_weights
    totals = [_Totals(len(probe.layers), len(text)) for text in texts]
    left = [w for i, text in enumerate(texts) for w in windows_of(i, len(text), window=window)]
    while left:
        # What did not fit once would not fit later: the probe remembers.
        budget = min(batch_tokens, probe.token_limit or batch_tokens)
        for batch in batches_of(left, batch_tokens=budget):
            seen = _forward(probe, batch, texts, weights, first=first)
            if seen is None:
                break
            for row, piece in enumerate(batch):
                totals[piece.text].add(piece, seen, row)
            done = set(batch)
            left = [piece for piece in left if piece not in done]
            on_tokens(sum(piece.stop - piece.first_counted for piece in batch))
    return [total.scores() for total in totals]


class _Totals:
    """Sums and follower counts of one text over its windows."""

    def __init__(self, n_layers: int, n_tokens: int) -> None:
        self._sums: Float[Tensor, "layer token"] = torch.zeros(n_layers, n_tokens)
        self._followers = torch.zeros(n_layers, n_tokens)
        self._sink = self._rows = 0.0

    def add(self, window: Window, seen: ReceivedSums, row: int) -> None:
        place, inside = slice(window.start, window.stop), slice(1, window.n_tokens)
        self._sums[:, place] += seen.sums[:, row, inside]
        self._followers[:, place] += seen.followers[:, row, inside]
        self._sink += float(seen.sink[:, row].double().mean())
        self._rows += float(seen.rows[row])

    def scores(self) -> TextScores:
        received = mean_over_layers(self._sums, self._followers)
        log_received = log_mean_over_layers(self._sums, self._followers)
        return TextScores(received.numpy(), log_received.numpy(), self._sink, self._rows)


def _forward(
    probe: Probe, batch: list[Window], texts: Sequence[Tokens], weights: Sequence[RowWeights], *, first: int
) -> ReceivedSums | None:
    """One forward pass; None where memory ran out, and the probe's limit is then half the batch."""
    try:
        return probe(*_tensors(batch, texts, weights, first=first))
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if len(batch) == 1:
            raise ModelError(
                f"{probe.name}: a single window of {batch[0].n_tokens} tokens does not fit into memory; "
                "give a smaller --window"
            ) from error
    probe.token_limit = len(batch) * batch[0].n_tokens // 2
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _is_out_of_memory(error: Exception) -> bool:
    # The CPU allocator has no exception class of its own.
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def _tensors(
    batch: list[Window], texts: Sequence[Tokens], weights: Sequence[RowWeights], *, first: int
) -> tuple[Tensor, Tensor]:
    """Right-padded ids and the weights of counted rows; the padding id is any valid one, for no real row sees it."""
    ids = torch.full((len(batch), batch[0].n_tokens), first, dtype=torch.long)
    counted = torch.zeros(ids.shape)
    for row, piece in enumerate(batch):
        ids[row, 1 : piece.n_tokens] = torch.from_numpy(texts[piece.text][piece.start : piece.stop])
        here = weights[piece.text][piece.first_counted : piece.stop]
        counted[row, 1 + piece.first_counted - piece.start : piece.n_tokens] = torch.from_numpy(here)
    return ids, counted
