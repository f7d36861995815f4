"""What is minimised: the cross-entropy of next tokens, whatever parts and processes a step is worked through in."""

from typing import Any

import torch
from torch.nn import functional as F

from elusive.pretraining.batches import IGNORED
from elusive.types import Tensor


def token_mean(outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
    """Cross-entropy of the next tokens, in float32: the mean over all that the step learns, in whatever parts it is.

    Args:
        outputs: of the model, with `logits`, [row, token, word].
        labels: token ids, [row, token]; `IGNORED` where nothing is learnt, as at each row's first token.
        num_items_in_batch: how many tokens the whole step learns; those of `labels` unless told.
    """
    targets = F.pad(labels[:, 1:], (0, 1), value=IGNORED).flatten()
    total = (targets != IGNORED).sum() if num_items_in_batch is None else torch.as_tensor(num_items_in_batch)
    logits = outputs["logits"].float().flatten(0, 1)
    summed = F.cross_entropy(logits, targets.to(logits.device), ignore_index=IGNORED, reduction="sum")
    return summed / total.to(summed.device).clamp(min=1)
