"""Pooling against each definition in plain Python, wherever the padding lies."""

from math import sqrt
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elusive.retrieval.pooling import Pooling, pool

KINDS = get_args(Pooling)


def plainly(rows: list[list[float]], kind: Pooling) -> list[float]:
    """One text's vector, from the states of its real tokens."""
    columns = list(zip(*rows, strict=True))
    weights = range(1, len(rows) + 1)
    return {
        "cls": rows[0],
        "last": rows[-1],
        "max": [max(column) for column in columns],
        "mean": [sum(column) / len(rows) for column in columns],
        "mean-sqrt-len": [sum(column) / sqrt(len(rows)) for column in columns],
        "weighted-mean": [
            sum(w * x for w, x in zip(weights, column, strict=True)) / sum(weights) for column in columns
        ],
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_it_is_as_defined_on_either_side_of_the_padding(kind, lengths, seed):
    longest = max(lengths)
    states = torch.randn(len(lengths), longest, 3, generator=torch.Generator().manual_seed(seed))
    right = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
    for mask in (right, right.flip(1)):
        expected = [plainly(row[real].tolist(), kind) for row, real in zip(states, mask, strict=True)]
        np.testing.assert_allclose(pool(states, mask, kind).numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_at_padding_counts_for_nothing(kind):
    states, mask = torch.randn(1, 4, 3), torch.tensor([[True, True, False, False]])
    other = states.clone()
    other[0, 2:] = 1e6
    assert torch.equal(pool(states, mask, kind), pool(other, mask, kind))


def test_a_mean_of_bf16_states_is_summed_in_fp32():
    states = torch.full((1, 1000, 1), 1.0, dtype=torch.bfloat16)
    states[0, 0] = 3.0
    vector = pool(states, torch.ones(1, 1000, dtype=torch.bool), "mean")
    assert vector.dtype == torch.float32
    assert vector.item() == pytest.approx(1.002, abs=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert pool(states, torch.ones(1, 1000, dtype=torch.bool), "mean").item() == vector.item()
