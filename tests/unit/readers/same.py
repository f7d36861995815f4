"""When two readings are the same."""

import numpy as np

from elusive.readers.reader import ReaderScores

TOLERANCE = 1e-6
"""Of an example's whole attention, and of a target's whole probability."""


def assert_same(one: ReaderScores, other: ReaderScores) -> None:
    assert one.tokens.text == other.tokens.text
    assert one.tokens.ids.tolist() == other.tokens.ids.tolist()
    assert np.abs(one.token_scores - other.token_scores).max() / one.token_scores.sum() <= TOLERANCE
    assert np.abs(one.target - other.target).max() <= TOLERANCE
