"""The tokens of a whole prompt, and the passage that each belongs to by its offsets; never of pieces tokenised apart.

A token belongs to a passage if it shares a character with its title or text, to the first of two that it shares one
with.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray

from elusive.errors import InputError, ModelError
from elusive.readers.prompts import CharSpan, Prompt
from elusive.tokenization import TextTokenizer
from elusive.types import Int, Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Ints = NDArray[np.int64]
_SENTINEL: Final = "\ue000elusive\ue001"  # private use: no template holds it, and none trims it


@dataclass(frozen=True, eq=False, kw_only=True)
class PromptTokens:
    """A prompt's tokens; of a reader that reads each passage apart, those of all its inputs, one after the other.

    Attributes:
        text: what `starts` and `ends` count in, in code points.
        ids: token ids, [token].
        starts: first code point of each token, [token].
        ends: one past its last; equal to its start where a token stands for no character (BOS, EOS).
        passage: which passage each token belongs to, by the order in which they were given; -1 is none.
        input: the passage whose encoder input each token is in; `passage` itself where all are read in one prompt.
        question_start: the first code point of the question.
    """

    text: str
    ids: Ints
    starts: Ints
    ends: Ints
    passage: Ints
    input: Ints
    question_start: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def pieces(self) -> list[str]:
        """The characters of each token."""
        return [self.text[a:b] for a, b in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]

    def numbered(self, number: int) -> "PromptTokens":
        """The same as the encoder input of passage `number`."""
        return replace(self, passage=np.where(self.passage < 0, -1, number), input=np.full_like(self.input, number))

    def touching(self, span: CharSpan) -> Ints:
        """The tokens that share a character with a span."""
        return np.flatnonzero((self.starts < span[1]) & (self.ends > span[0]) & (self.starts < self.ends))


def joined(inputs: Sequence[PromptTokens]) -> PromptTokens:
    """The inputs of one example as one, a line feed between their texts."""
    shifts = np.cumsum([0, *[len(tokens.text) + 1 for tokens in inputs]])[:-1]
    shifted = [replace(t, starts=t.starts + by, ends=t.ends + by) for t, by in zip(inputs, shifts, strict=True)]
    arrays = {
        name: np.concatenate([getattr(t, name) for t in shifted])
        for name in ("ids", "starts", "ends", "passage", "input")
    }
    return PromptTokens(text="\n".join(t.text for t in inputs), question_start=inputs[0].question_start, **arrays)


class PromptTokenizer:
    """A reader's tokenizer; the one that is `given` is left as it is.

    Args:
        tokenizer: a fast tokenizer of transformers.
        name: the model's name, for messages.

    Raises:
        ModelError: it gives no offsets.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", *, name: str) -> None:
        from tokenizers.processors import Sequence as Processors

        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"{name}: its tokenizer ({type(tokenizer).__name__}) gives no character offsets; elusive needs a fast "
                "tokenizer (a tokenizer.json beside the model)"
            )
        self.name = name
        self.given = tokenizer
        self.tokenizer = copy.deepcopy(tokenizer)
        # It adds special tokens, which are put where they belong here, and may trim white space off the offsets.
        self.tokenizer.backend_tokenizer.post_processor = Processors([])
        self.first_id = TextTokenizer(self.tokenizer, name=name).first_id

    @property
    def end(self) -> Ints:
        """What a reader writes after an answer: EOS, or nothing where there is none."""
        end = self.tokenizer.eos_token_id
        return np.array([] if end is None else [end], dtype=np.int64)

    def tokens(self, prompt: Prompt, *, first: int | None = None, last: int | None = None) -> PromptTokens:
        """Tokenise a whole prompt.

        Args:
            prompt: the prompt; where it has a chat template's frame, that one's special tokens are special.
            first: a special token to put before it.
            last: one to put after it.

        Raises:
            InputError: a passage, question or answer that holds a special token of a chat template in so many words.
            ModelError: offsets that are empty: a passage's tokens could not be told.
        """
        if prompt.framed:
            self._check_no_markup(prompt)
        encoded = self.tokenizer(
            prompt.text,
            add_special_tokens=False,
            split_special_tokens=not prompt.framed,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        spans = np.array(encoded["offset_mapping"], np.int64).reshape(-1, 2)
        # A dummy prefix (SentencePiece's "▁" before a text that begins with no space) stands for no character.
        if (spans[1:, 1] <= spans[1:, 0]).any():
            raise ModelError(
                f"the tokenizer of {self.name} gives empty offsets, so a passage's tokens cannot be told; "
                "update the tokenizers package or use another tokenizer"
            )
        end = len(prompt.text)
        before, after = ([] if special is None else [special] for special in (first, last))
        spans = np.concatenate([np.zeros((len(before), 2), np.int64), spans, np.full((len(after), 2), end)])
        ids = np.array([*before, *encoded["input_ids"], *after], np.int64)
        return _with_passages(prompt, ids, spans)

    def frame(self) -> tuple[str, str]:
        """What the tokenizer's chat template puts before and after a user's message.

        Raises:
            ModelError: it has no chat template, or one that does not keep the message as it is.
        """
        if not self.tokenizer.chat_template:
            raise ModelError(f"the tokenizer of {self.name} has no chat template; leave out the option chat")
        message = [{"role": "user", "content": _SENTINEL}]
        rendered = self.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        parts = rendered.split(_SENTINEL)
        if len(parts) != 2:
            raise ModelError(f"the chat template of {self.name} does not hold a user's message once, as it is")
        return parts[0], parts[1]

    def _check_no_markup(self, prompt: Prompt) -> None:
        special = [str(token) for token in self.tokenizer.added_tokens_decoder.values() if token.special]
        for start, stop in prompt.content():
            held = next((token for token in special if token in prompt.text[start:stop]), None)
            if held is not None:
                raise InputError(
                    f"a passage, question or answer holds {held!r}, which is a special token of {self.name}'s chat "
                    "template; take it out, or leave out the option chat"
                )


def _with_passages(prompt: Prompt, ids: Ints, spans: Ints) -> PromptTokens:
    """Tokens whose owners are yet unknown, and then known."""
    nobody = np.full(len(ids), -1, np.int64)
    tokens = PromptTokens(
        text=prompt.text,
        ids=ids,
        starts=spans[:, 0],
        ends=spans[:, 1],
        passage=nobody,
        input=nobody,
        question_start=prompt.question[0],
    )
    passage = nobody.copy()
    for number, places in prompt.passages.items():
        for place in places:
            touched = tokens.touching(place)
            passage[touched[passage[touched] < 0]] = number
    return replace(tokens, passage=passage, input=passage)


def stacked(rows: Sequence[Ints]) -> Int[Tensor, "row token"]:
    """Token ids of unlike lengths, padded on the right with 0."""
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(ids) for ids in rows], batch_first=True)
