"""Random token replacement: a regulariser that knows nothing of what a text says.

Each token of the input is replaced with probability P by one drawn uniformly from the vocabulary; what is learnt stays
the true token. Special tokens are neither replaced nor put in. A draw depends on the seed, the epoch, the row's number
and the token's place alone, not on processes, batches or resume. Costs some 10 µs a row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elusive.pretraining.rows import Row, Rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, eq=False)
class TokenReplacement:
    """How tokens are replaced.

    Attributes:
        probability: of each token.
        words: ids that may be put in, and that may be replaced, ascending, [word].
        seed: of all draws.
    """

    probability: float
    words: NDArray[np.int32]
    seed: int

    def replaced(self, rows: Rows, *, epoch: int) -> Rows:
        """The rows as an epoch reads them."""
        return Rows(self._rows(rows, epoch))

    def _rows(self, rows: Rows, epoch: int) -> Iterator[Row]:
        for number in range(len(rows)):
            row = rows[number]
            chance, choice = self._uniforms(number, epoch, len(row))
            is_replaced = (chance < self.probability) & np.isin(row.ids, self.words)
            drawn = self.words[(choice * len(self.words)).astype(np.intp)]
            yield replace(row, read=np.where(is_replaced, drawn, row.ids))

    def _uniforms(self, number: int, epoch: int, n: int) -> NDArray[np.float64]:
        """Two numbers for each token, [2, token]."""
        key = blake2b(f"replace-tokens\0{self.seed}\0{epoch}\0{number}".encode(), digest_size=16).digest()
        philox = np.random.Philox(key=int.from_bytes(key, "little"))
        return np.random.Generator(philox).random((n, 2)).T


def ordinary_ids(tokenizer: "PreTrainedTokenizerFast") -> NDArray[np.int32]:
    """The ids of all tokens that are not special, ascending, [word]."""
    added = (number for number, token in tokenizer.added_tokens_decoder.items() if token.special)
    special = {*tokenizer.all_special_ids, *added}
    return np.array(sorted(set(tokenizer.get_vocab().values()) - special), dtype=np.int32)
