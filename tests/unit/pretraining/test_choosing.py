"""The best step and the end of a run, against loops that a reader can follow."""

from hypothesis import given
from hypothesis import strategies as st

from elusive.pretraining.choosing import Score, best_place, has_stalled

SHARES = st.sampled_from([0.0, 0.25, 0.5, 1.0])
CURVES = st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=9)


def slow_best(scores: list[Score]) -> int:
    best = 0
    for place, (exact, f1) in enumerate(scores):
        best_exact, best_f1 = scores[best]
        if exact > best_exact or (exact == best_exact and f1 > best_f1):
            best = place
    return best


def slow_stalled(scores: list[Score], patience: int) -> bool:
    """Whether a run that is watched from its start runs out of patience at its last measurement, or before."""
    waited = 0
    for n in range(2, len(scores) + 1):
        waited = 0 if slow_best(scores[:n]) == n - 1 else waited + 1
    return waited >= patience


@given(CURVES)
def test_the_best_is_the_first_that_nothing_exceeds(scores: list[Score]) -> None:
    assert best_place(scores) == slow_best(scores)


@given(CURVES, st.integers(1, 4))
def test_a_run_stalls_after_so_many_measurements_without_a_new_best(scores: list[Score], patience: int) -> None:
    assert has_stalled(scores, patience=patience) == slow_stalled(scores, patience)


def test_nothing_measured_is_no_stall() -> None:
    assert not has_stalled([], patience=1)
