"""From a text to tokens with character offsets, the same way for every model.

A text is tokenised without special tokens, and a literal "<s>" in it is text. Offsets are in code points of the text
as it was given. Tokenizers that have none, or that give empty ones where characters are, are refused: a drop that
removes nothing would pass unnoticed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elusive.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, eq=False)
class TokenizedText:
    """One text's tokens.

    Attributes:
        ids: token ids, [token].
        starts: first code point of each token.
        ends: one past its last; equal to its start only for a dummy prefix that stands for no character.
    """

    ids: NDArray[np.int64]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    def pieces(self, text: str) -> list[str]:
        """The characters of each token."""
        return [text[a:b] for a, b in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]


class TextTokenizer:
    """A model's tokenizer, as the scoring and the dropout need it.

    Args:
        tokenizer: a fast tokenizer of transformers.
        name: the model's name, for messages.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", *, name: str) -> None:
        self._tokenizer = tokenizer
        self.name = name
        self.first_id = self._first_id()

    @cached_property
    def fingerprint(self) -> str:
        """Names what the tokenizer does to a text, whatever its chat template, padding or truncation say."""
        state = json.loads(self._tokenizer.backend_tokenizer.to_str())
        kept = {part: state[part] for part in state if part not in ("padding", "truncation", "post_processor")}
        text = json.dumps([kept, self.first_id], sort_keys=True)
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def encode(self, texts: Sequence[str], *, names: Sequence[str]) -> list[TokenizedText]:
        """Tokenise texts.

        Args:
            texts: at least one character each.
            names: the texts' ids, for messages.

        Raises:
            ModelError: offsets that are empty, or outside the text.
        """
        if not texts:
            return []
        encoded = self._tokenizer(
            list(texts),
            add_special_tokens=False,
            split_special_tokens=True,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        return [
            self._checked(ids, offsets, text, text_id)
            for ids, offsets, text, text_id in zip(
                encoded["input_ids"], encoded["offset_mapping"], texts, names, strict=True
            )
        ]

    def _checked(self, ids: list[int], offsets: list[tuple[int, int]], text: str, text_id: str) -> TokenizedText:
        spans = np.asarray(offsets, dtype=np.int32).reshape(-1, 2)
        starts, ends = spans[:, 0], spans[:, 1]
        # A dummy prefix (SentencePiece's "▁" before a text that begins with no space) stands for no character.
        empty = np.flatnonzero(ends[1:] <= starts[1:]) + 1
        if len(empty):
            at = int(empty[0])
            raise ModelError(
                f"the tokenizer of {self.name} gives token {at} of text {text_id!r} the empty offsets "
                f"{tuple(spans[at].tolist())}: nothing could be dropped; update the tokenizers package or "
                "use another tokenizer"
            )
        if len(spans) and (starts.min() < 0 or ends.max() > len(text)):
            raise ModelError(f"the tokenizer of {self.name} gives offsets outside text {text_id!r}")
        return TokenizedText(np.asarray(ids, dtype=np.int64), starts, _with_stray_characters(starts, ends, text))

    @property
    def bos_id(self) -> int | None:
        """The token that begins a text; None where there is none."""
        return _id(self._tokenizer.bos_token_id)

    @property
    def eos_id(self) -> int | None:
        """The token that ends a text; None where there is none."""
        return _id(self._tokenizer.eos_token_id)

    @property
    def newline_id(self) -> int | None:
        """The (last) token of a line break; None where the tokenizer drops it."""
        newline = self._tokenizer("\n", add_special_tokens=False)["input_ids"]
        return _id(newline[-1]) if newline else None

    @cached_property
    def chat_start_id(self) -> int | None:
        """The token that the chat template begins with; None where there is no usable template."""
        if not self._tokenizer.chat_template:
            return None
        message = [{"role": "user", "content": "x"}]
        try:
            framed = self._tokenizer.apply_chat_template(message, tokenize=False)
        except Exception:  # noqa: BLE001  (a template is a program, and may fail in any way)
            return None
        ids = self._tokenizer(str(framed), add_special_tokens=False)["input_ids"]
        return _id(ids[0]) if ids else None

    def token_of(self, token_id: int) -> str:
        """How the vocabulary writes a token."""
        return str(self._tokenizer.convert_ids_to_tokens(token_id))

    def _first_id(self) -> int:
        """BOS, else EOS, else a newline: decoders put much of their attention on the first token, whatever it is."""
        special = self.bos_id if self.bos_id is not None else self.eos_id
        first = special if special is not None else self.newline_id
        if first is not None:
            return first
        raise ModelError(f"the tokenizer of {self.name} has neither BOS, EOS nor a newline to put before a text")


def _id(token_id: object) -> int | None:
    return None if token_id is None else int(str(token_id))


def _with_stray_characters(starts: NDArray[np.int32], ends: NDArray[np.int32], text: str) -> NDArray[np.int32]:
    """The ends of tokens, moved over what follows and belongs to no token, white space aside.

    A normaliser that composes characters (NFC) gives a token the base alone, and its accent to nobody; what drops
    the letter must drop the accent.
    """
    covered = np.zeros(len(text) + 1, dtype=np.int64)
    np.add.at(covered, starts, 1)
    np.add.at(covered, ends, -1)
    stray = [i for i in np.flatnonzero(np.cumsum(covered[:-1]) == 0).tolist() if not text[i].isspace()]
    if not stray:
        return ends
    end_of_run = np.arange(len(text) + 1, dtype=ends.dtype)
    for i in reversed(stray):
        end_of_run[i] = end_of_run[i + 1]
    return end_of_run[ends]
