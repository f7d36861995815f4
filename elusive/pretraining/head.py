"""Finds a causal LM's output head, so that it can be run apart from the rest of the model.

A forward pass computes the logits of all positions at once. The loss needs only those of labelled positions, and never
all at the same time. Families differ in what follows the linear layer (scale, soft cap), and a wrong formula would
train towards something else without an error. So the formula is read from the config and then tested on the model:
known rows replace the head's input, and the model must return the logits that the formula gives. If it does not, there
is no `OutputHead`, and the caller uses the model's own logits. Costs one pass over two short rows.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from elusive.pretraining.batches import NO_CACHE, Collator
from elusive.pretraining.cross_entropy import LogitFormula
from elusive.pretraining.rows import Row
from elusive.types import Tensor

_FACTORS: Final = ("logit_scale", "lm_head_multiplier", "output_multiplier")
_DIVISORS: Final = ("logits_scaling",)
_CAPS: Final = ("final_logit_softcapping", "logits_soft_cap", "output_logit_soft_cap")
"""Config fields of transformers' models that change logits, by what they do."""

_REACHES: Final = (1.0, 100.0)
"""Largest output of the linear layer in each test row: one in a soft cap's linear part, one far above it."""
_IDS: Final = (3, 4, 5, 6)


@dataclass(frozen=True)
class OutputHead:
    """A model's output layer, and the formula from its outputs to logits."""

    layer: nn.Linear
    formula: LogitFormula


def output_head(model: Any) -> OutputHead | None:
    """The head of a causal LM, wrapped by peft or not; None if it is not a plain linear layer followed by the formula.

    Works on a model in use and restores its state.
    """
    layer = model.get_output_embeddings()
    # Quantised layers are subclasses, adapters on the head are wrappers; offloaded weights are on the meta device.
    if type(layer) is not nn.Linear or layer.weight.is_meta:
        return None
    head = OutputHead(layer, _formula(model.config.get_text_config()))
    return head if _agrees(head, model) else None


def _formula(config: Any) -> LogitFormula:
    def named(names: tuple[str, ...]) -> list[float]:
        values = (getattr(config, name, None) for name in names)
        return [float(value) for value in values if isinstance(value, int | float) and value]

    scale = 1.0
    for factor in named(_FACTORS):
        scale *= factor
    for divisor in named(_DIVISORS):
        scale /= divisor
    return LogitFormula(scale=scale, cap=next(iter(named(_CAPS)), None))


def _agrees(head: OutputHead, model: nn.Module) -> bool:
    """Whether a pass runs the layer once, on one row per token, and returns what the formula makes of its outputs."""
    seen: list[Tensor] = []

    def replace_input(_layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        seen.append(_test_rows(head.layer, given[0]))
        return (seen[-1],)

    batch = Collator(pad=0)([Row(np.array(_IDS, dtype=np.int32))] * len(_REACHES))
    device = next(model.parameters()).device
    inputs = {name: tensor.to(device) for name, tensor in batch.items() if name != "labels"}
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), head.layer.register_forward_pre_hook(replace_input):
            found = model(**inputs, **NO_CACHE).logits
    finally:
        model.train(was_training)
    if len(seen) != 1 or found.shape != (len(_REACHES), len(_IDS), len(head.layer.weight)):
        return False
    with torch.no_grad():
        expected = head.formula(F.linear(seen[0], head.layer.weight, head.layer.bias))
    tolerance = max(1e-4, 4 * torch.finfo(head.layer.weight.dtype).eps)
    largest = expected.abs().amax((1, 2), keepdim=True)
    return bool(((found.float() - expected).abs() <= tolerance * largest).all())


def _test_rows(layer: nn.Linear, hidden: Tensor) -> Tensor:
    """Random rows in the shape of the hidden states, scaled so that the layer's outputs reach `_REACHES`."""
    rows = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0)).to(layer.weight)
    reached = F.linear(rows, layer.weight).abs().amax((1, 2), keepdim=True)
    return rows * torch.tensor(_REACHES).to(rows)[:, None, None] / reached
