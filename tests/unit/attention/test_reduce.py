"""The column sums themselves, on attention small enough to add up by hand, and on random products."""

import pytest
import torch
from comparison import TOLERANCE
from hypothesis import given, settings
from hypothesis import strategies as st

from elusive.attention import reduce
from elusive.attention.reduce import ExactRows, Reduction, flash_attention_cpu, flash_column_sums

ATTENTION = torch.tensor(
    [[1.0, 0.0, 0.0, 0.0], [0.7, 0.3, 0.0, 0.0], [0.5, 0.2, 0.3, 0.0], [0.1, 0.2, 0.3, 0.4]]
).expand(1, 1, 4, 4)
CAUSAL = torch.ones(1, 1, 4, 4, dtype=torch.bool).tril()


def sums(attention=ATTENTION, visible=CAUSAL, *, counted=(0.0, 1.0, 1.0, 1.0), pieces=(4,), **options):
    rows = ExactRows(Reduction(counted=torch.tensor([counted]), **options), attention.shape[1])
    start = 0
    for n in pieces:
        stop = start + n
        rows.add(attention[:, :, start:stop, :stop].clone(), visible[..., start:stop, :stop], first_row=start)
        start = stop
    return rows.finish()


@pytest.mark.parametrize("pieces", [(4,), (1, 1, 1, 1), (3, 1), (2, 2)])
def test_columns_are_added_by_hand(pieces):
    found = sums(pieces=pieces)
    assert found.sums[0].tolist() == pytest.approx([1.3, 0.4, 0.3, 0.0])
    assert found.followers[0].tolist() == [3.0, 2.0, 1.0, 0.0]
    assert found.first.tolist() == pytest.approx([1.3])


def test_rows_that_do_not_count_are_left_out_of_sums_and_followers():
    found = sums(counted=(0.0, 1.0, 0.0, 1.0))
    assert found.sums[0].tolist() == pytest.approx([0.8, 0.2, 0.3, 0.0])
    assert found.followers[0].tolist() == [2.0, 1.0, 1.0, 0.0]


def test_followers_are_those_that_the_mask_lets_see_whatever_their_weight():
    window = CAUSAL & ~CAUSAL.tril(-2)
    found = sums(torch.eye(4).expand(1, 1, 4, 4), window)
    assert found.sums[0].tolist() == [0.0] * 4
    assert found.followers[0].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_heads_are_averaged_over_those_chosen():
    two = torch.cat([ATTENTION, ATTENTION.flip(-1).tril()], dim=1)
    assert torch.equal(sums(two, heads=(0,)).sums, sums().sums)
    both = sums(two).sums * 2
    assert torch.allclose(both, sums(two, heads=(0,)).sums + sums(two, heads=(1,)).sums)


def test_renormalised_rows_share_what_the_first_token_left():
    found = sums(renormalise=True)
    assert found.sums[0].tolist() == pytest.approx([0.0, 0.2 / 0.5 + 0.2 / 0.9, 0.3 / 0.9, 0.0])
    assert found.first.tolist() == pytest.approx([1.3]), "the sink is measured before"
    assert found.followers[0].tolist() == [0.0, 2.0, 1.0, 0.0]


def test_renormalised_rows_that_give_everything_to_the_first_token_stay_finite():
    saturated = torch.zeros(1, 1, 9, 9)
    saturated[..., 0] = 1.0
    visible = torch.ones(1, 1, 9, 9, dtype=torch.bool).tril()
    found = sums(saturated, visible, counted=(1.0,) * 9, pieces=(9,), renormalise=True)
    assert found.sums[0].tolist() == [0.0] * 9


@given(
    batch=st.integers(1, 2),
    kv_heads=st.integers(1, 2),
    group=st.integers(1, 3),
    n_tokens=st.integers(1, 30),
    rows=st.integers(1, 11),
    scaling=st.sampled_from([0.1, 0.5, 2.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_sums_from_the_log_sum_exp_equal_sums_of_the_weights(batch, kv_heads, group, n_tokens, rows, scaling, seed):
    generator = torch.Generator().manual_seed(seed)
    query = torch.randn(batch, kv_heads * group, n_tokens, 8, generator=generator) * 2
    key, value = torch.randn(2, batch, kv_heads, n_tokens, 8, generator=generator)
    counted = (torch.rand(batch, n_tokens, generator=generator) > 0.3).float()
    heads = (0,) if seed % 2 else None
    visible = torch.ones(1, 1, n_tokens, n_tokens, dtype=torch.bool).tril()
    scores = query @ key.repeat_interleave(group, 1).transpose(-1, -2) * scaling
    weights = scores.masked_fill(~visible, -torch.inf).softmax(-1)
    reduction = Reduction(counted=counted, heads=heads)
    exact = ExactRows(reduction, kv_heads * group)
    exact.add(weights, visible, first_row=0)
    expected = exact.finish()

    out, lse = flash_attention_cpu(query, key, value, scaling=scaling)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reduce, "FLASH_ROWS", rows)
        found = flash_column_sums(query, key, lse, scaling=scaling, reduction=reduction)
    assert torch.allclose(out, weights_before(scores, visible) @ value.repeat_interleave(group, 1), atol=1e-5)
    assert torch.allclose(found.sums, expected.sums, atol=n_tokens * TOLERANCE)
    assert torch.equal(found.followers, expected.followers)
    assert torch.allclose(found.first, expected.first, atol=n_tokens * TOLERANCE)


def weights_before(scores: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """The weights again, for the reduction overwrites its own."""
    return scores.masked_fill(~visible, -torch.inf).softmax(-1)
