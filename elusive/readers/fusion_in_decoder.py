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
from elusive.readers.fitting import Fitted, fitted
from elusive.readers.generation import generated_from, with_own_answers
from elusive.readers.likelihood import AnswerLikelihood, Given, likelihood_of, loss_of
from elusive.readers.limits import check_positions, input_limit, n_learnt_positions
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
from elusive.types import Bool, Float, Int, Tensor

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
        OptionError: a chat template, or more tokens than the model has positions.
    """

    def __init__(
        self, model: nn.Module, tokenizer: "PreTrainedTokenizerFast", *, options: ReaderOptions | None = None
    ) -> None:
        self._model, self._inner = model, pretrained(model)
        self._options = options or ReaderOptions()
        if self._options.chat:
            raise OptionError(f"{self.name} is an encoder-decoder model; the option chat is for decoder-only readers")
        self._template = self._options.template or FUSION_TEMPLATE
        self._limit = input_limit(self._inner, asked=self._options.max_tokens, usual=_INPUT_LEN)
        self.tokenizer = PromptTokenizer(tokenizer, name=self.name)

    @property
    def model(self) -> nn.Module:
        """The model as it was given."""
        return self._model

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
            targets = [self._target(question) for question in batch]
            examples = [self._example(question) for question in batch]
            encoded = self._seen(examples)
            with watched(self._model, options) as probe:
                seen = probe(
                    self._decoder_ids(targets),
                    [rows_of(1, len(target), rows=options.rows) for target in targets],
                    encoded=encoded,
                )
            found += [
                reader_scores_of(
                    seen,
                    row,
                    joined(example.inputs),
                    answer=answer_of(batch[row]),
                    answer_ids=targets[row],
                    n_cut=example.n_cut,
                    options=options,
                )
                for row, example in enumerate(examples)
            ]
        return found

    def answers(self, questions: Sequence[Question]) -> list[str]:
        """What the reader answers itself, greedily, up to the first line feed; see `Reader`."""
        check_positions(self._inner, "max_new_tokens", self._options.max_new_tokens)
        found: list[str] = []
        for batch in batches(questions, size=self._options.batch_size):
            encoded = self._seen([self._example(question) for question in batch])
            found += generated_from(
                self._model,
                self.tokenizer.tokenizer,
                states=encoded.states,
                real=encoded.real,
                max_new_tokens=self._options.max_new_tokens,
            )
        return found

    def likelihoods(self, given: Sequence[Given]) -> list[AnswerLikelihood]:
        """How likely each question's answer is, given some of its passages; see `Reader`."""
        found = []
        for batch in batches(given, size=self._options.batch_size):
            targets = [self._target(one.question) for one in batch]
            ids = on_input_device(self._inner, self._decoder_ids(targets))
            with evaluating(self._model), torch.no_grad():
                logits = self._logits(ids, self._encode([self._example(one.asked) for one in batch]))
            found += [
                likelihood_of(logits[row], ids[row].to(logits.device), slice(1, 1 + len(target)))
                for row, target in enumerate(targets)
            ]
        return found

    def training_loss(self, questions: Sequence[Question]) -> Float[Tensor, ""]:
        """How unlikely the target answers are, to be trained on; see `Reader`."""
        end = self.tokenizer.end
        targets = [np.concatenate([self._target(question, n_more=len(end)), end]) for question in questions]
        ids = on_input_device(self._inner, self._decoder_ids(targets))
        logits = self._logits(ids, self._encode([self._example(question) for question in questions]))
        return loss_of(logits, ids, [slice(1, 1 + len(target)) for target in targets])

    def _logits(self, ids: Int[Tensor, "batch token"], encoded: Encoded) -> Float[Tensor, "batch token vocabulary"]:
        from transformers.modeling_outputs import BaseModelOutput

        logits: Tensor = self._inner(
            encoder_outputs=BaseModelOutput(encoded.states),
            attention_mask=encoded.real.long(),
            decoder_input_ids=ids,
            use_cache=False,
        ).logits
        return logits

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

    def _seen(self, examples: Sequence[_Example]) -> Encoded:
        """As `_encode`, without gradient and dropout."""
        with evaluating(self._model), torch.no_grad():
            return self._encode(examples)

    def _encode(self, examples: Sequence[_Example]) -> Encoded:
        """The encoder's states of each example's inputs, one after the other and without their padding.

        What several examples hold, as when passages are left out in turn, is encoded once.
        """
        inputs = {tokens.ids.tobytes(): tokens.ids for example in examples for tokens in example.inputs}
        ids = on_input_device(self._inner, stacked(list(inputs.values())))
        lengths = [len(one) for one in inputs.values()]
        real = _first(lengths, width=ids.shape[1], device=ids.device)
        states = self._inner.get_encoder()(input_ids=ids, attention_mask=real.long()).last_hidden_state
        encoded = dict(zip(inputs, states[real].split(lengths), strict=True))
        joint = [torch.cat([encoded[tokens.ids.tobytes()] for tokens in example.inputs]) for example in examples]
        padded = nn.utils.rnn.pad_sequence(joint, batch_first=True)
        return Encoded(padded, _first([len(one) for one in joint], width=padded.shape[1], device=ids.device))

    def _target(self, question: Question, *, n_more: int = 0) -> NDArray[np.int64]:
        """The answer's tokens, after which there is room for `n_more`."""
        prompt = Prompt()
        prompt.add_target(self._template, answer=answer_of(question))
        target = self.tokenizer.tokens(prompt).ids
        n_positions = n_learnt_positions(self._inner)
        if n_positions is not None and len(target) + n_more >= n_positions:
            raise InputError(
                f"question {question.id!r}: its answer is {len(target)} tokens, and {self.name} has learnt "
                f"{n_positions} positions, of which {1 + n_more} are for what begins and ends an answer"
            )
        return target

    def _decoder_ids(self, targets: Sequence[NDArray[np.int64]]) -> Int[Tensor, "row token"]:
        start = self._start()
        return stacked([np.array([start, *target]) for target in targets])

    def _start(self) -> int:
        """What an answer begins after, as `generate` looks for it."""
        config, generation = self._inner.config, self._inner.generation_config
        starts = (
            getattr(config, "decoder_start_token_id", None),
            generation.decoder_start_token_id,
            generation.bos_token_id,
        )
        start = next((start for start in starts if start is not None), None)
        if start is None:
            raise ModelError(f"{self.name}: its config names no decoder_start_token_id to begin an answer with")
        return int(start)


def _first(lengths: Sequence[int], *, width: int, device: torch.device) -> Bool[Tensor, "row token"]:
    """The first so many tokens of each row."""
    return torch.arange(width, device=device) < torch.tensor(lengths, device=device)[:, None]
