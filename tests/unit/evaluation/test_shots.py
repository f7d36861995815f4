"""Shots: of other people, on the same field, the same for every model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elusive.errors import InputError
from elusive.evaluation.shots import ShotDraw
from tests.unit.evaluation.exams import asked

FIELDS = ("major", "company", None)
POOL = [asked(f"P{i}", field, answer=f"{field}-{i}") for i in range(9) for field in FIELDS]


def draw(examples=POOL, *, n: int = 3, seed: int = 0) -> ShotDraw:
    return ShotDraw(examples, n=n, seed=seed, source="people.jsonl")


@given(n=st.integers(0, 8), seed=st.integers(0, 3), person=st.integers(0, 8), field=st.sampled_from(FIELDS[:2]))
def test_shots_are_of_other_people_and_on_the_same_field(n: int, seed: int, person: int, field: str) -> None:
    shots = draw(n=n, seed=seed).of(asked(f"P{person}", field))
    assert len({shot.answer for shot in shots}) == n
    assert all(shot.answer.startswith(f"{field}-") and shot.answer != f"{field}-{person}" for shot in shots)


def test_shots_depend_on_seed_and_question_alone() -> None:
    first, again = draw(), draw()
    questions = [asked(f"P{i}", "major") for i in range(9)]
    one_by_one = {one.question.id: again.of(one) for one in reversed(questions)}
    assert [first.of(one) for one in questions] == [one_by_one[one.question.id] for one in questions]
    assert [draw(seed=1).of(one) for one in questions] != [first.of(one) for one in questions]
    assert len({first.of(one) for one in questions}) > 3


def test_every_other_person_is_drawn_at_times() -> None:
    seen = {shot.answer for seed in range(40) for shot in draw(seed=seed).of(asked("P0", "major"))}
    assert seen == {f"major-{i}" for i in range(1, 9)}


def test_the_question_itself_is_no_shot_under_another_id_or_spelling() -> None:
    pool = [asked("a", None, text="Who met Mara?"), asked("b", None, text="who met  MARA"), asked("c", None, text="x?")]
    [shot] = draw(pool, n=1).of(asked("d", None, text="Who met Mara"))
    assert shot.question == "x?"


def test_examples_without_fields_serve_every_field() -> None:
    pool = [asked(f"q{i}", None, answer=str(i)) for i in range(4)]
    assert len(draw(pool, n=4).of(asked("P0", "major"))) == 4


def test_too_few_examples_are_told_with_how_many_there_are() -> None:
    with pytest.raises(
        InputError, match=r"people\.jsonl has 8 examples for question 'P0/major', and --shots asks for 9; lower it"
    ):
        draw(n=9).of(asked("P0", "major"))
    with pytest.raises(InputError, match=r"has 1 example for"):
        draw(POOL[:1] + POOL[3:4], n=2).of(asked("P0", "major"))
    with pytest.raises(InputError, match=r"has 0 examples for question 'P0/city'"):
        draw(n=1).of(asked("P0", "city"))
    assert draw([], n=0).of(asked("P0", "major")) == ()
