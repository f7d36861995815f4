"""A model's ordinary dropout: the probabilities that its config has for attention, embeddings, residuals and layers.

Families differ in which of these they have: Llama and its kin that of attention alone. Whether what the config says
takes effect is tried: some configs have a probability that their model never reads. The trial costs two short passes.
"""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import torch

from elusive.errors import OptionError
from elusive.models import ModelSource, load_config

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig

NAMES: Final = (
    "attention_dropout",
    "attention_probs_dropout_prob",
    "attn_pdrop",
    "embd_pdrop",
    "emb_pdrop",
    "embed_dropout",
    "embedding_dropout",
    "resid_pdrop",
    "resid_dropout",
    "residual_dropout",
    "hidden_dropout",
    "hidden_dropout_prob",
    "mlp_dropout",
    "activation_dropout",
    "dropout",
    "dropout_p",
)
"""What transformers' decoder-only families call their probabilities; those of classifiers are none of these."""

_IDS: Final = (3, 4, 5, 6, 7, 8)


def config_with_dropout(source: ModelSource, probability: float) -> "PreTrainedConfig":
    """A model's config with every dropout probability that it has set to one value.

    Raises:
        OptionError: it has none.
    """
    config = copy.deepcopy(load_config(source))
    names = _probabilities(config)
    if not names:
        raise _lacking(source, config, "its config has no dropout probability")
    for name in names:
        setattr(config.get_text_config(), name, probability)
    return config


def check_dropout(model: "nn.Module", source: ModelSource) -> None:
    """Refuse a model in which its dropout has no effect.

    Raises:
        OptionError: two passes in training mode give the same logits.
    """
    device = next(model.parameters()).device
    ids = torch.tensor([_IDS], device=device)
    was_training = model.training
    model.train()
    try:
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            first, second = (model(input_ids=ids, use_cache=False).logits for _ in range(2))
    finally:
        model.train(was_training)
    if torch.equal(first, second):
        raise _lacking(source, load_config(source), "its config has probabilities that the model does not use")


def restore_dropout(config: "PreTrainedConfig", source: ModelSource) -> None:
    """Set a trained model's config back to the probabilities it came with, before it is saved."""
    for name, value in _probabilities(load_config(source)).items():
        setattr(config.get_text_config(), name, value)


def _probabilities(config: "PreTrainedConfig") -> Mapping[str, Any]:
    found = {name: getattr(config.get_text_config(), name, None) for name in NAMES}
    return {name: value for name, value in found.items() if isinstance(value, float | int)}


def _lacking(source: ModelSource, config: "PreTrainedConfig", why: str) -> OptionError:
    return OptionError(
        f"--dropout: {source.name} (model type {config.model_type}) has no dropout of attention, embeddings, residuals "
        f"or layers: {why}; leave --dropout out, or use --lora-dropout"
    )
