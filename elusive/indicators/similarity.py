"""How near the tokens of a context are to those of a target: cosines of a reader's own input embeddings.

Knows ids and one matrix, no tokenizer. Equal ids are embedded once, so that they are exactly equally near whatever
order a matrix product sums in. Holds the rows of a few thousand different tokens at a time, never the vocabulary.
"""

from typing import Final

import torch
from torch.nn.functional import normalize

from elusive.errors import OptionError
from elusive.types import Float, Int, Tensor

_NUMBERS_AT_ONCE: Final = 2**23
"""Of rows and cosines, 8 bytes each."""


def similarity(
    embedding: Float[Tensor, "vocab width"], context_ids: Int[Tensor, " token"], target_ids: Int[Tensor, " target"]
) -> Float[Tensor, " token"]:
    """sim(t, X) = max over x in X of cosine(E[t], E[x]).

    A token that is in the target itself has exactly 1; a zero vector has no direction, and 0.

    Args:
        embedding: E, the reader's input embedding; rows are taken to float64.
        context_ids: tokens of the passages.
        target_ids: X, tokens of the answer or of the question's nouns; one at least.

    Returns:
        float64, on the CPU, where it is computed: a GPU gains nothing on so few numbers, and not each has float64.

    Raises:
        OptionError: a target without tokens.
    """
    if not len(target_ids):
        raise OptionError("the target has no tokens; nothing is near to it")
    with torch.no_grad():
        ids, places = context_ids.cpu().unique(return_inverse=True)
        targets = target_ids.cpu().unique()
        directions = _directions(embedding, targets)
        rows = max(1, _NUMBERS_AT_ONCE // (embedding.shape[1] + len(targets)))
        nearest = [(_directions(embedding, part) @ directions.T).amax(dim=1) for part in ids.split(rows)]
        near = torch.cat(nearest).clamp(-1, 1)
        # Rounding must not rank the target's own tokens among themselves; a zero vector stays at 0.
        own = torch.isin(ids, targets) & (near > 0.5)
        return torch.where(own, 1.0, near)[places]


def _directions(embedding: Float[Tensor, "vocab width"], ids: Int[Tensor, " id"]) -> Float[Tensor, "id width"]:
    return normalize(embedding[ids.to(embedding.device)].cpu().double(), dim=1, eps=torch.finfo(torch.float64).tiny)
