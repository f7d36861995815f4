"""Each guide is its formula, token by token."""

import math
from typing import get_args

import numpy as np
import pytest

from elusive.choices import Guide
from elusive.clues.guides import ModelScores, TokenScores, guide_values, needs_of, parts_of

NAN = float("nan")
RECEIVED_LARGE, RECEIVED_SMALL = [0.1, 0.4, 0.2, NAN], [0.2, 0.1, 0.1, NAN]
LOG_LARGE, LOG_SMALL = [-3.0, -1.0, -2.5, NAN], [-2.0, -2.0, -2.0, NAN]
SURPRISAL_LARGE, SURPRISAL_SMALL = [1.0, 0.5, 4.0, 2.0], [3.0, 0.25, 4.5, 2.0]
ENTROPY = [0.5, 2.0, 1.0, 0.1]


def scores(*, sinks: tuple[int, ...] = ()) -> TokenScores:
    is_sink = np.zeros(4, dtype=bool)
    is_sink[list(sinks)] = True
    return TokenScores(
        large=ModelScores(
            received=np.float32(RECEIVED_LARGE),
            log_received=np.float32(LOG_LARGE),
            surprisal=np.float32(SURPRISAL_LARGE),
        ),
        small=ModelScores(
            received=np.float32(RECEIVED_SMALL),
            log_received=np.float32(LOG_SMALL),
            surprisal=np.float32(SURPRISAL_SMALL),
            entropy=np.float32(ENTROPY),
        ),
        sinks=is_sink if sinks else None,
    )


EXPECTED = {
    "surprisal:small": SURPRISAL_SMALL,
    "surprisal:large": SURPRISAL_LARGE,
    "surprisal:difference": [2.0, -0.25, 0.5, 0.0],
    "entropy": ENTROPY,
    "contrast": [-0.1, 0.3, 0.1, NAN],
    "attention:large": RECEIVED_LARGE,
    "attention:small": RECEIVED_SMALL,
    # ranks of surprisal from 0 to 1: .67, 0, 1, .33; of the contrast: 0, 1, .5
    "surprisal+contrast": [1 / 3, 0.5, 0.75, NAN],
}


def test_every_guide_is_tried():
    assert EXPECTED.keys() | {"random"} == set(get_args(Guide))


@pytest.mark.parametrize("guide", EXPECTED)
def test_a_guide_is_its_formula(guide):
    np.testing.assert_allclose(guide_values(guide, scores()), EXPECTED[guide], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("difference", [-0.1, 0.3, 0.1, NAN]),
        ("log-ratio", [math.log(0.5), math.log(4), math.log(2), NAN]),
        ("geometric", [-1.0, 1.0, -0.5, NAN]),
        # ranks of large 0, 1, .5; of small 1, .25, .25
        ("rank-difference", [-1.0, 0.75, 0.25, NAN]),
    ],
)
def test_the_contrast_is_of_its_kind(kind, expected):
    np.testing.assert_allclose(guide_values("contrast", scores(), kind=kind), expected, rtol=1e-5)


def test_random_ranks_nothing_and_needs_nothing():
    assert guide_values("random", scores()) is None
    assert needs_of("random", None) == frozenset()


@pytest.mark.parametrize("guide", EXPECTED)
def test_a_sink_has_no_value_where_attention_guides_and_keeps_it_elsewhere(guide):
    values = guide_values(guide, scores(sinks=(1,)))
    uses_attention = any(part.field == "received" for part in parts_of(guide))
    assert np.isnan(values[1]) == uses_attention
    assert not np.isnan(values[[0, 2]]).any()


@pytest.mark.parametrize("guide", EXPECTED)
def test_what_a_guide_needs_is_enough_for_it_and_nothing_less_is(guide):
    complete = scores()
    for left_out in [None, *parts_of(guide)]:
        kept = {"large": {}, "small": {}}
        for part in parts_of(guide):
            if part != left_out:
                kept[part.role][part.field] = getattr(getattr(complete, part.role), part.field)
        given = TokenScores(large=ModelScores(**kept["large"]), small=ModelScores(**kept["small"]))
        if left_out is None:
            np.testing.assert_array_equal(guide_values(guide, given), guide_values(guide, complete))
        else:
            with pytest.raises(AssertionError):
                guide_values(guide, given)


def test_needs_of_several_guides_are_all_of_them():
    assert needs_of("surprisal:small", "attention:large") == {("small", "predictions"), ("large", "attention")}
