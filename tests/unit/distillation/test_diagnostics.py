"""A teacher that says nothing is counted, and told."""

from math import log

import pytest
import torch

from elusive.distillation.diagnostics import TeacherDiagnostics, diagnose
from elusive.distillation.losses import distillation_loss


def test_rows_are_counted_by_hand():
    teacher = torch.tensor([[0.995, 0.005, 0.0], [0.5, 0.25, 0.25], [0.25, 0.75, 9.0], [1.0, 0.0, 0.0]])
    mask = torch.tensor([[True] * 3, [True] * 3, [True, True, False], [True, False, False]])
    scores = torch.tensor([[0.0, 0.0, 0.0], [log(2), 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    found = diagnose(teacher, scores, mask=mask)
    assert (found.n_rows, found.n_single) == (3, 1)
    assert (found.n_one_hot, found.n_zero, found.n_vanishing) == (1, 1, 1)
    entropies = [
        -(0.995 * log(0.995) + 0.005 * log(0.005)) / log(3),
        1.5 * log(2) / log(3),
        -(0.25 * log(0.25) + 0.75 * log(0.75)) / log(2),
    ]
    assert found.entropy == pytest.approx(sum(entropies), rel=1e-5)
    assert found.mean_entropy == pytest.approx(sum(entropies) / 3, rel=1e-5)
    assert found.one_hot_share == pytest.approx(1 / 3)


def test_a_row_is_vanishing_where_its_gradient_is():
    scores = torch.tensor([[60.0, 0.0], [0.0, 60.0]], requires_grad=True)
    teacher = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    distillation_loss(scores, teacher).backward()
    assert scores.grad is not None
    assert (scores.grad.abs().sum(-1) < 1e-4).tolist() == [True, False]
    assert diagnose(teacher, scores).n_vanishing == 1


def test_counts_of_batches_add_up_to_those_of_the_whole():
    torch.manual_seed(0)
    teacher, scores = (torch.randn(6, 4) * 5).softmax(-1), torch.randn(6, 4)
    whole = diagnose(teacher, scores)
    parts = diagnose(teacher[:2], scores[:2]) + diagnose(teacher[2:], scores[2:])
    assert parts.entropy == pytest.approx(whole.entropy, rel=1e-5)
    assert {**vars(parts), "entropy": 0} == {**vars(whole), "entropy": 0}


def counts(**changed: int) -> TeacherDiagnostics:
    nothing = {"n_rows": 10, "n_single": 0, "n_one_hot": 0, "n_zero": 0, "n_vanishing": 0, "entropy": 5.0}
    return TeacherDiagnostics(**nothing | changed)


def test_what_holds_for_more_than_half_of_the_questions_is_told():
    assert counts(n_one_hot=5, n_vanishing=5).warnings == ()
    assert ["9 of 10 questions" in line for line in counts(n_one_hot=9).warnings] == [True]
    assert "raise its temperature" in counts(n_one_hot=9).warnings[0]
    assert ["learns nothing" in line for line in counts(n_vanishing=6).warnings] == [True]


def test_rows_with_one_passage_alone_say_nothing():
    one = torch.ones(2, 1)
    found = diagnose(one, one)
    assert (found.n_rows, found.n_single, found.n_one_hot) == (0, 2, 0)
    assert found.warnings == ()
    assert found.one_hot_share == found.mean_entropy == 0.0
