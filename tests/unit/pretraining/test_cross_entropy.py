"""The cross-entropy in parts is the one that is written out, in value and gradient, and never holds all logits."""

import math

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from elusive.pretraining import cross_entropy
from elusive.pretraining.cross_entropy import LogitFormula, summed_cross_entropy

N_ROWS, WIDTH, N_WORDS = 7, 5, 11
FORMULAS = {
    "plain": LogitFormula(),
    "scaled": LogitFormula(scale=0.25),
    "capped": LogitFormula(cap=2.0),
    "both": LogitFormula(scale=1.5, cap=2.0),
}


def oracle(rows, weight, bias, targets, formula):
    """In words, number by number: the loss of each row, summed, as a graph of float64 scalars."""
    total = torch.zeros((), dtype=torch.float64)
    for row, target in zip(rows, targets, strict=True):
        logits = []
        for word in range(len(weight)):
            z = (row * weight[word]).sum() + (0 if bias is None else bias[word])
            z = z * formula.scale
            logits.append(z if formula.cap is None else formula.cap * torch.tanh(z / formula.cap))
        total = total - logits[target] + torch.log(sum(torch.exp(logit) for logit in logits))
    return total


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Linear(WIDTH, N_WORDS)


@pytest.fixture
def rows():
    return torch.randn(N_ROWS, WIDTH, generator=torch.Generator().manual_seed(1)).mul(3).requires_grad_()


@pytest.fixture
def targets():
    return torch.randint(0, N_WORDS, (N_ROWS,), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("at_a_time", [1, 3 * N_WORDS, 1000])
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_parts_are_the_oracle_in_value_and_gradient(layer, rows, targets, formula, biased, at_a_time, monkeypatch):
    monkeypatch.setattr(cross_entropy, "LOGITS_AT_A_TIME", at_a_time)
    layer.bias = layer.bias if biased else None
    given = [rows, layer.weight, *([layer.bias] if biased else [])]
    exact = [value.detach().double().requires_grad_() for value in given]
    expected = oracle(exact[0], exact[1], exact[2] if biased else None, targets, formula)
    expected.mul(0.5).backward()

    found = summed_cross_entropy(rows, layer, targets, formula=formula)
    found.mul(0.5).backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for value, double in zip(given, exact, strict=True):
        torch.testing.assert_close(value.grad.double(), double.grad, rtol=1e-4, atol=1e-5)


def test_what_is_frozen_gets_no_gradient_and_the_rest_the_same(layer, rows, targets):
    summed_cross_entropy(rows, layer, targets, formula=LogitFormula()).backward()
    expected = rows.grad.clone()
    rows.grad = None
    layer.zero_grad()
    layer.requires_grad_(False)
    summed_cross_entropy(rows, layer, targets, formula=LogitFormula()).backward()
    assert torch.equal(rows.grad, expected)
    assert layer.weight.grad is None


def test_of_no_rows_the_loss_and_its_gradient_are_zero(layer, rows, targets):
    loss = summed_cross_entropy(rows[:0], layer, targets[:0], formula=LogitFormula())
    loss.backward()
    assert loss.item() == 0
    assert not rows.grad.any()
    assert not layer.weight.grad.any()


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_large_outputs_do_not_overflow(layer, rows, targets, formula):
    loss = summed_cross_entropy(rows * 1e4, layer, targets, formula=formula)
    loss.backward()
    assert math.isfinite(loss.item())
    assert rows.grad.isfinite().all()


def test_in_mixed_precision_the_gradients_stay_in_float32(layer, rows, targets):
    summed_cross_entropy(rows, layer, targets, formula=LogitFormula()).backward()
    exact = [rows.grad.clone(), layer.weight.grad.clone()]
    rows.grad = None
    layer.zero_grad()
    seen = Largest()
    with torch.autocast("cpu", dtype=torch.bfloat16), seen:
        loss = summed_cross_entropy(rows, layer, targets, formula=LogitFormula())
    loss.backward()
    assert torch.bfloat16 in seen.dtypes, "the products are in 16 bits"
    assert loss.dtype == torch.float32
    for found, expected in zip([rows.grad, layer.weight.grad], exact, strict=True):
        assert found.dtype == torch.float32
        assert not torch.equal(found, expected)
        torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)


class Largest(TorchDispatchMode):
    """The largest tensor that an operation makes, and the types of all."""

    def __init__(self):
        super().__init__()
        self.size, self.dtypes = 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **kwargs or {})
        for tensor in torch.utils._pytree.tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self.size = max(self.size, tensor.numel())
                self.dtypes.add(tensor.dtype)
        return made


def test_no_more_logits_than_those_of_a_part_are_ever_made(layer, rows, targets, monkeypatch):
    monkeypatch.setattr(cross_entropy, "LOGITS_AT_A_TIME", 2 * N_WORDS + 1)
    layer.requires_grad_(False)
    with Largest() as whole:
        layer(rows)
    assert whole.size == N_ROWS * N_WORDS, "or else nothing would be seen here"
    with Largest() as seen:
        summed_cross_entropy(rows, layer, targets, formula=FORMULAS["both"]).backward()
    assert seen.size == N_WORDS * WIDTH, "of the weights; logits of two rows are fewer"
