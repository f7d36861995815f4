"""What the retriever learns by: pure functions of scores, [batch, passage], and how far its embeddings have moved.

    teacher    p_T, from the reader's attention (METHOD 2.2), or from likelihoods by one of the functions below
    student    p_RETR = softmax(scores / θ)
    loss       KL(p_T ‖ p_RETR), mean over the batch, plus the trust term λ · (mean‖q - q₀‖² + mean‖p - p₀‖²)

Knows neither readers nor encoders. Everything is in fp32 at least, whatever comes in; gradients reach the retriever's
side alone. `mask` is true where there is a passage: a row may have fewer than the others, and what stands in its other
columns has no influence, NaN included. Two temperatures: the student's is an argument of the losses, the teacher's of
what makes its distribution.
"""

from typing import Final, Literal, TypeAlias, get_args

import torch

from elusive.errors import InputError, OptionError, near_matches
from elusive.types import Bool, Float, Tensor

Reduction: TypeAlias = Literal["true", "atlas", "fid"]
"""How rows become one number: see `distillation_loss`."""

Scores: TypeAlias = Float[Tensor, "batch passage"]
Mask: TypeAlias = Bool[Tensor, "batch passage"]

TRUST: Final = 0.03
"""λ of the trust term that held in METHOD 2.4."""


def retriever_log_probabilities(scores: Scores, *, temperature: float = 1.0, mask: Mask | None = None) -> Scores:
    """Log p_RETR over each row's passages; -∞ where there is none.

    Args:
        scores: of the retriever, as dot products.
        temperature: θ; Atlas on Contriever has √768 · .01 = .277.
        mask: where there is a passage.

    Raises:
        InputError: a row without passages.
        OptionError: a temperature that is no positive number, shapes that differ.
    """
    return _log_softmax(scores, temperature, mask)


def teacher_distribution(scores: Scores, *, temperature: float = 1.0, mask: Mask | None = None) -> Scores:
    """p_T = softmax(scores / τ) of scores that say how good each passage is: those of a file (`given`), for one.

    Of probabilities, give their logarithm: the temperature then sharpens or flattens them.

    Raises:
        InputError: a row without passages, or with scores that make no distribution (NaN, all -∞).
        OptionError: as `retriever_log_probabilities`.
    """
    found = _log_softmax(scores.detach(), temperature, mask).exp()
    if bool(found.isnan().any()):
        row = int(found.isnan().any(-1).nonzero()[0])
        raise InputError(f"the teacher's scores in row {row} make no distribution: {scores[row].tolist()}")
    return found


def perplexity_distribution(nll: Scores, *, temperature: float = 1.0, mask: Mask | None = None) -> Scores:
    """p_T of `pdist`: softmax(-NLL / τ), where NLL is the mean over the answer's tokens given one passage alone.

    Raises: as `teacher_distribution`.
    """
    return teacher_distribution(-nll, temperature=temperature, mask=mask)


def loop_distribution(nll_without: Scores, *, temperature: float = 1.0, mask: Mask | None = None) -> Scores:
    """p_T of `loop` (leave one out): softmax(NLL / τ), where NLL is the mean given all passages but this one.

    Raises: as `teacher_distribution`.
    """
    return teacher_distribution(nll_without, temperature=temperature, mask=mask)


def distillation_loss(
    scores: Scores,
    teacher: Scores,
    *,
    temperature: float = 1.0,
    mask: Mask | None = None,
    reduction: Reduction = "true",
) -> Float[Tensor, ""]:
    """KL(p_T ‖ p_RETR), the loss of every teacher that is a distribution.

    Args:
        scores: of the retriever; they alone get a gradient.
        teacher: p_T, each row summing to 1 over its passages.
        temperature: θ of the student. Unlike DistillKLDivLoss of sentence-transformers, not multiplied by θ².
        mask: where there is a passage.
        reduction: `true` is the mean over the batch. `atlas` and `fid` are what these programs train with: both call
            torch's KLDivLoss as it comes, which takes the mean over batch *and* passages, so the loss is smaller by
            k, the number of columns. They differ in temperatures alone, after dot products / √d in both: FiD has 1
            for teacher and student, Atlas .01 for each unless told.

    Raises:
        InputError: a row without passages.
        OptionError: an unknown reduction, a temperature that is no positive number, shapes that differ.
    """
    if reduction not in get_args(Reduction):
        raise OptionError(f"reduction {reduction!r} is not known{near_matches(reduction, get_args(Reduction))}")
    _check_same_shape("teacher", teacher, scores)
    student = retriever_log_probabilities(scores, temperature=temperature, mask=mask)
    present = _mask_of(scores, mask)
    wanted = teacher.detach().to(student.dtype).masked_fill(~present, 0.0)
    rows = (torch.xlogy(wanted, wanted) - wanted * student.masked_fill(~present, 0.0)).sum(-1)
    return rows.mean() if reduction == "true" else rows.mean() / scores.shape[-1]


