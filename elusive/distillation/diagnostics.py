"""What can be wrong with a teacher without any error: counts over a batch, and the words for them. Pure.

A teacher that puts all on one passage says nothing of the others' order; a retriever that agrees with it already gets
no gradient. Who counts over batches, and warns once, is the loop.
"""

from dataclasses import dataclass
from math import log
from typing import Final

import torch

from elusive.distillation.losses import Mask, Scores, retriever_log_probabilities

ONE_HOT: Final = 0.99
"""A teacher's largest probability above which it is called so."""

VANISHING: Final = 1e-4
"""‖p_RETR - p_T‖₁ below which a row moves nothing."""

_SHARE_TO_TELL: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class TeacherDiagnostics:
    """Counts over rows with two passages or more; of others, nothing can be learnt.

    Attributes:
        n_rows: how many these are.
        n_single: rows with one passage.
        n_one_hot: rows with a probability above .99.
        n_zero: passages to which the teacher gives exactly 0.
        n_vanishing: rows whose gradient is next to nothing.
        entropy: summed over rows, each as a share of what it is where all passages are equal.
    """

    n_rows: int
    n_single: int
    n_one_hot: int
    n_zero: int
    n_vanishing: int
    entropy: float

    def __add__(self, other: "TeacherDiagnostics") -> "TeacherDiagnostics":
        return TeacherDiagnostics(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    @property
    def one_hot_share(self) -> float:
        """Of the rows; 0 where there are none."""
        return self.n_one_hot / self.n_rows if self.n_rows else 0.0

    @property
    def mean_entropy(self) -> float:
        """From 0 (one passage has it all) to 1 (all are equal); 0 where there are no rows."""
        return self.entropy / self.n_rows if self.n_rows else 0.0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know, a line each."""
        told = []
        if self.n_one_hot > _SHARE_TO_TELL * self.n_rows:
            told.append(
                f"the teacher gives more than {ONE_HOT} to one passage in {self.n_one_hot} of {self.n_rows} questions, "
                "and says nothing of the others' order; raise its temperature"
            )
        if self.n_vanishing > _SHARE_TO_TELL * self.n_rows:
            told.append(
                f"in {self.n_vanishing} of {self.n_rows} questions the retriever agrees with the teacher already, and "
                "learns nothing from it"
            )
        return tuple(told)


def diagnose(
    teacher: Scores, scores: Scores, *, temperature: float = 1.0, mask: Mask | None = None
) -> TeacherDiagnostics:
    """Look at a batch's teacher beside the retriever's scores; arguments and errors as `distillation_loss`."""
    student = retriever_log_probabilities(scores.detach(), temperature=temperature, mask=mask).exp()
    present = torch.ones_like(student, dtype=torch.bool) if mask is None else mask
    n_passages = present.sum(-1)
    several = n_passages > 1
    wanted = teacher.detach().to(student.dtype).masked_fill(~present, 0.0)[several]
    equal = torch.tensor([log(n) for n in n_passages[several].tolist()], device=wanted.device)
    return TeacherDiagnostics(
        n_rows=len(wanted),
        n_single=int((~several).sum()),
        n_one_hot=int((wanted.amax(-1) > ONE_HOT).sum()),
        n_zero=int(((wanted == 0) & present[several]).sum()),
        n_vanishing=int(((student[several] - wanted).abs().sum(-1) < VANISHING).sum()),
        entropy=float((-torch.xlogy(wanted, wanted).sum(-1) / equal).sum()),
    )
