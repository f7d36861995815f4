"""A sink in the text is told from a word that is much attended to."""

import numpy as np
import pytest

from elusive.clues.sinks import LEAST_SHARE, displaced_sinks


def sinks(received: list[float], *, prefix: float = 0.03) -> list[int]:
    values = np.float32(received)
    n_followers = np.arange(len(values))[::-1]
    return np.flatnonzero(displaced_sinks(values, n_followers=n_followers, prefix_share=prefix)).tolist()


def text_with(*, at: int, share: float, n: int = 60) -> list[float]:
    received = [0.01] * n
    received[at] = share
    return received


def test_a_first_word_that_takes_the_sink_is_found():
    assert sinks(text_with(at=0, share=0.34)) == [0]


def test_a_word_of_a_fifth_is_no_sink():
    assert sinks(text_with(at=4, share=0.205)) == []


@pytest.mark.parametrize(("share", "found"), [(LEAST_SHARE, [3]), (LEAST_SHARE - 0.001, [])])
def test_the_least_share_counts(share, found):
    assert sinks(text_with(at=3, share=share)) == found


def test_near_the_end_few_followers_may_give_much():
    assert sinks(text_with(at=58, share=0.9)) == []
    assert sinks(text_with(at=43, share=0.9)) == [43]  # sixteen followers


def test_beside_a_strong_prefix_a_second_sink_takes_half_as_much():
    assert sinks(text_with(at=3, share=0.3), prefix=0.7) == []
    assert sinks(text_with(at=3, share=0.36), prefix=0.7) == [3]


def test_undefined_tokens_are_no_sinks():
    assert sinks([float("nan")] * 40) == []