def emdr2_loss(
    scores: Scores, log_likelihoods: Scores, *, temperature: float = 1.0, mask: Mask | None = None
) -> Float[Tensor, ""]:
    """-log Σ_i p_LM(A | n_i, Q) p_RETR(n_i | Q), mean over the batch.

    p_LM is a constant: no gradient reaches the reader, as in EMDR² and in Atlas, which computes it without gradients.
    Departure: Atlas marginalises token by token, and takes the mean over tokens; here it is the whole answer, as the
    paper of EMDR² has it.

    Args:
        scores: of the retriever; they alone get a gradient.
        log_likelihoods: log p_LM of the whole answer given each passage alone; not divided by its length.
        temperature: θ of the student.
        mask: where there is a passage.

    Raises:
        InputError: a row without passages.
        OptionError: a temperature that is no positive number, shapes that differ.
    """
    _check_same_shape("log_likelihoods", log_likelihoods, scores)
    student = retriever_log_probabilities(scores, temperature=temperature, mask=mask)
    answer = log_likelihoods.detach().to(student.dtype).masked_fill(~_mask_of(scores, mask), 0.0)
    return -torch.logsumexp(student + answer, dim=-1).mean()


def trust_loss(
    questions: Float[Tensor, "batch width"],
    initial_questions: Float[Tensor, "batch width"],
    *,
    passages: Float[Tensor, "*batch width"],
    initial_passages: Float[Tensor, "*batch width"],
    weight: float = TRUST,
) -> Float[Tensor, ""]:
    """λ · (mean‖q - q₀‖² + mean‖p - p₀‖²): how far the embeddings have moved from the initial retriever's.

    Args:
        questions: embeddings of now.
        initial_questions: of the same texts, by the retriever as training began; constants.
        passages: embeddings of now, those that there are.
        initial_passages: likewise.
        weight: λ; 0 is the papers' plain recipe.

    Raises:
        OptionError: shapes that differ.
    """
    return weight * (_mean_move(questions, initial_questions) + _mean_move(passages, initial_passages))


def _log_softmax(scores: Scores, temperature: float, mask: Mask | None) -> Scores:
    if not 0 < temperature < float("inf"):
        raise OptionError(f"temperature {temperature} is not a positive number")
    present = _mask_of(scores, mask)
    exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return torch.log_softmax((exact / temperature).masked_fill(~present, -torch.inf), dim=-1)


def _mean_move(now: Float[Tensor, "*batch width"], initial: Float[Tensor, "*batch width"]) -> Float[Tensor, ""]:
    _check_same_shape("initial embeddings", initial, now)
    dtype = torch.promote_types(now.dtype, torch.float32)
    return (now.to(dtype) - initial.detach().to(dtype)).square().sum(-1).mean()


def _mask_of(scores: Scores, mask: Mask | None) -> Mask:
    if mask is None:
        return torch.ones_like(scores, dtype=torch.bool)
    _check_same_shape("mask", mask, scores)
    if not bool(mask.any(-1).all()):
        raise InputError(f"row {int((~mask.any(-1)).nonzero()[0])} of the batch has no passages; leave it out")
    return mask


def _check_same_shape(name: str, given: Tensor, expected: Tensor) -> None:
    if given.shape != expected.shape:
        raise OptionError(f"{name} has shape {tuple(given.shape)}; expected {tuple(expected.shape)}")
