"""Large minus small, and the order of the result."""

import math

import numpy as np
import pytest
import torch
from clue_cases import examples
from hypothesis import given
from hypothesis import strategies as st

from elusive.clues.contrast import contrast, rank
from elusive.errors import OptionError

NAN = math.nan
KINDS = ["difference", "log-ratio", "rank-difference"]
scores = st.floats(0, 1, width=32) | st.just(NAN)


def test_difference_is_large_minus_small():
    found = contrast([0.5, 0.25, 0.125], [0.25, 0.5, 0.125])
    np.testing.assert_array_equal(found, np.float32([0.25, -0.25, 0]))
    assert found.dtype == np.float32


def test_log_ratio_is_the_logarithm_of_large_over_small():
    found = contrast([0.5, 0.25, 0.125], [0.25, 0.5, 0.125], kind="log-ratio")
    np.testing.assert_allclose(found, [math.log(2), -math.log(2), 0], rtol=1e-6)


def test_log_ratio_of_attention_that_underflowed_is_finite_and_ordered():
    found = contrast([0, 1e-30, 0, 0.1], [0.1, 0.1, 0, 0], kind="log-ratio")
    assert np.isfinite(found).all()
    assert found[0] < found[1] < found[2] == 0 < found[3]


def test_rank_difference_is_between_ranks_scaled_to_one():
    # large ranks 0, 1, ½; small ranks 1, 0, ½
    found = contrast([0.1, 0.4, 0.2], [0.3, 0.1, 0.2], kind="rank-difference")
    np.testing.assert_array_equal(found, [-1, 1, 0])


def test_rank_difference_averages_ties_and_counts_defined_scores_only():
    # large: 1 and 1 tie on ranks 0 and 1 of 0 … 2; small: ranks 0, 1, 2 of the same three
    found = contrast([1, NAN, 1, 3], [1, NAN, 2, 3], kind="rank-difference")
    np.testing.assert_array_equal(found, [0.25, NAN, -0.25, 0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [[], [0.5], [NAN], [NAN, NAN]])
def test_texts_with_next_to_no_tokens_have_a_contrast(kind, values):
    found = contrast(values, values, kind=kind)
    np.testing.assert_array_equal(found, [0 if v == v else NAN for v in values])


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_its_rows(kind):
    rng = np.random.default_rng(0)
    large, small = rng.random((2, 3, 7), dtype=np.float32)
    large[1, 2] = small[1, 2] = small[2, 6] = NAN
    together = contrast(large, small, kind=kind)
    alone = [contrast(a, b, kind=kind) for a, b in zip(large, small, strict=True)]
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("kind", KINDS)
@given(pairs=st.lists(st.tuples(scores, scores), max_size=12))
@examples(40)
def test_undefined_where_either_score_is_and_nowhere_else(kind, pairs):
    large, small = [a for a, _ in pairs], [b for _, b in pairs]
    found = contrast(large, small, kind=kind)
    assert np.isnan(found).tolist() == [math.isnan(a) or math.isnan(b) for a, b in pairs]


def test_tensors_are_arrays_too():
    found = contrast(torch.tensor([0.5, 0.25]), torch.tensor([0.25, 0.5]))
    np.testing.assert_array_equal(found, [0.25, -0.25])


def test_shapes_that_differ_are_refused():
    with pytest.raises(OptionError, match=r"large scores have shape \(2,\), small scores \(3,\)"):
        contrast([1, 2], [1, 2, 3])
    with pytest.raises(OptionError, match="the same tokens"):
        contrast([[1, 2]], [1, 2])  # would broadcast


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(OptionError, match=r"'ratio' is not one of 'difference', 'log-ratio'"):
        contrast([1], [1], kind="ratio")


def test_rank_counts_from_zero_largest_first():
    np.testing.assert_array_equal(rank([0.1, 0.9, -2, 0.5]), [2, 0, 3, 1])


@given(values=st.lists(st.sampled_from([NAN, -math.inf, -1.0, -0.0, 0.0, 0.5, 1.0]), max_size=20))
@examples(100)
def test_rank_is_stable_and_leaves_out_what_has_no_score(values):
    order = sorted((i for i, v in enumerate(values) if v == v), key=lambda i: (-values[i], i))
    expected = [order.index(i) if i in order else -1 for i in range(len(values))]
    assert rank(values).tolist() == expected
