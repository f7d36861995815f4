"""A decoder-only reader: all passages in one prompt, then the question, then the answer.

The prompt is preceded by BOS, else EOS, else a line feed, because decoders put much of their attention on the first
token whatever it is, and it must not be a passage's. A chat template has a beginning of its own. The head is not
evaluated for scores.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from torch import nn

from elusive.attention.live import name_of, pretrained
from elusive.data.questions import Question
from elusive.errors import OptionError
from elusive.models import context_len
from elusive.readers.fitting import Fitted, fitted
from elusive.readers.generation import generated, with_own_answers
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
from elusive.types import Float, Tensor

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
    """

    def __init__(
        self, model: nn.Module, tokenizer: "PreTrainedTokenizerFast", *, options: ReaderOptions | None = None
    ) -> None:
        self._model, self._inner = model, pretrained(model)
        self._options = options or ReaderOptions()
        self._template = self._options.template or Template()
        self._limit = self._options.max_tokens or context_len(self._inner.config)
        self.tokenizer = PromptTokenizer(tokenizer, name=self.name)
        self._frame = self.tokenizer.frame() if self._options.chat else None

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
                prompts = [self._prompt(q, a, limit=self._limit) for q, a in zip(batch, answers, strict=True)]
                targets = [prompt.tokens.touching(prompt.prompt.target or (0, 0)) for prompt in prompts]
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
            ids = [self._prompt(question, None, limit=self._limit - n_new).tokens.ids for question in batch]
            found += generated(self._model, self.tokenizer.tokenizer, prompts=ids, max_new_tokens=n_new)
        return found

    def _prompt(self, question: Question, answer: str | None, *, limit: int) -> Fitted:
        order = order_of(question, seed=self._options.shuffle_seed)

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
