"""How likely a reader finds an answer, given some of a question's passages; what `pdist`, `loop` and `emdr2` rest on.

Teacher forcing: nothing is generated. The logits of a row are of the token after it, so an answer's first token is read
at the last row of the prompt; one row later, a token would be asked about itself (METHOD 3). EOS is no answer's token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from elusive.data.questions import Question
from elusive.types import Float, Int, Tensor


@dataclass(frozen=True, kw_only=True)
class Given:
    """A question, and which of its passages a reader is given.

    Attributes:
        question: with all its passages.
        passages: numbers of those that are given; the reader sees them in the order in which it would see all.
    """

    question: Question
    passages: tuple[int, ...]

    @classmethod
    def all_of(cls, question: Question) -> "Given":
        """A question with all its passages."""
        return cls(question=question, passages=tuple(range(len(question.passages))))

    @property
    def asked(self) -> Question:
        """The question with the given passages alone."""
        return replace(self.question, passages=tuple(self.question.passages[number] for number in self.passages))


@dataclass(frozen=True, kw_only=True)
class AnswerLikelihood:
    """How likely an answer is.

    Attributes:
        nll: mean negative log-likelihood of its tokens, in nats.
        n_tokens: how many these are.
    """

    nll: float
    n_tokens: int

    @property
    def log_likelihood(self) -> float:
        """Of the whole answer, log p(A)."""
        return -self.nll * self.n_tokens


def answer_nll(
    logits: Float[Tensor, "token vocabulary"], ids: Int[Tensor, "token"], answer: slice
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood of an answer's tokens, in fp32 at least.

    Args:
        logits: of every row.
        ids: the tokens that stand there.
        answer: where the answer's tokens stand; not at the first position, which no row predicts.
    """
    assert 0 < answer.start < answer.stop <= len(ids), "an answer has a token, and a row before it"
    rows = logits[answer.start - 1 : answer.stop - 1]
    return F.cross_entropy(rows.to(torch.promote_types(rows.dtype, torch.float32)), ids[answer])


def loss_of(
    logits: Float[Tensor, "batch row vocabulary"], ids: Int[Tensor, "batch row"], answers: Sequence[slice]
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood of all tokens of all answers; arguments as `answer_nll`, of each example."""
    nll = [answer_nll(logits[row], ids[row].to(logits.device), answer) for row, answer in enumerate(answers)]
    n_tokens = torch.tensor([answer.stop - answer.start for answer in answers], device=logits.device)
    return (torch.stack(nll) * n_tokens).sum() / n_tokens.sum()


def likelihood_of(
    logits: Float[Tensor, "token vocabulary"], ids: Int[Tensor, "token"], answer: slice
) -> AnswerLikelihood:
    """The likelihood of an answer that stands among the tokens; see `answer_nll`."""
    return AnswerLikelihood(nll=float(answer_nll(logits, ids, answer)), n_tokens=answer.stop - answer.start)
