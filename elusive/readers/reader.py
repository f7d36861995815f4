"""What a reader is, its options, and the scores that it gives (METHOD 2.1, 2.2).

The readers themselves are in `decoder_only` and `fusion_in_decoder`.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random
from typing import Protocol, TypeAlias, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from torch import nn

from elusive.attention.answering import AnswerAttention, AnswerProbe, watch_answers
from elusive.choices import Rows, TargetDistribution
from elusive.data.questions import Question
from elusive.errors import InputError, OptionError, near_matches
from elusive.readers import passage_scores
from elusive.readers.likelihood import AnswerLikelihood, Given
from elusive.readers.prompts import Template
from elusive.readers.tokens import PromptTokenizer, PromptTokens
from elusive.types import Float, Tensor

Array: TypeAlias = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ReaderOptions:
    """How a reader is asked; the defaults are the paper's, as METHOD 2 has them.

    Attributes:
        rows: whose attention counts.
        layers: decoder layers to average over, negative from the end; None is all.
        heads: query heads to average over in each of them; None is all.
        values: weigh attention by the norms of the values.
        target: how passage scores become a distribution.
        temperature: of `softmax`.
        template: what the prompt is made of; None is the default of the kind of reader.
        chat: put the prompt into the tokenizer's chat template.
        max_tokens: per prompt with its answer, or per encoder input; None is what the model was made for.
        max_new_tokens: of an answer of the reader's own.
        batch_size: questions per forward pass.
        shuffle_seed: put the passages of each question into an order drawn from this and the question's id; None
            keeps the order given. Scores come in the order given either way.

    Raises:
        OptionError: an unknown choice, or a number that makes no sense.
    """

    rows: Rows = "predicting"
    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None
    values: bool = True
    target: TargetDistribution = "share"
    temperature: float = 1.0
    template: Template | None = None
    chat: bool = False
    max_tokens: int | None = None
    max_new_tokens: int = 32
    batch_size: int = 8
    shuffle_seed: int | None = None

    def __post_init__(self) -> None:
        for name, choices in (("rows", get_args(Rows)), ("target", get_args(TargetDistribution))):
            value = getattr(self, name)
            if value not in choices:
                raise OptionError(f"{name} {value!r} is not known{near_matches(str(value), choices)}")
        if not 0 < self.temperature < float("inf"):
            raise OptionError(f"temperature {self.temperature} is not a positive number")
        for name in ("max_tokens", "max_new_tokens", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} {value} is not at least 1")


@dataclass(frozen=True, eq=False, kw_only=True)
class ReaderScores:
    """What a reader attends to while it answers one question. Passages are in the order in which they were given.

    Attributes:
        tokens: of the whole prompt; of a decoder-only reader, the answer's as well.
        answer: what the rows that were taken emit.
        answer_ids: its tokens.
        token_scores: c, [token]: mean over layers, heads and rows of attention (times the norm of the value).
        passage_scores: S, [passage]: the sum of c over each passage's tokens.
        target: [passage], sums to 1.
        head_scores: c of each chosen layer and head alone, [layer, head, token].
        n_cut: how many tokens of each passage's text were cut off to fit, [passage].
    """

    tokens: PromptTokens
    answer: str
    answer_ids: NDArray[np.int64]
    token_scores: Array
    passage_scores: Array
    target: Array
    head_scores: NDArray[np.float32]
    n_cut: tuple[int, ...]

    @property
    def mass(self) -> Array:
        """The passage scores of each chosen layer and head alone, [layer, head, passage]."""
        n_passages = len(self.passage_scores)
        by_head = self.head_scores.astype(np.float64)
        return passage_scores.sums_by_passage(by_head, self.tokens.passage, n_passages=n_passages)

    @property
    def spans(self) -> tuple[range, ...]:
        """From the first to the last token of each passage, what the template puts between title and text included;
        `tokens.passage` leaves that out, as the scores do.
        """
        places = [np.flatnonzero(self.tokens.passage == number) for number in range(len(self.passage_scores))]
        return tuple(range(int(p[0]), int(p[-1]) + 1) if len(p) else range(0) for p in places)


class Reader(Protocol):
    """A language model that answers questions from passages, and shows what it attends to."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def model(self) -> nn.Module:
        """The model as it was given, perhaps wrapped by peft."""
        ...

    @property
    def tokenizer(self) -> PromptTokenizer:
        """What its prompts are tokenised by."""
        ...

    @property
    def embedding(self) -> Float[Tensor, "vocabulary width"]:
        """Its input embedding."""
        ...

    def scores(self, questions: Sequence[Question]) -> list[ReaderScores]:
        """What it attends to while it emits the target answer of each question, or its own (`rows`).

        Raises:
            InputError: a question without passages or answer, or one that does not fit.
            ModelError: a model that cannot be seen into.
        """
        ...

    def answers(self, questions: Sequence[Question]) -> list[str]:
        """What it answers itself, greedily, up to the first line feed."""
        ...

    def likelihoods(self, given: Sequence[Given]) -> list[AnswerLikelihood]:
        """How likely the target answer of each question is, given some of its passages.

        The same passage weighs the same whatever is read beside it, up to rounding; leaving one out changes no other's
        place in the prompt's order.

        Raises:
            InputError: a question without passages or answer, or one that does not fit.
        """
        ...

    def training_loss(self, questions: Sequence[Question]) -> Float[Tensor, ""]:
        """How unlikely the target answers are: mean over all their tokens, and the end of each, of -log p.

        In one forward pass, with gradient, in the model's own mode (dropout where it is training).

        Raises:
            InputError: as `likelihoods`.
        """
        ...


