"""The losses: by hand in plain Python, by sentence-transformers, and what may and may not change them."""

from math import exp, log, nan, sqrt

import pytest
import torch

from elusive.distillation.losses import (
    distillation_loss,
    emdr2_loss,
    loop_distribution,
    perplexity_distribution,
    retriever_log_probabilities,
    teacher_distribution,
    trust_loss,
)
from elusive.errors import InputError, OptionError

SCORES = [[1.5, -0.5, 0.25], [0.0, 2.0, 1.0]]
TEACHER = [[0.7, 0.2, 0.1], [0.05, 0.9, 0.05]]
MASK = [[True, True, True], [True, False, True]]


def softmax(scores: list[float], temperature: float = 1.0) -> list[float]:
    weights = [exp(score / temperature) for score in scores]
    return [weight / sum(weights) for weight in weights]


def kl(p: list[float], q: list[float]) -> float:
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def test_the_loss_is_the_mean_kl_from_teacher_to_retriever():
    for temperature in (1.0, 0.277, 20.0):
        wanted = sum(kl(p, softmax(s, temperature)) for p, s in zip(TEACHER, SCORES, strict=True)) / 2
        found = distillation_loss(torch.tensor(SCORES), torch.tensor(TEACHER), temperature=temperature)
        assert found.item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("reduction", ["atlas", "fid"])
def test_the_programs_reductions_are_those_of_torch_as_it_comes(reduction):
    scores, teacher = torch.tensor(SCORES), torch.tensor(TEACHER)
    found = distillation_loss(scores, teacher, reduction=reduction)
    # Both call KLDivLoss() on logarithms of the student and probabilities of the teacher; torch warns of what it does.
    with pytest.warns(UserWarning, match="batchmean"):
        theirs = torch.nn.KLDivLoss()(scores.log_softmax(-1), teacher)
    assert found.item() == pytest.approx(theirs.item(), rel=1e-5)
    assert found.item() == pytest.approx(distillation_loss(scores, teacher).item() / 3, rel=1e-5)


@pytest.mark.parametrize(("student", "teacher"), [(1.0, 1.0), (0.05, 2.0), (3.0, 0.5)])
def test_sentence_transformers_has_the_same_loss_times_the_temperature_squared(student, teacher):
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    torch.manual_seed(0)
    question, passages, labels = torch.randn(4, 8), torch.randn(3, 4, 8), torch.randn(4, 3)
    theirs = losses.DistillKLDivLoss(
        torch.nn.Identity(), student_temperature=student, teacher_temperature=teacher
    ).compute_loss_from_embeddings([question, *passages], labels)
    ours = distillation_loss(
        torch.einsum("bd,kbd->bk", question, passages),
        teacher_distribution(labels, temperature=teacher),
        temperature=student,
    )
    assert ours.item() * student**2 == pytest.approx(theirs.item(), rel=1e-4)


def test_teachers_of_likelihoods_by_hand():
    nll = [2.0, 0.5, 1.0]
    by_hand = softmax([-value for value in nll], 0.5)
    assert perplexity_distribution(torch.tensor([nll]), temperature=0.5)[0].tolist() == pytest.approx(by_hand, rel=1e-5)
    assert by_hand[1] == max(by_hand), "the passage that makes the answer likely is the best"
    without = loop_distribution(torch.tensor([nll]), temperature=0.5)[0].tolist()
    assert without == pytest.approx(softmax(nll, 0.5), rel=1e-5)
    assert without[0] == max(without), "the passage without which it is unlikely is the best"


def test_a_temperature_sharpens_probabilities_that_are_given_as_logarithms():
    found = teacher_distribution(torch.tensor([[0.5, 0.3, 0.2, 0.0]]).log(), temperature=0.5)[0].tolist()
    assert found == pytest.approx([0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38, 0.0], rel=1e-5)


def test_emdr2_by_hand():
    likelihoods = [[-3.0, -12.0, -5.0], [-1.0, -0.2, -30.0]]
    rows = [
        log(sum(exp(a) * p for a, p in zip(answer, softmax(scores, 2.0), strict=True)))
        for answer, scores in zip(likelihoods, SCORES, strict=True)
    ]
    found = emdr2_loss(torch.tensor(SCORES), torch.tensor(likelihoods), temperature=2.0)
    assert found.item() == pytest.approx(-sum(rows) / 2, rel=1e-5)


