"""How a score is compared with its definition; the tests and the mutants that must fail them share it."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from families import Family
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from elusive.attention import oracle

TOLERANCE = 1e-6
"""In attention weight, fp32; ten times stricter than what is promised, for a score is often below 1/100."""
VISIBLE = 1e-4
"""What a wrong reduction must differ by at least, so that no such mistake hides below the tolerance."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model as users load it, and the same weights with eager attention for the oracle."""

    name: str
    family: Family
    folder: Path
    model: PreTrainedModel

    @functools.cached_property
    def eager(self) -> PreTrainedModel:
        """The oracle's copy."""
        return AutoModelForCausalLM.from_pretrained(self.folder, attn_implementation="eager").eval()

    @functools.cached_property
    def n_layers(self) -> int:
        """As many as show their attention, whatever the family's config calls them."""
        return len(self.attention((0, 3)))

    @functools.cache  # noqa: B019  (as long-lived as the session's models)
    def attention(self, ids: tuple[int, ...]) -> Tensor:
        """All attention matrices of one text."""
        return oracle.attention_matrices(self.eager, ids)

    @functools.cache  # noqa: B019
    def expected(
        self,
        ids: tuple[int, ...],
        *,
        special: frozenset[int] = frozenset({0}),
        layers: tuple[int, ...] | None = None,
        heads: tuple[int, ...] | None = None,
        renormalise: bool = False,
    ) -> Tensor:
        """The score by definition; `special` are positions."""
        chosen = list(range(self.n_layers) if layers is None else layers)
        masks = self.family.can_see(self.n_layers, len(ids))
        received = oracle.received_by_definition(
            self.attention(ids)[chosen],
            counted=[i not in special for i in range(len(ids))],
            can_see=[masks[layer] for layer in chosen],
            heads=heads,
            renormalise=renormalise,
        )
        received = [float("nan") if i in special else r for i, r in enumerate(received)]
        return torch.tensor(received, dtype=torch.float64)


def load(name: str, family: Family, folder: Path) -> Loaded:
    """The model in `folder`, without naming an attention implementation."""
    return Loaded(name, family, folder, AutoModelForCausalLM.from_pretrained(folder).eval())


def difference(received: Tensor, expected: Tensor | Sequence[float]) -> float:
    """The largest difference of two texts' scores; infinite where only one of them is undefined."""
    expected = torch.as_tensor(expected, dtype=torch.float64)
    if received.shape != expected.shape or not torch.equal(received.isnan(), expected.isnan()):
        return float("inf")
    return max((received.double() - expected).abs().nan_to_num(0.0).flatten().tolist(), default=0.0)


def padded(*texts: Sequence[int], side: str, pad: int) -> tuple[Tensor, Tensor, list[slice]]:
    """Texts of unlike lengths as a batch: ids, attention mask, and where each text lies in its row."""
    longest = max(map(len, texts))
    ids = torch.full((len(texts), longest), pad)
    mask = torch.zeros(len(texts), longest, dtype=torch.long)
    places = []
    for row, tokens in enumerate(texts):
        start = longest - len(tokens) if side == "left" else 0
        places.append(slice(start, start + len(tokens)))
        ids[row, places[-1]] = torch.tensor(tokens)
        mask[row, places[-1]] = 1
    return ids, mask, places
