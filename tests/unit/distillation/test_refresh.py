"""When the index is refreshed: three grammars, and how stale results are."""

import pytest

from elusive.distillation.refresh import overlap_at, refresh_policy
from elusive.errors import OptionError


def due(text: str, *, until: int) -> list[int]:
    policy = refresh_policy(text)
    return [step for step in range(until + 1) if policy.due(step)]


def test_every_so_many_steps():
    assert due("200", until=650) == [200, 400, 600]
    assert due(" 1 ", until=3) == [1, 2, 3]


def test_spans_count_from_their_own_first_step_as_in_atlas():
    assert due("0-1000:500,1000-10000:2000", until=6000) == [500, 1000, 3000, 5000]
    assert due("10-20:4", until=100) == [10, 14, 18]
    assert due("0-5:2, 7-9:1", until=20) == [2, 4, 7, 8]


def test_never_is_never():
    assert due("never", until=1000) == []
    assert not any(refresh_policy("never").measures(step) for step in range(100))


def test_staleness_is_measured_and_not_scheduled():
    policy = refresh_policy("overlap:0.8")
    assert not any(policy.due(step) for step in range(100))
    assert [step for step in range(31) if policy.measures(step)] == [10, 20, 30]
    assert [step for step in range(60) if refresh_policy("overlap:.5:25").measures(step)] == [25, 50]
    assert [policy.is_stale(overlap) for overlap in (0.79, 0.8, 1.0, float("nan"))] == [True, False, False, True]
    assert not refresh_policy("200").is_stale(0.0)
    assert not refresh_policy("200").measures(200)


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("", "'' is no span; expected a number of steps"),
        ("often", "'often' is no span"),
        ("0", "every 0 steps is no interval"),
        ("-1", "'-1' is no span; expected .* or 'never'"),
        ("0-10:0", "every 0 steps"),
        ("10-10:5", "the span '10-10:5' is empty"),
        ("0-10:5,5-20:5", "a span begins at step 5, and the one before it ends at 10"),
        ("10-20:5,0-10:5", "begins at step 0"),
        ("0-10:5,", "'' is no span"),
        ("0-10", "'0-10' is no span"),
        ("²", "is no span"),
        ("overlap:", "expected 'overlap:' and a share"),
        ("overlap:1.2", "at most 1"),
        ("overlap:0", "above 0"),
        ("overlap:1.2.3", "a share"),
        ("overlap:0.8:0", "every 0 steps"),
    ],
)
def test_what_is_no_policy_is_refused_in_one_line(text, because):
    with pytest.raises(OptionError, match=because) as caught:
        refresh_policy(text)
    assert "\n" not in str(caught.value)


def test_overlap_is_the_part_of_the_fresh_results_that_were_there():
    assert overlap_at(2, [["a", "b", "c"], ["a", "b"]], [["b", "a"], ["c", "a"]]) == pytest.approx((1 + 0.5) / 2)
    assert overlap_at(3, [["a", "b", "c"]], [["d", "e", "f"]]) == 0.0
    assert overlap_at(1, [[1, 2]], [[2, 1]]) == 0.0
    assert overlap_at(5, [["a", "b"]], [["b", "a"]]) == 1.0, "of a corpus smaller than k"
    assert overlap_at(5, [["a", "b"]], [["b"]]) == 1.0, "all that is fresh was there"
    assert overlap_at(5, [["a"]], [[]]) == 1.0


def test_overlap_of_unlike_questions_is_refused():
    for results, fresh in (([], []), ([["a"]], [["a"], ["b"]])):
        with pytest.raises(OptionError, match="questions"):
            overlap_at(1, results, fresh)
    with pytest.raises(OptionError, match="k is 0"):
        overlap_at(0, [["a"]], [["a"]])
