"""From the states of a text's tokens to one vector: the ways that dense encoders use.

Pure functions in fp32, whatever the states come in: a mean over hundreds of tokens is more than bf16 can hold. Padding
may lie on either side. Knows no model and no file.
"""

import torch

from elusive.choices import Pooling
from elusive.types import Bool, Float, Int, Tensor


def pool(
    states: Float[Tensor, "batch token width"], mask: Bool[Tensor, "batch token"], kind: Pooling
) -> Float[Tensor, "batch width"]:
    """One fp32 vector a text.

    Args:
        states: hidden states; those of padding count for nothing.
        mask: which tokens are real: at least one of each text, side by side.
        kind: how.
    """
    states = states.float()
    match kind:
        case "cls":
            return _at(states, mask.int().argmax(1))
        case "last":
            return _at(states, mask.shape[1] - 1 - mask.flip(1).int().argmax(1))
        case "max":
            return states.masked_fill(~mask[:, :, None], -torch.inf).amax(1)
        case "mean":
            return _sum(states, mask) / mask.sum(1, keepdim=True)
        case "mean-sqrt-len":
            return _sum(states, mask) / mask.sum(1, keepdim=True).sqrt()
        case "weighted-mean":
            number = mask.cumsum(1) * mask
            return _sum(states, number) / number.sum(1, keepdim=True)


def _at(states: Float[Tensor, "batch token width"], place: Int[Tensor, "batch"]) -> Float[Tensor, "batch width"]:
    return states[torch.arange(len(states), device=states.device), place]


def _sum(
    states: Float[Tensor, "batch token width"], weight: Bool[Tensor, "batch token"] | Int[Tensor, "batch token"]
) -> Float[Tensor, "batch width"]:
    # Not as a matrix product: autocast would take that to bf16.
    return (states * weight[:, :, None]).sum(1)
