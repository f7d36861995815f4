"""What is minimised: the cross-entropy of next tokens, whatever parts and processes a step is worked through in."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from elusive.pretraining.batches import IGNORED
from elusive.pretraining.cross_entropy import summed_cross_entropy
from elusive.pretraining.head import output_head
from elusive.types import Tensor


def token_mean(outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
    """Cross-entropy of the next tokens, in float32: the mean over all that the step learns, in whatever parts it is.

    Args:
        outputs: of the model, with `logits`, [row, token, word].
        labels: token ids, [row, token]; `IGNORED` where nothing is learnt, as at each row's first token.
        num_items_in_batch: how many tokens the whole step learns; those of `labels` unless told.
    """
    targets = _targets(labels).flatten()
    logits = outputs["logits"].float().flatten(0, 1)
    summed = F.cross_entropy(logits, targets.to(logits.device), ignore_index=IGNORED, reduction="sum")
    return summed / _total(targets, num_items_in_batch).to(summed.device)


class NextTokenLoss:
    """`token_mean`, with the head run on labelled positions only, in chunks.

    Padding, hidden tokens and the last token of each text need no logits. If the model's head cannot be run apart
    (`output_head`), its own logits are used, all of them.

        loss_of = NextTokenLoss(model)
        with loss_of.watching():
            loss = loss_of(model(input_ids=ids), labels)

    Args:
        model: a causal LM, wrapped by peft or not.
    """

    def __init__(self, model: nn.Module) -> None:
        self._head = output_head(model)
        self._hidden: Tensor | None = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Context of one forward pass: the head is given one token, so the model returns its logits only."""
        if self._head is None:
            yield
            return
        with self._head.layer.register_forward_pre_hook(self._take):
            try:
                yield
            finally:
                self._hidden = None

    def _take(self, _layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (self._hidden,) = given
        # One token rather than none: DistributedDataParallel looks for all weights in the graph of what the model
        # returns, and the model's own operations on logits need some.
        return (self._hidden[:1, :1],)

    def __call__(self, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        """As `token_mean`, for the forward pass within `watching`."""
        if self._head is None or self._hidden is None:
            return token_mean(outputs, labels, num_items_in_batch)
        device = self._head.layer.weight.device
        targets = _targets(labels)
        learnt = targets != IGNORED
        rows = self._hidden[learnt.to(self._hidden.device)].to(device)
        summed = summed_cross_entropy(rows, self._head.layer, targets[learnt].to(device), formula=self._head.formula)
        return summed / _total(targets, num_items_in_batch).to(device)


def _targets(labels: Tensor) -> Tensor:
    """The label of the next token, at each token."""
    return F.pad(labels[:, 1:], (0, 1), value=IGNORED)


def _total(targets: Tensor, num_items_in_batch: Tensor | int | None) -> Tensor:
    total = (targets != IGNORED).sum() if num_items_in_batch is None else torch.as_tensor(num_items_in_batch)
    return total.clamp(min=1)
