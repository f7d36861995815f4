"""Several readers in order: on the same examples, and with what is real among their differences."""

import math

import pytest
from reader_cases import given, reader

from elusive.errors import OptionError
from elusive.indicators.ranking import ranking
from elusive.indicators.readings import Measure

ANSWER, QUESTION = Measure("answer", 95), Measure("question", 90)


def test_readers_are_in_order_and_only_planted_differences_are_real() -> None:
    readers = [reader("same", noise=1), reader("tuned", planted=30, noise=2), reader("untuned", noise=3)]
    found = ranking(readers)
    assert found.readers[0].reader == "tuned"
    real = {(d.better, d.worse): d.is_real for d in found.differences}
    assert len(real) == 3
    assert {pair for pair, is_real in real.items() if is_real} == {("tuned", "same"), ("tuned", "untuned")}


def test_all_are_compared_on_the_examples_that_all_have() -> None:
    by_lift = {
        "lucky": {"a": (1, 0), "b": (2, 0), "c": (50, 0), "easy": (99, 0)},
        "better": {"a": (3, 0), "b": (4, 0), "c": (math.nan, 0)},
        "third": {"b": (3, 0), "a": (0, 0), "c": (5, 0), "easy": (99, 0)},
    }
    found = ranking([given(name, figures, measure=ANSWER) for name, figures in by_lift.items()])
    assert [(r.reader, r.mean.mean, r.mean.n) for r in found.readers] == [
        ("better", 3.5, 2),
        ("lucky", 1.5, 2),
        ("third", 1.5, 2),
    ]
    assert [d.difference.mean for d in found.differences] == [2, 2, 0]


def test_the_order_in_which_readers_are_given_makes_no_difference() -> None:
    readers = [reader("a", n=20), reader("b", planted=9, n=20), reader("c", planted=3, n=20)]
    for figure in ("lift", "spearman"):
        there, back = ranking(readers, figure=figure), ranking(readers[::-1], figure=figure)
        assert there == back


def test_one_reader_is_a_ranking_without_differences() -> None:
    found = ranking([reader("a", n=3)])
    assert ([r.reader for r in found.readers], found.differences) == (["a"], ())


def test_what_cannot_be_compared_is_refused() -> None:
    a, b = (given(name, {name: (1, 0)}, measure=ANSWER) for name in "ab")
    with pytest.raises(OptionError, match="no example in common"):
        ranking([a, b])
    with pytest.raises(OptionError, match="no example in common"):
        ranking([])
    with pytest.raises(OptionError, match="one name: a, a"):
        ranking([a, a])
    t5 = reader("t5", n=3, kind="encoder-decoder")
    assert ranking([t5, reader("c", n=3)]).figure == "lift"
    with pytest.raises(OptionError, match="encoder-decoder reader 't5'"):
        ranking([t5, reader("c", n=3)], figure="spearman")
    with pytest.raises(OptionError, match="encoder-decoder reader 't5'"):
        ranking([t5], measure=QUESTION)
