"""From token scores to passage scores and targets, against numbers worked out by hand."""

from math import exp, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elusive.errors import InputError
from elusive.readers.passage_scores import (
    atlas,
    fid_kd,
    means_by_passage,
    share,
    softmax_of_standardised,
    sums_by_passage,
)

PASSAGE = np.array([-1, 1, 1, -1, 0, 2, -1])
SCORES = np.array([9.0, 1.0, 2.0, 9.0, 4.0, 3.0, 9.0])

passage_scores = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8).map(np.array)
targets = pytest.mark.parametrize(
    "target", [share, atlas, fid_kd, lambda s: softmax_of_standardised(s, temperature=0.5)]
)


def test_sums_leave_out_what_is_no_passages():
    assert sums_by_passage(SCORES, PASSAGE, n_passages=4).tolist() == [4.0, 3.0, 3.0, 0.0]


def test_sums_are_taken_for_each_layer_and_head():
    assert sums_by_passage(np.ones((2, 3, 7)), PASSAGE, n_passages=3).tolist() == [[[1.0, 2.0, 1.0]] * 3] * 2


def test_means_are_over_a_passages_own_tokens_and_none_is_minus_infinity():
    assert means_by_passage(SCORES, PASSAGE, n_passages=4).tolist() == [4.0, 1.5, 3.0, -inf]


def test_share_by_hand():
    assert share(np.array([4.0, 3.0, 1.0])).tolist() == [0.5, 0.375, 0.125]


def test_softmax_of_standardised_scores_by_hand():
    # Mean 3, deviation 1: z is -1 and 1; over a temperature of 2, -0.5 and 0.5.
    expected = [1 / (1 + exp(1)), 1 / (1 + exp(-1))]
    assert softmax_of_standardised(np.array([2.0, 4.0]), temperature=2.0) == pytest.approx(expected)


def test_atlas_by_hand():
    assert atlas(np.array([0.0, 2.56])) == pytest.approx([1 / (1 + exp(1)), 1 / (1 + exp(-1))])


def test_fid_kd_by_hand_gives_nothing_to_a_passage_without_tokens():
    assert fid_kd(np.array([1.0, -inf, 2.0])) == pytest.approx([1 / (1 + exp(1)), 0.0, 1 / (1 + exp(-1))])


def test_equal_scores_are_an_even_target():
    assert softmax_of_standardised(np.array([2.0, 2.0]), temperature=1.0).tolist() == [0.5, 0.5]


@targets
@given(scores=passage_scores)
def test_a_target_is_a_distribution_in_the_order_of_the_scores(target, scores):
    found = target(scores)
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0).all()
    assert (np.diff(found[np.argsort(scores)]) >= -1e-12).all()


@targets
@given(scores=passage_scores, seed=st.integers(0, 99))
def test_permuting_passages_permutes_the_target(target, scores, seed):
    order = np.random.default_rng(seed).permutation(len(scores))
    assert target(scores[order]) == pytest.approx(target(scores)[order])


@pytest.mark.parametrize("scores", [np.zeros(3), np.full(3, np.nan)])
def test_nothing_to_share_is_refused(scores):
    with pytest.raises(InputError, match="no attention at all"):
        share(scores)


def test_passages_without_any_token_are_refused():
    with pytest.raises(InputError, match="no tokens"):
        fid_kd(np.full(2, -inf))
