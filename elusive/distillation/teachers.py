"""What a retriever learns from: each teacher gives a loss on the retriever's scores of a question's passages.

No gradient reaches the teacher. Attention, perplexity, leave-one-out and given scores are distributions that the
retriever's is drawn to (KL); EMDR² is the likelihood of the answer under the retriever's mixture (METHOD 2.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from elusive.choices import Teacher
from elusive.data.questions import Question
from elusive.distillation import likelihoods, losses
from elusive.distillation.diagnostics import TeacherDiagnostics, diagnose
from elusive.distillation.losses import Mask, Reduction, Scores
from elusive.errors import InputError
from elusive.readers.reader import Reader
from elusive.types import Float, Tensor


@dataclass(frozen=True)
class Taught:
    """What a teacher says of a batch.

    Attributes:
        loss: on the retriever's scores.
        diagnostics: of the teacher's distribution; None where it has none.
    """

    loss: Float[Tensor, ""]
    diagnostics: TeacherDiagnostics | None


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """How a retriever is taught.

    Attributes:
        teacher: what it learns from.
        reader: whose attention or likelihoods these are; None for `given`.
        temperature: of the retriever's distribution.
        teacher_temperature: of likelihoods and given scores.
        reduction: how rows become one number.
    """

    teacher: Teacher
    reader: Reader | None
    temperature: float = 1.0
    teacher_temperature: float = 1.0
    reduction: Reduction = "true"

    def taught(self, questions: Sequence[Question], scores: Scores, mask: Mask) -> Taught:
        """The loss of a batch.

        Args:
            questions: each with the passages that are scored, in their order.
            scores: of the retriever, [question, passage].
            mask: where there is a passage.

        Raises:
            InputError: a question that the reader cannot read, or passages without given scores.
        """
        if self.teacher == "emdr2":
            found = likelihoods.alone(self._reader(), questions).log_likelihood.to(scores.device)
            return Taught(losses.emdr2_loss(scores, found, temperature=self.temperature, mask=mask), None)
        wanted = self.distribution(questions, mask).to(scores.device)
        loss = losses.distillation_loss(
            scores, wanted, temperature=self.temperature, mask=mask, reduction=self.reduction
        )
        return Taught(loss, diagnose(wanted, scores, temperature=self.temperature, mask=mask))

    def distribution(self, questions: Sequence[Question], mask: Mask) -> Scores:
        """The teacher's distribution over each question's passages, [question, passage]; EMDR² has none.

        Raises:
            InputError: as `taught`.
        """
        mask, tau = mask.cpu(), self.teacher_temperature
        match self.teacher:
            case "perplexity":
                nll = likelihoods.alone(self._reader(), questions).nll
                return losses.perplexity_distribution(nll, temperature=tau, mask=mask)
            case "loop":
                nll = likelihoods.left_out(self._reader(), questions).nll
                return losses.loop_distribution(nll, temperature=tau, mask=mask)
            case "given":
                return losses.teacher_distribution(_given_scores(questions, mask), temperature=tau, mask=mask)
        found = [torch.from_numpy(one.target).float() for one in self._reader().scores(questions)]
        return torch.nn.utils.rnn.pad_sequence(found, batch_first=True)

    def _reader(self) -> Reader:
        assert self.reader is not None, f"the teacher {self.teacher} is a reader's"
        return self.reader


def _given_scores(questions: Sequence[Question], mask: Mask) -> Scores:
    scores = torch.zeros(mask.shape)
    for row, question in enumerate(questions):
        for column, passage in enumerate(question.passages):
            if passage.score is None:
                raise InputError(
                    f"passage {passage.id!r} of question {question.id!r} has no score; --teacher given learns from the "
                    "scores of the passages that came with the questions"
                )
            scores[row, column] = passage.score
    return scores


def mask_of(questions: Sequence[Question]) -> Mask:
    """Where there is a passage, [question, passage]."""
    sizes = torch.tensor([len(question.passages) for question in questions])
    return torch.arange(int(sizes.max())) < sizes[:, None]
