"""A live model under observation, whoever observes it: what may be seen into, one pass over it, and how it is left.

`probe` (received attention) and `answering` (the rows that emit an answer) rest on this. Nothing here knows what is
taken from a layer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from elusive.attention import hooks, interface
from elusive.attention.selection import n_layers
from elusive.errors import ModelError
from elusive.types import Int, Tensor


def pretrained(model: nn.Module) -> PreTrainedModel:
    """The transformers model itself, out of whatever wraps it (peft injects its layers into that very model).

    Raises:
        ModelError: there is none.
    """
    if isinstance(model, PreTrainedModel):
        return model
    inner = next((part for part in model.modules() if isinstance(part, PreTrainedModel)), None)
    if inner is None:
        raise ModelError(f"{type(model).__name__} holds no transformers model; elusive cannot see into it")
    return inner


def name_of(model: PreTrainedModel) -> str:
    """What messages call a model: its class and, where known, its path."""
    path = model.config.name_or_path
    return f"{type(model).__name__} ({path})" if path else type(model).__name__


def layers_to_hook(model: PreTrainedModel) -> list[nn.Module]:
    """The attention layers that must be hooked; empty where the model goes through the attention interface.

    Raises:
        ModelError: neither way can see into the model.
    """
    model_type = model.config.model_type
    layers = hooks.self_computing_layers(model, model_type)
    if not layers and not interface.uses_interface(model):
        raise ModelError(
            f"{name_of(model)} (model type {model_type!r}) computes attention outside transformers' attention "
            "interface; elusive cannot see into it"
        )
    return layers


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each part then has its own mode again."""
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def on_input_device(model: PreTrainedModel, input_ids: Int[Tensor, "batch token"]) -> Int[Tensor, "batch token"]:
    """Token ids where the model takes them.

    Raises:
        ModelError: an id that the model does not have.
    """
    embedding = model.get_input_embeddings().weight
    if int(input_ids.max()) >= len(embedding):  # on a GPU this would end the process
        raise ModelError(
            f"{name_of(model)} knows tokens 0 to {len(embedding) - 1}, but was given {int(input_ids.max())}; "
            "is its tokenizer another model's?"
        )
    # Offloaded by accelerate, whose hooks move what they are given.
    return input_ids.to(torch.device("cpu") if embedding.device.type == "meta" else embedding.device)


class _LastLayerSeenError(Exception):
    """Ends a forward pass early; never leaves this module."""


class LayerPass:
    """Forward passes of one model, each of which ends right after the attention of the last chosen layer.

    Neither the rest of that layer nor the head is computed. The observer calls `next_layer` when a layer shows its
    attention, and `done` when it has taken what it wants of it.
    """

    def __init__(self, model: PreTrainedModel, layers: tuple[int, ...]) -> None:
        self._model, self._layers = model, layers
        self._n_shown = 0
        # accelerate's offloading hooks clean up after each module, so a model spread out runs to its end.
        places = set((getattr(model, "hf_device_map", None) or {}).values())
        self._ends_early = len(places) <= 1 and "disk" not in places

    def run(self, part: Callable[..., Any], **inputs: Any) -> None:
        """Run `part`, the model without its head."""
        self._n_shown = 0
        try:
            part(**inputs, use_cache=False)
        except _LastLayerSeenError:
            return
        if self._n_shown <= self._layers[-1]:
            raise ModelError(
                f"{name_of(self._model)}: only {self._n_shown} of its {n_layers(self._model.config)} layers show their "
                "attention (a hybrid or unknown architecture); elusive cannot see into it"
            )

    def next_layer(self, module: nn.Module) -> int:
        """The number of the layer that shows its attention now.

        Raises:
            ModelError: a layer before it has not.
        """
        layer, own = self._n_shown, getattr(module, "layer_idx", None)
        self._n_shown += 1
        # In a hybrid the first attention is not layer 0, and the chosen layers would silently be others.
        if own is not None and own != layer:
            raise ModelError(
                f"{name_of(self._model)}: layer {layer} shows no attention (a hybrid or unknown architecture); "
                "elusive cannot see into it"
            )
        return layer

    def done(self, layer: int) -> None:
        """End the pass if no chosen layer is left."""
        if layer == self._layers[-1] and self._ends_early:
            raise _LastLayerSeenError


def body_of(model: PreTrainedModel) -> nn.Module:
    """The model without its head."""
    body = model.base_model
    return body if isinstance(body, nn.Module) else model