def watched(model: nn.Module, options: ReaderOptions) -> AbstractContextManager[AnswerProbe]:
    """A reader's model under watch for what its options ask."""
    return watch_answers(
        model, layers=options.layers, heads=options.heads, values=options.values, logits=options.target == "fid-kd"
    )


def rows_of(first: int, n_tokens: int, *, rows: Rows) -> range:
    """The rows to take, for an answer of `n_tokens` tokens that begins at position `first`."""
    match rows:
        case "own":
            return range(first, first + n_tokens)
        case "first":
            return range(first - 1, first)
    # The logits of a row are of the token after it.
    return range(first - 1, first - 1 + n_tokens)


def order_of(question: Question, *, seed: int | None) -> list[int]:
    """The order in which a reader sees a question's passages, whatever else is read beside it."""
    order = list(range(len(question.passages)))
    if seed is not None:
        Random(f"{seed}\0{question.id}").shuffle(order)
    return order


def answer_of(question: Question) -> str:
    """The answer that a reader is to emit.

    Raises:
        InputError: the question has none, or no passages.
    """
    if not question.passages:
        raise InputError(f"question {question.id!r} has no passages; expected at least one")
    answer = question.target_answer
    if answer is None or not answer.strip():
        raise InputError(f"question {question.id!r} has no answer to emit; give one, or take rows 'generated'")
    return answer


def batches(items: Sequence[T], *, size: int) -> Iterator[Sequence[T]]:
    """At most `size` items at a time, in order."""
    return (items[start : start + size] for start in range(0, len(items), size))


def reader_scores_of(
    seen: AnswerAttention,
    row: int,
    tokens: PromptTokens,
    *,
    answer: str,
    answer_ids: NDArray[np.int64],
    n_cut: tuple[int, ...],
    options: ReaderOptions,
) -> ReaderScores:
    """The scores of one example, number `row` of a forward pass."""
    n_passages = len(n_cut)
    by_head = seen.scores[row, :, :, : len(tokens)].double().numpy()
    token_scores = by_head.mean((0, 1))
    sums = passage_scores.sums_by_passage(token_scores, tokens.passage, n_passages=n_passages)
    match options.target:
        case "share":
            target = passage_scores.share(sums)
        case "softmax":
            target = passage_scores.softmax_of_standardised(sums, temperature=options.temperature)
        case "atlas":
            target = passage_scores.atlas(
                passage_scores.sums_by_passage(token_scores, tokens.input, n_passages=n_passages)
            )
        case "fid-kd":
            assert seen.logits is not None
            logits = seen.logits[row, :, :, : len(tokens)].double().numpy().mean((0, 1))
            target = passage_scores.fid_kd(
                passage_scores.means_by_passage(logits, tokens.passage, n_passages=n_passages)
            )
    return ReaderScores(
        tokens=tokens,
        answer=answer,
        answer_ids=answer_ids,
        token_scores=token_scores,
        passage_scores=sums,
        target=target,
        head_scores=by_head.astype(np.float32),
        n_cut=n_cut,
    )
