"""A fusion-in-decoder reader: each passage encoded apart with the question, the decoder reads all of them at once.

Token scores are those of the decoder's cross-attention. Encoder inputs end with EOS, as the encoders were trained.
Passages come in no order here, so shuffling them changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elusive.attention.answering import Encoded
from elusive.attention.live import evaluating, name_of, on_input_device, pretrained
from elusive.data.questions import Passage, Question
from elusive.errors import InputError, ModelError, OptionError
from elusive.models import context_len
from elusive.readers.fitting import Fitted, fitted
from elusive.readers.generation import generated_from, with_own_answers
from elusive.readers.prompts import Prompt, Template, encoder_input
from elusive.readers.reader import (
    ReaderOptions,
    ReaderScores,
    answer_of,
    batches,
    reader_scores_of,
    rows_of,
    watched,
)
from elusive.readers.tokens import PromptTokenizer, PromptTokens, joined, stacked
from elusive.types import Float, Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FUSION_TEMPLATE: Final = Template(
    passage="question: {question} title: {title} context: {text}",
    untitled="question: {question} context: {text}",
    question="",
    target="{answer}",
)
"""One input of an encoder that reads each passage apart, in the words of FiD and Atlas."""

_INPUT_LEN: Final = 512
"""Tokens per encoder input where nothing is said: T5's were trained with as many."""


@dataclass(frozen=True, eq=False)
class _Example:
    """All encoder inputs of one question."""

    inputs: list[PromptTokens]
    n_cut: tuple[int, ...]


class FusionInDecoderReader:
    """An encoder-decoder LM of transformers (T5, BART) as a `Reader`; live or not, it is afterwards as before.

    Args:
        model: with its head, also wrapped by peft.
        tokenizer: its tokenizer.
        options: how it is asked.

    Raises:
        ModelError: a tokenizer without offsets.
        OptionError: a chat template.
    """

    def __init__(
        self, model: nn.Module, tokenizer: "PreTrainedTokenizerFast", *, options: ReaderOptions | None = None
    ) -> None:
        self._model, self._inner = model, pretrained(model)
        self._options = options or ReaderOptions()
        if self._options.chat:
            raise OptionError(f"{self.name} is an encoder-decoder model; the option chat is for decoder-only readers")
        self._template = self._options.template or FUSION_TEMPLATE
        self._limit = self._options.max_tokens or min(_INPUT_LEN, context_len(self._inner.config))
        self.tokenizer = PromptTokenizer(tokenizer, name=self.name)

    @cached_property
    def name(self) -> str:
        """The model's class and, where known, its path."""
        return name_of(self._inner)

    @property
    def embedding(self) -> Float[Tensor, "vocabulary width"]:
        """The model's input embedding."""
        weight: Tensor = self._inner.get_input_embeddings().weight
        return weight

    def scores(self, questions: Sequence[Question]) -> list[ReaderScores]:
        """What the reader attends to while it emits each question's answer; see `Reader`."""
        options = self._options
        if options.rows == "generated":
            questions = with_own_answers(questions, self.answers(questions))
        found = []
        for batch in batches(questions, size=options.batch_size):
            answers = [answer_of(question) for question in batch]
            targets = [self._target(answer) for answer in answers]
            examples = [self._example(question) for question in batch]
            encoded = self._encode(examples)
            with watched(self._model, options) as probe:
                seen = probe(
                    stacked([np.array([self._start(), *target]) for target in targets]),
                    [rows_of(1, len(target), rows=options.rows) for target in targets],
                    encoded=encoded,
                )
            found += [
                reader_scores_of(
                    seen,
                    row,
                    joined(example.inputs),
                    answer=answers[row],
                    answer_ids=targets[row],
                    n_cut=example.n_cut,
                    options=options,
                )
                for row, example in enumerate(examples)
            ]
        return found

    def answers(self, questions: Sequence[Question]) -> list[str]:
        """What the reader answers itself, greedily, up to the first line feed; see `Reader`."""
        found: list[str] = []
        for batch in batches(questions, size=self._options.batch_size):
            encoded = self._encode([self._example(question) for question in batch])
            found += generated_from(
                self._model,
                self.tokenizer.tokenizer,
                states=encoded.states,
                real=encoded.real,
                max_new_tokens=self._options.max_new_tokens,
            )
        return found

    def _example(self, question: Question) -> _Example:
        if not question.passages:
            raise InputError(f"question {question.id!r} has no passages; expected at least one")
        parts = [self._input(question.question, passage) for passage in question.passages]
        inputs = [part.tokens.numbered(number) for number, part in enumerate(parts)]
        return _Example(inputs, tuple(part.n_cut[0] for part in parts))

    def _input(self, question: str, passage: Passage) -> Fitted:
        return fitted(
            [passage],
            lambda passages: encoder_input(passages[0], question=question, template=self._template),
            lambda prompt: self.tokenizer.tokens(prompt, last=self.tokenizer.tokenizer.eos_token_id),
            limit=self._limit,
        )

    @torch.no_grad()
    def _encode(self, examples: Sequence[_Example]) -> Encoded:
        """The encoder's states of each example's inputs, one after the other and without their padding."""
        inputs = [tokens.ids for example in examples for tokens in example.inputs]
        ids = on_input_device(self._inner, stacked(inputs))
        lengths = torch.tensor([len(ids) for ids in inputs], device=ids.device)
        real = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        with evaluating(self._model):
            states = self._inner.get_encoder()(input_ids=ids, attention_mask=real.long()).last_hidden_state
        sizes = [sum(map(len, example.inputs)) for example in examples]
        padded = nn.utils.rnn.pad_sequence(states[real].split(sizes), batch_first=True)
        is_real = torch.arange(padded.shape[1], device=ids.device) < torch.tensor(sizes, device=ids.device)[:, None]
        return Encoded(padded, is_real)

    def _target(self, answer: str) -> NDArray[np.int64]:
        prompt = Prompt()
        prompt.add_target(self._template, answer=answer)
        return self.tokenizer.tokens(prompt).ids

    def _start(self) -> int:
        start = self._inner.config.decoder_start_token_id
        if start is None:
            raise ModelError(f"{self.name}: its config names no decoder_start_token_id to begin an answer with")
        return int(start)
