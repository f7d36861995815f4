"""Cross-entropy of a linear layer's outputs in chunks of rows; never holds the logits of all rows.

A batch of 8 × 1,024 tokens and a vocabulary of 262,144 makes 8 GiB of float32 logits, and autograd keeps several arrays
of that size. Here each chunk's gradients are computed right after its logits, in their memory: nothing is computed
twice, and a chunk's logits (two arrays of them under a soft cap) are all that is held. Softmax and sums are in float32,
whatever the layer computes in.

torch 2.13 has `linear_cross_entropy`; it has no soft cap, and the oldest torch that we support does not have it.
"""

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from elusive.types import Float, Int, Tensor

LOGITS_AT_A_TIME: Final = 2**25
"""Logits of one chunk: 128 MiB in float32. Smaller chunks read a large layer's weights too often."""


@dataclass(frozen=True, kw_only=True)
class LogitFormula:
    """From the outputs z of the last linear layer to logits: cap · tanh(scale · z / cap), or scale · z without a cap.

    Attributes:
        scale: a constant factor (Cohere, Granite).
        cap: the soft cap (Gemma 2); None for none.
    """

    scale: float = 1.0
    cap: float | None = None

    def __call__(self, outputs: Float[Tensor, "row word"]) -> Float[Tensor, "row word"]:
        """The logits, in float32."""
        scaled = outputs.float() * self.scale
        return scaled if self.cap is None else self.cap * torch.tanh(scaled / self.cap)


def summed_cross_entropy(
    rows: Float[Tensor, "row width"], layer: torch.nn.Linear, targets: Int[Tensor, " row"], *, formula: LogitFormula
) -> Float[Tensor, ""]:
    """Sum over rows of -log softmax(formula(layer(row)))[target], in float32; differentiable once.

    Args:
        rows: the layer's inputs.
        layer: on the device of the rows.
        targets: index of each row's correct word.
        formula: from the layer's outputs to logits.
    """
    summed: Tensor = _SummedCrossEntropy.apply(rows, layer.weight, layer.bias, targets, formula)
    return summed


class _SummedCrossEntropy(torch.autograd.Function):
    """Computes the gradients in the forward pass; backward only scales them."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, formula: LogitFormula
    ) -> Tensor:
        kind = rows.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        # In the dtype of the inputs: summed over chunks in that of a mixed-precision product, they would lose digits.
        of_rows, of_weight, of_bias = (
            torch.zeros_like(given) if given is not None and needed else None
            for given, needed in zip((rows, weight, bias), ctx.needs_input_grad[:3], strict=True)
        )
        total = torch.zeros((), device=rows.device)
        size = max(1, LOGITS_AT_A_TIME // len(weight))
        with torch.autocast(kind, enabled=False):
            matrix, offset = weight.to(dtype), None if bias is None else bias.to(dtype)
            for start in range(0, len(rows), size):
                chunk = slice(start, start + size)
                given = rows[chunk].to(dtype)
                loss, slopes = _loss_and_slopes(F.linear(given, matrix, offset).float(), targets[chunk], formula)
                total += loss
                slopes = slopes.to(dtype)
                if of_rows is not None:
                    of_rows[chunk] = slopes @ matrix
                if of_weight is not None:
                    of_weight += slopes.mT @ given
                if of_bias is not None:
                    of_bias += slopes.sum(0)
        ctx.save_for_backward(of_rows, of_weight, of_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        return (*(None if found is None else found * outer for found in ctx.saved_tensors), None, None)


def _loss_and_slopes(outputs: Tensor, targets: Tensor, formula: LogitFormula) -> tuple[Tensor, Tensor]:
    """The summed loss, and its gradient with respect to `outputs`; overwrites `outputs`."""
    logits, squashed = outputs if formula.scale == 1 else outputs.mul_(formula.scale), None
    if formula.cap is not None:
        squashed = logits.div_(formula.cap).tanh_()
        logits = squashed * formula.cap
    each = torch.arange(len(targets), device=targets.device)
    picked, highest = logits[each, targets], logits.amax(1)
    shares = logits.sub_(highest[:, None]).exp_()
    sums = shares.sum(1)
    loss = (sums.log() + highest - picked).sum()
    slopes = shares.div_(sums[:, None])
    slopes[each, targets] -= 1
    if squashed is not None:  # d tanh = 1 - tanh²
        slopes.mul_(squashed.square_().neg_().add_(1))
    return loss, slopes if formula.scale == 1 else slopes.mul_(formula.scale)
