"""Models of transformers' attention interface: our implementations beside `sdpa` and `eager`, and our masks.

They are registered once, at first use; what they do is decided by the `LayerWatcher` active in a ContextVar, so
nothing happens to models that nobody watches. The mask function of `IMPLEMENTATION` returns a `RowMask`, the *rule* of
the mask instead of its n × n table: rows are written out a chunk at a time, so that memory grows with the length of a
text and not with its square. That of `BESIDE_ORDINARY` returns the mask of the implementation which the model was
loaded with as well, for layers that run by it and are only looked at.
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
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from elusive.errors import ModelError
from elusive.types import Bool, Tensor

IMPLEMENTATION = "elusive_received"
BESIDE_ORDINARY = "elusive_answering"

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
_ORDINARY: ContextVar[str] = ContextVar("elusive_ordinary_implementation")


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
            raise ModelError(f"{model} attends in both directions; elusive needs a causal (decoder-only) model")

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


@dataclass(frozen=True, eq=False)
class MaskBesideOrdinary:
    """A layer's mask twice over: `ordinary`, as its own implementation has it, and the rule behind it."""

    ordinary: Any
    rows: RowMask


def _mask_beside_ordinary(**given: Any) -> MaskBesideOrdinary:
    """The mask function that transformers calls when a model builds its masks, under `BESIDE_ORDINARY`."""
    padding = given.get("attention_mask")
    rule: dict[str, Any] = {name: given[name] for name in ("mask_function", "use_vmap", "device")}
    rule |= {"batch_size": 1 if padding is None else given["batch_size"], "attention_mask": padding}
    ordinary = ALL_MASK_ATTENTION_FUNCTIONS[_ORDINARY.get()](**given)
    return MaskBesideOrdinary(ordinary, RowMask(rule, given["q_length"]))


def ordinary_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: MaskBesideOrdinary, **options: Any
) -> Tensor:
    """A layer's output, [batch, query, head, width], by the implementation which the model was loaded with."""
    attend = ALL_ATTENTION_FUNCTIONS.get(_ORDINARY.get()) or eager_attention(module)
    out: Tensor = attend(module, query, key, value, mask.ordinary, **options)[0]
    return out


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: object, **options: Any
) -> tuple[Tensor, None]:
    """The attention function that transformers calls in every layer."""
    return _WATCHER.get().attend(module, query, key, value, attention_mask, **options), None


@functools.cache
def _register() -> None:
    AttentionInterface.register(IMPLEMENTATION, _attend)
    AttentionMaskInterface.register(IMPLEMENTATION, _row_mask)
    AttentionInterface.register(BESIDE_ORDINARY, _attend)
    AttentionMaskInterface.register(BESIDE_ORDINARY, _mask_beside_ordinary)


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
def watching_layers(watcher: LayerWatcher, *, ordinary: str = "sdpa") -> Iterator[None]:
    """Make `watcher` compute the attention of every layer that runs under one of our implementations.

    Args:
        watcher: told of every layer.
        ordinary: what `ordinary_attention` runs a layer by; a name that transformers knows.
    """
    _register()
    tokens = _WATCHER.set(watcher), _ORDINARY.set(ordinary)
    try:
        yield
    finally:
        _WATCHER.reset(tokens[0])
        _ORDINARY.reset(tokens[1])


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
