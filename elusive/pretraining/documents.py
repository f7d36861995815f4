"""Texts to the documents that are learnt: token ids as the tokenizer itself makes them, EOS at the end, nothing cut.

Special tokens that a text spells out are text. Costs what tokenising costs, in batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from elusive.clues.drops import Span
from elusive.pretraining.rows import Document

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_BATCH: Final = 1024
"""Texts that are tokenised together."""


@dataclass(frozen=True)
class DocumentTokenizer:
    """A tokenizer, and whether texts are to end with EOS.

    Attributes:
        tokenizer: with its own rules for special tokens, such as BOS.
        eos: end each text with EOS, if the tokenizer has one and does not do so itself.
    """

    tokenizer: "PreTrainedTokenizerFast"
    eos: bool = True

    @property
    def pad(self) -> int:
        """What pads; any token can, since padding is neither attended to nor learnt (Llama 3 has none of its own)."""
        return int(self.tokenizer.pad_token_id or 0)

    def documents(self, texts: Sequence[str], hidden: Sequence[Sequence[Span]] | None = None) -> Iterator[Document]:
        """The documents of some texts.

        Args:
            texts: as they are.
            hidden: of each text, the characters whose tokens are hidden; None where nothing is to be.
        """
        for start in range(0, len(texts), _BATCH):
            encoded = self._encoded(texts[start : start + _BATCH], offsets=hidden is not None)
            for number, ids in enumerate(encoded["input_ids"]):
                if hidden is None:
                    yield self._ended(ids, None)
                else:
                    spans = np.asarray(encoded["offset_mapping"][number], dtype=np.int64).reshape(-1, 2)
                    yield self._ended(ids, _within(spans, hidden[start + number], texts[start + number]))

    def _encoded(self, texts: Sequence[str], *, offsets: bool) -> Any:
        return self.tokenizer(
            list(texts),
            split_special_tokens=True,
            return_attention_mask=False,
            return_offsets_mapping=offsets,
            verbose=False,
        )

    def _ended(self, ids: Sequence[int], hidden: NDArray[np.bool_] | None) -> Document:
        end = self.tokenizer.eos_token_id
        array = np.asarray(ids, dtype=np.int32)
        if self.eos and end is not None and (not len(ids) or ids[-1] != end):
            array = np.append(array, np.int32(end))
            hidden = None if hidden is None else np.append(hidden, False)
        return Document(array, hidden)


def _within(tokens: NDArray[np.int64], spans: Sequence[Span], text: str) -> NDArray[np.bool_]:
    """Whether all characters of a token but white space lie in the spans, [token]; never of the first.

    The first is what all others can attend to, even where everything else is hidden.
    """
    counts = np.array([not character.isspace() for character in text], dtype=bool)
    dropped = np.zeros(len(text), dtype=bool)
    for start, end in spans:
        dropped[start:end] = True
    n_lost, n_kept = (np.append(0, np.cumsum(which & counts)) for which in (dropped, ~dropped))
    starts, ends = tokens.T
    inside: NDArray[np.bool_] = (n_lost[ends] > n_lost[starts]) & (n_kept[ends] == n_kept[starts])
    inside[:1] = False
    return inside
