"""Closed-book questions: prompts that fit a model, and what it writes after them, greedily, up to the line's end.

    Question: {a shot}
    Answer: {its answer}
    (a blank line)
    Question: {question}
    Answer:

Without shots this is the prompt of a reader without passages. Costs a forward pass over each prompt, and one for each
new token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from elusive.attention.live import evaluating, on_input_device, pretrained
from elusive.data.questions import Question
from elusive.errors import InputError, OptionError
from elusive.evaluation.shots import Shot
from elusive.readers.generation import generated, generated_from
from elusive.readers.limits import check_positions, input_limit
from elusive.readers.prompts import Prompt, Template
from elusive.readers.reader import Reader
from elusive.readers.tokens import stacked

_TEMPLATE: Final = Template()
_BETWEEN: Final = "\n\n"


def prompt_of(question: str, shots: Sequence[Shot]) -> Prompt:
    """A closed-book prompt, up to and including `Answer:`."""
    prompt = Prompt()
    for shot in shots:
        prompt.fill(_TEMPLATE.question, question=shot.question)
        prompt.fill(_TEMPLATE.target, answer=shot.answer)
        prompt.text += _BETWEEN
    prompt.add_question(_TEMPLATE, question=question)
    return prompt


@dataclass(frozen=True, eq=False)
class ClosedBook:
    """A model as it is asked without passages.

    Attributes:
        reader: the model, decoder-only or encoder-decoder.
        max_new_tokens: the most that it may write.

    Raises:
        OptionError: these leave no room for a prompt.
    """

    reader: Reader
    max_new_tokens: int

    def __post_init__(self) -> None:
        if self._is_encoder_decoder:
            check_positions(pretrained(self.reader.model), "max_new_tokens", self.max_new_tokens)
        if self._limit < 1:
            raise OptionError(f"max_new_tokens {self.max_new_tokens} leaves no room for a prompt in {self.reader.name}")

    def tokens(self, question: Question, shots: Sequence[Shot]) -> NDArray[np.int64]:
        """The tokens of a prompt, with what precedes or ends every text of the model.

        Raises:
            InputError: it does not fit; told with how many shots it would.
        """
        ids = self._ids(question, shots)
        if len(ids) <= self._limit:
            return ids
        fitting = next(
            (n for n in reversed(range(len(shots))) if len(self._ids(question, shots[:n])) <= self._limit), None
        )
        remedy = (
            "shorten the question, or ask another model"
            if fitting is None
            else f"{_n_shots(fitting)} {'fits' if fitting == 1 else 'fit'}; lower --shots"
        )
        raise InputError(
            f"question {question.id!r} is {len(ids)} tokens with {_n_shots(len(shots))}, and {self.reader.name} takes "
            f"{self._limit} beside {self.max_new_tokens} new ones; {remedy}"
        )

    def has_room_for(self, answers: Sequence[str]) -> bool:
        """Whether the new tokens suffice for one of some answers."""
        tokenizer = self.reader.tokenizer.tokenizer
        written = [start + answer for answer in answers for start in ("", " ")]
        ids = tokenizer(written, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
        return min(map(len, ids)) <= self.max_new_tokens

    def answers(self, prompts: Sequence[NDArray[np.int64]]) -> list[str]:
        """What the model writes after each prompt, in one batch."""
        model, tokenizer = self.reader.model, self.reader.tokenizer.tokenizer
        if not self._is_encoder_decoder:
            return generated(model, tokenizer, prompts=prompts, max_new_tokens=self.max_new_tokens)
        states, real = self._encoded(prompts)
        return generated_from(model, tokenizer, states=states, real=real, max_new_tokens=self.max_new_tokens)

    @torch.no_grad()
    def _encoded(self, prompts: Sequence[NDArray[np.int64]]) -> tuple[torch.Tensor, torch.Tensor]:
        inner = pretrained(self.reader.model)
        ids = on_input_device(inner, stacked(prompts))
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=ids.device)
        real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        with evaluating(self.reader.model):
            states = inner.get_encoder()(input_ids=ids, attention_mask=real.long()).last_hidden_state
        return states, real

    def _ids(self, question: Question, shots: Sequence[Shot]) -> NDArray[np.int64]:
        tokenizer = self.reader.tokenizer
        prompt = prompt_of(question.question, shots)
        if self._is_encoder_decoder:
            return tokenizer.tokens(prompt, last=tokenizer.tokenizer.eos_token_id).ids
        return tokenizer.tokens(prompt, first=tokenizer.first_id).ids

    @property
    def _is_encoder_decoder(self) -> bool:
        return bool(getattr(pretrained(self.reader.model).config, "is_encoder_decoder", False))

    @property
    def _limit(self) -> int:
        limit = input_limit(pretrained(self.reader.model), asked=None)
        return limit if self._is_encoder_decoder else limit - self.max_new_tokens


def longest_first(prompts: Sequence[NDArray[np.int64]]) -> list[int]:
    """The order in which prompts are answered: those of similar length share a batch.

    The longest come first, so that a batch that does not fit into memory fails at once.
    """
    return sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))


def _n_shots(n: int) -> str:
    return "1 shot" if n == 1 else f"{n} shots"
