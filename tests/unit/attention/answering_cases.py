"""The values of every family's layers, caught at the projection that makes them and cut by this file's own rules.

They are what the oracle weighs attention by; the code under test takes them elsewhere (at the attention function, or
by the layers' own methods).
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

import torch
from comparison import Loaded
from torch import Tensor, nn
from transformers import PreTrainedModel

from elusive.attention import oracle

Cut = Callable[[Tensor], Tensor]


def last_third(heads: int) -> Cut:
    return lambda out: out[..., -out.shape[-1] // 3 :].unflatten(-1, (heads, -1))


def in_heads(width: int) -> Cut:
    return lambda out: out.unflatten(-1, (-1, width))


# [token, projection] to [token, kvhead, width]; the models of families.py have 4 heads, of width 16.
CUTS: dict[str, tuple[str, Cut]] = {
    "gpt2": ("c_attn", last_third(4)),
    "gpt_neox": ("query_key_value", lambda out: out.unflatten(-1, (4, 3, 16))[..., 2, :]),
    "phi3": ("qkv_proj", lambda out: out[..., -32:].unflatten(-1, (2, 16))),
    "deepseek_v3": ("kv_b_proj", lambda out: out.reshape(-1, 4, 24)[..., 8:]),
    "falcon": ("query_key_value", lambda out: out[..., None, -16:]),
    "falcon_alibi": ("query_key_value", lambda out: out[..., None, -16:]),
    "falcon_new": ("query_key_value", lambda out: out.unflatten(-1, (2, 4, 16))[..., 3, :]),
    "bloom": ("query_key_value", lambda out: out.unflatten(-1, (4, 3, 16))[..., 2, :]),
    "mpt": ("Wqkv", last_third(4)),
    "t5": ("EncDecAttention.v", in_heads(16)),
    "bart": ("encoder_attn.v_proj", in_heads(16)),
}


Values = list[list[list[list[float]]]]  # [layer][kvhead][token][width]


@torch.no_grad()
def values(model: PreTrainedModel, family: str, run: Callable[[], object]) -> Values:
    """The values of a pass over one text."""
    projection, cut = CUTS.get(family, ("v_proj", in_heads(16)))
    seen: list[Tensor] = []

    def see(_module: nn.Module, _args: object, out: Tensor) -> None:
        seen.append(cut(out[0]).transpose(0, 1))

    with ExitStack() as stack:
        for name, part in model.named_modules():
            if name.endswith("." + projection):
                stack.callback(part.register_forward_hook(see).remove)
        run()
    return torch.stack(seen).tolist()


def values_of_text(loaded: Loaded, ids: Sequence[int]) -> Values:
    return values(loaded.eager, loaded.name, lambda: loaded.eager(torch.tensor([list(ids)]), use_cache=False))


def expected(loaded: Loaded, ids: Sequence[int], rows: Sequence[int], weighed_by: Values | None = None) -> Tensor:
    """[layer, head, token] by definition."""
    scores = oracle.answering_by_definition(loaded.attention(tuple(ids)), weighed_by, rows=rows)
    return torch.tensor(scores, dtype=torch.float64)
