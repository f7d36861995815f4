"""Models of transformers' attention interface: our implementation beside `sdpa` and `eager`, and our masks.

The implementation is registered once, at first use, under one name; what it does is decided by the `LayerWatcher`
active in a ContextVar, so nothing happens to models that nobody watches. The mask function returns a `RowMask`,
the *rule* of the mask instead of its n × n table: rows are written out a chunk at a time, so that memory
grows with the length of a text and not with its square.
"""

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from elusive.errors import ModelError
from elusive.types import Bool, Tensor

IMPLEMENTATION = "elusive_received"

EagerAttention = Callable[..., tuple[Tensor, Tensor]]


@runtime_checkable
class LayerWatcher(Protocol):
    """What is active while a model is watched: it computes a layer's attention, and may look at it."""

    def attend(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: object, **options: Any
    ) -> Tensor:
        """Attention's output, [batch, query, head, width], as any attention function of the interface gives it."""
        ...


_WATCHER: ContextVar[LayerWatcher] = ContextVar("elusive_layer_watcher")


@dataclass(frozen=True, eq=False)
class RowMask:
    """The rule of a layer's mask; `visible` writes out any of its rows."""

    rule: dict[str, Any]
    n_tokens: int
    _plain: list[bool] = field(default_factory=list)

    def visible(self, first_row: int, last_row: int, *, n_keys: int | None = None) -> Bool[Tensor, "one 1 query key"]:
        """What rows `first_row … last_row - 1` see of the columns `0 … n_keys - 1` (`last_row` of them by default).

        On the device on which the model built its masks: a rule may hold tensors of its own there.
        """
        mask: Tensor | None = sdpa_mask(
            **self.rule,
            q_length=last_row - first_row,
            q_offset=first_row,
            kv_length=last_row if n_keys is None else n_keys,
            kv_offset=0,
            allow_is_causal_skip=False,
        )
        assert mask is not None
        return mask

    def check_causal(self, *, model: str) -> None:
        """Refuse a mask that lets the first token see the second.

        Raises:
            ModelError: the model is bidirectional.
        """
        if self.n_tokens > 1 and bool(self.visible(0, 1, n_keys=2)[..., 1].any()):
            raise ModelError(
                f"{model} attends in both directions; received attention needs a causal (decoder-only) model"
            )

    def is_plain_causal(self, *, row_chunk: int = 512) -> bool:
        """Whether every row sees itself and everything before it, as no window is short enough to matter here."""
        if not self._plain:
            chunks = ((a, min(a + row_chunk, self.n_tokens)) for a in range(0, self.n_tokens, row_chunk))
            self._plain.append(all(_is_lower_triangle(self.visible(a, b), first_row=a) for a, b in chunks))
        return self._plain[0]


def _is_lower_triangle(visible: Tensor, *, first_row: int) -> bool:
    return bool((visible == torch.ones_like(visible).tril(first_row)).all())


def _row_mask(
    *,
    mask_function: Callable[..., Any],
    q_length: int,
    attention_mask: Tensor | None = None,
    use_vmap: bool = False,
    device: torch.device | str = "cpu",
    **_options: Any,
) -> RowMask:
    """The mask function that transformers calls when a model builds its masks."""
    # Texts are padded on the right (see probe.py), where causality alone hides padding from real rows. The probe
    # passes no padding mask; some families (BART) then make one of ones.
    assert attention_mask is None or bool(attention_mask.all())
    rule = {"mask_function": mask_function, "batch_size": 1, "use_vmap": use_vmap, "device": device}
    return RowMask(rule, q_length)


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: object, **options: Any
) -> tuple[Tensor, None]:
    """The attention function that transformers calls in every layer."""
    return _WATCHER.get().attend(module, query, key, value, attention_mask, **options), None


@functools.cache
def _register() -> None:
    AttentionInterface.register(IMPLEMENTATION, _attend)
    AttentionMaskInterface.register(IMPLEMENTATION, _row_mask)


def uses_interface(model: PreTrainedModel) -> bool:
    """Whether every part of the model that holds attention calls transformers' attention interface."""
    return all(part._can_set_attn_implementation() for part in _parts(model))


@contextmanager
def implementation(model: nn.Module, name: str) -> Iterator[None]:
    """Switch a live model to attention implementation `name`, and back, whatever happens in between.

    The configs are switched directly: `set_attn_implementation` would refuse classes that do switch at run time
    (Falcon), and going back through it would repeat checks that a loaded model has passed.
    """
    configs = {id(part.config): part.config for part in _parts(model)}.values()
    before = [(config, config._attn_implementation_internal) for config in configs]
    try:
        for config in configs:
            config._attn_implementation_internal = name
            assert config._attn_implementation == name
        yield
    finally:
        for config, implementation_before in before:
            config._attn_implementation_internal = implementation_before


@contextmanager
def watching_layers(watcher: LayerWatcher) -> Iterator[None]:
    """Make `watcher` compute the attention of every layer that runs under our implementation."""
    _register()
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def eager_attention(module: nn.Module) -> EagerAttention:
    """The model's own eager attention, with its soft-capping, sinks and biases.

    Raises:
        ModelError: the model's source has none under the name that transformers gives it.
    """
    source = sys.modules[type(module).__module__]
    eager = getattr(source, "eager_attention_forward", None)
    if eager is None:
        raise ModelError(
            f"{type(module).__name__} has no eager attention of its own ({source.__name__}); elusive cannot see into it"
        )
    return eager  # type: ignore[no-any-return]


def _parts(model: nn.Module) -> list[PreTrainedModel]:
    return [part for part in model.modules() if isinstance(part, PreTrainedModel)]