def test_emdr2_of_an_answer_so_long_that_its_probability_underflows():
    far = torch.tensor([[-900.0, -905.0]])
    scores = torch.zeros(1, 2, requires_grad=True)
    loss = emdr2_loss(scores, far)
    assert loss.item() == pytest.approx(900 + log(2) - log(1 + exp(-5)), rel=1e-5)
    loss.backward()
    assert scores.grad is not None
    assert scores.grad.tolist()[0] == pytest.approx([0.5 - softmax([0, -5])[0], 0.5 - softmax([0, -5])[1]], abs=1e-5)


def test_the_trust_term_by_hand():
    now, initial = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    passages, initial_passages = torch.ones(2, 3, 2), torch.zeros(2, 3, 2)
    found = trust_loss(now, initial, passages=passages, initial_passages=initial_passages, weight=0.1)
    assert found.item() == pytest.approx(0.1 * ((4 + 25) / 2 + 2))
    assert trust_loss(now, now, passages=passages, initial_passages=passages).item() == 0.0


def test_uniform_on_both_sides_is_nothing_and_nowhere_to_go():
    scores = torch.full((2, 4), 3.0, requires_grad=True)
    loss = distillation_loss(scores, torch.full((2, 4), 0.25))
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert scores.grad is not None
    assert scores.grad.abs().max() < 1e-6


def test_the_same_distribution_is_nothing_whatever_it_is():
    scores = torch.tensor(SCORES)
    same = retriever_log_probabilities(scores, temperature=0.3).exp()
    assert distillation_loss(scores, same, temperature=0.3).item() == pytest.approx(0.0, abs=1e-6)


LOSSES = {
    "kl": lambda scores, given, mask: distillation_loss(scores, given.softmax(-1).nan_to_num(), mask=mask),
    "atlas": lambda scores, given, mask: distillation_loss(
        scores, given.softmax(-1).nan_to_num(), mask=mask, reduction="atlas"
    ),
    "pdist": lambda scores, given, mask: distillation_loss(
        scores, perplexity_distribution(given, mask=mask), mask=mask
    ),
    "loop": lambda scores, given, mask: distillation_loss(scores, loop_distribution(given, mask=mask), mask=mask),
    "emdr2": lambda scores, given, mask: emdr2_loss(scores, given, temperature=0.7, mask=mask),
}
every = pytest.mark.parametrize("name", LOSSES)


@every
def test_permuting_passages_on_both_sides_changes_nothing(name):
    torch.manual_seed(1)
    scores, given = torch.randn(3, 5), torch.randn(3, 5)
    mask = torch.rand(3, 5) < 0.8
    order = torch.tensor([3, 0, 4, 1, 2])
    loss = LOSSES[name](scores, given, mask)
    assert LOSSES[name](scores[:, order], given[:, order], mask[:, order]).item() == pytest.approx(
        loss.item(), rel=1e-5
    )
    assert LOSSES[name](scores[:, order], given, mask).item() != pytest.approx(loss.item(), rel=1e-3), "sides must fit"


@pytest.mark.parametrize("name", ["pdist", "loop", "emdr2"])
@pytest.mark.parametrize("garbage", [nan, torch.inf, -torch.inf, 7.0])
def test_what_stands_where_there_is_no_passage_has_no_influence(name, garbage):
    mask = torch.tensor(MASK)
    given = torch.tensor(TEACHER)
    short = LOSSES[name](torch.tensor([[0.0, 1.0]]), given[1:, [0, 2]], torch.ones(1, 2, dtype=torch.bool))
    first = LOSSES[name](torch.tensor(SCORES[:1]), given[:1], mask[:1])
    scores = torch.tensor(SCORES).masked_fill(~mask, garbage).requires_grad_()
    loss = LOSSES[name](scores, given.masked_fill(~mask, garbage), mask)
    assert loss.item() == pytest.approx((short.item() + first.item()) / 2, rel=1e-5)
    loss.backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert scores.grad[1, 1] == 0.0


def test_a_teachers_part_where_there_is_no_passage_has_no_influence():
    mask = torch.tensor(MASK)
    wanted = torch.tensor([[0.7, 0.2, 0.1], [0.4, nan, 0.6]])
    by_hand = (kl(TEACHER[0], softmax(SCORES[0])) + kl([0.4, 0.6], softmax([0.0, 1.0]))) / 2
    assert distillation_loss(torch.tensor(SCORES), wanted, mask=mask).item() == pytest.approx(by_hand, rel=1e-5)


