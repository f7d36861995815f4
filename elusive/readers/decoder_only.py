"""A decoder-only reader: all passages in one prompt, then the question, then the answer.

The prompt is preceded by BOS, else EOS, else a line feed, because decoders put much of their attention on the first
token whatever it is, and it must not be a passage's. A chat template has a beginning of its own. The head is not
evaluated for scores.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elusive.attention.live import evaluating, name_of, on_input_device, pretrained
from elusive.data.questions import Question
from elusive.errors import OptionError
from elusive.readers.fitting import Fitted, fitted
from elusive.readers.generation import generated, with_own_answers
from elusive.readers.likelihood import AnswerLikelihood, Given, likelihood_of, loss_of
from elusive.readers.limits import input_limit
from elusive.readers.prompts import Prompt, Template, whole_prompt
from elusive.readers.reader import (
    ReaderOptions,
    ReaderScores,
    answer_of,
    batches,
    order_of,
    reader_scores_of,
    rows_of,
    watched,
)
from elusive.readers.tokens import PromptTokenizer, PromptTokens, stacked
from elusive.types import Float, Int, Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class DecoderOnlyReader:
    """A causal LM of transformers as a `Reader`; it may be live and in use, and is afterwards as before.

    Args:
        model: with its head, also wrapped by peft.
        tokenizer: its tokenizer.
        options: how it is asked.

    Raises:
        ModelError: a tokenizer without offsets, or without a chat template where one is asked for.
        OptionError: more tokens than the model has positions.
    """

    def __init__(
        self, model: nn.Module, tokenizer: "PreTrainedTokenizerFast", *, options: ReaderOptions | None = None
    ) -> None:
        self._model, self._inner = model, pretrained(model)
        self._options = options or ReaderOptions()
        self._template = self._options.template or Template()
        self._limit = input_limit(self._inner, asked=self._options.max_tokens)
        self.tokenizer = PromptTokenizer(tokenizer, name=self.name)
        self._frame = self.tokenizer.frame() if self._options.chat else None

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
        with watched(self._model, options) as probe:
            for batch in batches(questions, size=options.batch_size):
                answers = [answer_of(question) for question in batch]
                prompts = [self._answered(Given.all_of(question)) for question in batch]
                targets = [_target_of(prompt) for prompt in prompts]
                seen = probe(
                    stacked([prompt.tokens.ids for prompt in prompts]),
                    [rows_of(int(target[0]), len(target), rows=options.rows) for target in targets],
                )
                found += [
                    reader_scores_of(
                        seen,
                        row,
                        prompt.tokens,
                        answer=answer,
                        answer_ids=prompt.tokens.ids[target],
                        n_cut=prompt.n_cut,
                        options=options,
                    )
                    for row, (prompt, target, answer) in enumerate(zip(prompts, targets, answers, strict=True))
                ]
        return found

    def answers(self, questions: Sequence[Question]) -> list[str]:
        """What the reader answers itself, greedily, up to the first line feed; see `Reader`."""
        n_new = self._options.max_new_tokens
        if n_new >= self._limit:
            raise OptionError(f"max_new_tokens {n_new} leaves no room for a prompt in {self._limit} tokens")
        found: list[str] = []
        for batch in batches(questions, size=self._options.batch_size):
            ids = [self._prompt(Given.all_of(asked), None, limit=self._limit - n_new).tokens.ids for asked in batch]
            found += generated(self._model, self.tokenizer.tokenizer, prompts=ids, max_new_tokens=n_new)
        return found

    def likelihoods(self, given: Sequence[Given]) -> list[AnswerLikelihood]:
        """How likely each question's answer is, given some of its passages; see `Reader`."""
        prompts = [self._answered(one) for one in given]
        found: dict[int, AnswerLikelihood] = {}
        # Like lengths together, so that little is padding and few rows meet the head.
        by_length = sorted(range(len(prompts)), key=lambda number: len(prompts[number].tokens))
        for batch in batches(by_length, size=self._options.batch_size):
            targets = [_target_of(prompts[number]) for number in batch]
            ids = on_input_device(self._inner, stacked([prompts[number].tokens.ids for number in batch]))
            start = min(int(target[0]) for target in targets) - 1
            logits = self._seen_logits(ids, first_row=start)
            for row, (number, target) in enumerate(zip(batch, targets, strict=True)):
                answer = slice(int(target[0]) - start, int(target[-1]) + 1 - start)
                found[number] = likelihood_of(logits[row], ids[row, start:].to(logits.device), answer)
        return [found[number] for number in range(len(prompts))]

    def training_loss(self, questions: Sequence[Question]) -> Float[Tensor, ""]:
        """How unlikely the target answers are, to be trained on; see `Reader`."""
        prompts = [self._answered(Given.all_of(question)) for question in questions]
        targets = [_target_of(prompt) for prompt in prompts]
        tail = self.tokenizer.end
        # Padding lies to the right, behind the answer: what a row is to emit is cut off there, and counts for nothing.
        ids = stacked(
            [np.append(p.tokens.ids[: target[-1] + 1], tail) for p, target in zip(prompts, targets, strict=True)]
        )
        rows = [slice(int(target[0]), int(target[-1]) + 1 + len(tail)) for target in targets]
        start = min(row.start for row in rows) - 1
        placed = on_input_device(self._inner, ids)
        logits = self._logits(placed, first_row=start)
        return loss_of(logits, placed[:, start:], [slice(row.start - start, row.stop - start) for row in rows])

    @torch.no_grad()
    def _seen_logits(self, ids: Int[Tensor, "batch token"], *, first_row: int) -> Float[Tensor, "batch row vocabulary"]:
        with evaluating(self._model):
            return self._logits(ids, first_row=first_row)

    def _logits(self, ids: Int[Tensor, "batch token"], *, first_row: int) -> Float[Tensor, "batch row vocabulary"]:
        """Of the rows from `first_row` on; what pads a text on the right, no row of it can see."""
        n_rows = ids.shape[1] - first_row
        logits: Tensor = self._inner(input_ids=ids, logits_to_keep=n_rows, use_cache=False).logits
        return logits[:, -n_rows:]  # a model that does not know how to keep some gives all

    def _answered(self, given: Given) -> Fitted:
        return self._prompt(given, answer_of(given.question), limit=self._limit)

    def _prompt(self, given: Given, answer: str | None, *, limit: int) -> Fitted:
        question, whole = given.asked, order_of(given.question, seed=self._options.shuffle_seed)
        order = [given.passages.index(number) for number in whole if number in given.passages]

        def tokenise(prompt: Prompt) -> PromptTokens:
            return self.tokenizer.tokens(prompt, first=None if prompt.framed else self.tokenizer.first_id)

        return fitted(
            question.passages,
            lambda passages: whole_prompt(
                question.question,
                passages,
                order=order,
                template=self._template,
                answer=answer,
                frame=self._frame,
            ),
            tokenise,
            limit=limit,
        )


def _target_of(prompt: Fitted) -> NDArray[np.int64]:
    """The positions of the answer's tokens."""
    return prompt.tokens.touching(prompt.prompt.target or (0, 0))
