"""A reader's likelihoods of the answers, one a passage: given it alone, or given all the others (METHOD 2.2).

What `perplexity_distribution`, `loop_distribution` and `emdr2_loss` take. Questions may have unlike numbers of
passages; `mask` says where there is one. Costs as many answers to read as there are passages, each of one passage's
prompt (alone) or of nearly the whole one (left out).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from elusive.data.questions import Question
from elusive.errors import InputError
from elusive.readers.likelihood import Given
from elusive.readers.reader import Reader
from elusive.types import Bool, Float, Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class PassageLikelihoods:
    """On the CPU, fp32; 0 where there is no passage.

    Attributes:
        nll: mean negative log-likelihood of the answer's tokens.
        log_likelihood: log p(A), of the whole answer.
        mask: where there is a passage.
    """

    nll: Float[Tensor, "batch passage"]
    log_likelihood: Float[Tensor, "batch passage"]
    mask: Bool[Tensor, "batch passage"]


def alone(reader: Reader, questions: Sequence[Question]) -> PassageLikelihoods:
    """Given each passage alone.

    Raises:
        InputError: as `Reader.likelihoods`.
    """
    return _of_each(reader, questions, without=False)


def left_out(reader: Reader, questions: Sequence[Question]) -> PassageLikelihoods:
    """Given all passages but each.

    Raises:
        InputError: a question with one passage, or as `Reader.likelihoods`.
    """
    for question in questions:
        if len(question.passages) == 1:
            raise InputError(f"question {question.id!r} has one passage; without it there is none, so give two or more")
    return _of_each(reader, questions, without=True)


def _of_each(reader: Reader, questions: Sequence[Question], *, without: bool) -> PassageLikelihoods:
    sizes = [len(question.passages) for question in questions]
    for question, n in zip(questions, sizes, strict=True):
        if not n:
            raise InputError(f"question {question.id!r} has no passages; expected at least one")
    found = reader.likelihoods(
        [
            Given(question=question, passages=tuple(other for other in range(n) if (other == number) != without))
            for question, n in zip(questions, sizes, strict=True)
            for number in range(n)
        ]
    )
    mask = torch.arange(max(sizes, default=0)) < torch.tensor(sizes, dtype=torch.long)[:, None]
    nll, log_likelihood = torch.zeros(mask.shape), torch.zeros(mask.shape)
    nll[mask] = torch.tensor([one.nll for one in found])
    log_likelihood[mask] = torch.tensor([one.log_likelihood for one in found])
    return PassageLikelihoods(nll=nll, log_likelihood=log_likelihood, mask=mask)