@every
def test_gradients_are_those_of_differences_and_reach_the_retriever_alone(name):
    torch.manual_seed(2)
    scores = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    given = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True] * 4, [True, True, False, True]])
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, given.detach(), mask), (scores,))
    LOSSES[name](scores, given, mask).backward()
    assert given.grad is None
    assert scores.grad is not None
    assert scores.grad.abs().sum() > 0


def test_the_trust_term_holds_what_moves_and_not_what_it_is_held_to():
    tensors = [torch.randn(3, 4, dtype=torch.float64, requires_grad=True) for _ in range(4)]
    now, initial, passages, initial_passages = tensors
    assert torch.autograd.gradcheck(
        lambda q, p: trust_loss(q, initial.detach(), passages=p, initial_passages=initial_passages.detach()),
        (now, passages),
    )
    trust_loss(now, initial, passages=passages, initial_passages=initial_passages).backward()
    assert [tensor.grad is not None for tensor in tensors] == [True, False, True, False]


@pytest.mark.parametrize("learns", ["kl", "emdr2"])
def test_two_passages_are_learnt_to_the_teachers_distribution(learns):
    question = torch.tensor([[1.0, 0.5]], requires_grad=True)
    passages = torch.tensor([[[0.3, -0.2], [-0.4, 0.9]]])
    optimizer = torch.optim.SGD([question], lr=0.5)
    for _ in range(400):
        optimizer.zero_grad()
        scores = torch.einsum("bd,bkd->bk", question, passages)
        if learns == "kl":
            loss = distillation_loss(scores, torch.tensor([[0.8, 0.2]]))
        else:
            loss = emdr2_loss(scores, torch.tensor([[-1.0, -9.0]]))
        loss.backward()
        optimizer.step()
    found = retriever_log_probabilities(torch.einsum("bd,bkd->bk", question, passages)).exp()[0].tolist()
    if learns == "kl":
        assert found == pytest.approx([0.8, 0.2], abs=1e-3)
    else:
        assert found[0] > 0.99, "the mixture is most likely with all on the better passage"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_full(dtype):
    scores = (torch.tensor(SCORES) * 20).to(dtype)
    exact = distillation_loss(scores.float(), torch.tensor(TEACHER))
    found = distillation_loss(scores, torch.tensor(TEACHER))
    assert found.dtype == torch.float32
    assert found.item() == exact.item()
    now = torch.full((1, 3), 100.0, dtype=dtype)
    assert trust_loss(now, now + 1, passages=now, initial_passages=now, weight=1.0).item() == pytest.approx(3.0)


def test_log_probabilities_are_of_scores_over_the_temperature():
    theta = sqrt(768) * 0.01
    found = retriever_log_probabilities(torch.tensor(SCORES), temperature=theta, mask=torch.tensor(MASK))
    assert found[0].exp().tolist() == pytest.approx(softmax(SCORES[0], theta), rel=1e-4)
    assert found[1, 1].item() == -torch.inf
    assert found.exp().sum(-1).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("temperature", [0.0, -1.0, nan, float("inf")])
def test_a_temperature_that_is_no_positive_number_is_refused(temperature):
    with pytest.raises(OptionError, match="is not a positive number"):
        distillation_loss(torch.tensor(SCORES), torch.tensor(TEACHER), temperature=temperature)


def test_what_does_not_fit_is_refused():
    scores, teacher = torch.tensor(SCORES), torch.tensor(TEACHER)
    with pytest.raises(OptionError, match="did you mean 'atlas'"):
        distillation_loss(scores, teacher, reduction="attlas")
    with pytest.raises(OptionError, match=r"teacher has shape \(2, 2\); expected \(2, 3\)"):
        distillation_loss(scores, teacher[:, :2])
    with pytest.raises(OptionError, match="mask has shape"):
        distillation_loss(scores, teacher, mask=torch.tensor(MASK)[:1])
    with pytest.raises(OptionError, match="initial embeddings"):
        trust_loss(scores, scores[:1], passages=scores, initial_passages=scores)
    with pytest.raises(InputError, match="row 1 of the batch has no passages"):
        distillation_loss(scores, teacher, mask=torch.tensor([[True] * 3, [False] * 3]))
    with pytest.raises(InputError, match=r"row 0 make no distribution: \[nan, 1.0\]"):
        teacher_distribution(torch.tensor([[nan, 1.0]]))
