"""Arms held against each other: against slow oracles, how often equal arms are told apart, and what words say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elusive.errors import InputError
from elusive.evaluation.arms import compare
from elusive.evaluation.arms_options import best_options
from elusive.evaluation.arms_reading import Arm, Evaluation, read_arms
from elusive.evaluation.arms_result import ArmsComparison, Difference
from elusive.evaluation.arms_training import Training
from elusive.evaluation.result import Answer
from tests.arms_folders import experiment

Marks = Sequence[Sequence[float]]
"""By person, of each of their questions."""


def evaluated(people: Marks, *, seed: int = 0, options: Mapping[str, Any] | None = None, **training: Any) -> Evaluation:
    """Each seed has people of its own."""
    answers = tuple(
        Answer(
            id=f"{seed}-{person}-{number}",
            group=f"{seed}-{person}",
            field=f"field {number}",
            question="?",
            answers=("x",),
            prediction="x",
            em=mark,
            f1=mark,
        )
        for person, marks in enumerate(people)
        for number, mark in enumerate(marks)
    )
    known = Training(**{"steps": None, "drop_rate": None, "options": {}, **training})
    return Evaluation(
        folder=Path("x"), name="x", answers=answers, perplexities={}, options=options or {}, training=known
    )


def arms_of(found: Mapping[str, Sequence[Marks]], **options: Any) -> list[Arm]:
    return [
        Arm(name, tuple(evaluated(people, seed=seed, **options) for seed, people in enumerate(seeds)))
        for name, seeds in found.items()
    ]


def compared(found: Mapping[str, Sequence[Marks]], *references: str) -> ArmsComparison:
    return compare(arms_of(found), references=references or (next(iter(found)),))


def difference(found: Mapping[str, Sequence[Marks]]) -> Difference:
    return compared(found).headline[0]


def draws(share: float, *, seed: int, n_people: int = 30, n_seeds: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [(rng.random((n_people, 3)) < share).astype(float) for _ in range(n_seeds)]


def test_seeds_weigh_the_same_however_many_questions_they_have() -> None:
    found = compared({"a": [[[1.0]] * 9, [[0.0]]], "b": [[[0.0]] * 9, [[0.0]]]})
    assert found.arms[0].estimates["exact_match"].mean == 0.5
    assert found.headline[0].difference.mean == -0.5
    assert (found.n_seeds, found.n_questions, found.n_groups, found.best) == (2, 10, 10, "a")


def test_the_interval_is_that_of_people_drawn_again_within_each_seed() -> None:
    """A slow bootstrap, its draws in other words."""
    a, b = draws(0.6, seed=1), draws(0.4, seed=2)
    found = difference({"b": b, "a": a}).difference
    rng = np.random.default_rng(7)
    means = []
    for _ in range(2000):
        by_seed = []
        for mine, theirs in zip(a, b, strict=True):
            people = rng.choice(len(mine), len(mine))
            by_seed.append(np.mean([mine[person] - theirs[person] for person in people]))
        means.append(np.mean(by_seed))
    low, high = np.percentile(means, (2.5, 97.5))
    assert found.mean == pytest.approx(np.mean(a) - np.mean(b))
    assert found.interval == (pytest.approx(low, abs=0.012), pytest.approx(high, abs=0.012))


def test_questions_on_one_person_are_not_taken_for_independent() -> None:
    people = draws(0.5, seed=3, n_people=40)
    alike = [np.repeat(marks[:, :1], 3, axis=1) for marks in people]
    apart = [marks.reshape(-1, 1)[: marks.size] for marks in alike]
    of_people, of_questions = (compared({"a": marks, "b": marks}).arms[0] for marks in (alike, apart))
    widths = [np.ptp(one.estimates["exact_match"].interval) for one in (of_people, of_questions)]
    assert widths[0] > 1.4 * widths[1]


def test_the_same_people_asked_at_each_seed_are_no_more_people() -> None:
    a, b = draws(0.6, seed=1)[0], draws(0.4, seed=2)[0]

    def bounds(*seeds: int) -> Any:
        arms = [Arm(name, tuple(evaluated(marks, seed=s) for s in seeds)) for name, marks in (("b", b), ("a", a))]
        found = compare(arms, references=["b"])
        assert found.n_groups == 30 * len(set(seeds))
        return found.headline[0].difference.interval

    assert bounds(0, 0, 0) == pytest.approx(bounds(0))
    assert np.ptp(bounds(0, 1, 2)) < 0.75 * np.ptp(bounds(0))


def test_pairing_shows_what_the_spread_of_people_hides() -> None:
    hard = [np.random.default_rng(seed).random((40, 3)) for seed in range(3)]
    found = difference({"less": [marks < 0.5 for marks in hard], "more": [marks < 0.56 for marks in hard]})
    assert found.word == "above"
    shuffled = [np.random.default_rng(9).permutation(marks) < 0.56 for marks in hard]
    assert difference({"less": [marks < 0.5 for marks in hard], "more": shuffled}).word == "not told apart"


def test_equal_arms_are_seldom_told_apart() -> None:
    words = [difference({"a": draws(0.4, seed=2 * i), "b": draws(0.4, seed=2 * i + 1)}).word for i in range(60)]
    assert words.count("not told apart") >= 55, "5 % by people alone, fewer since every seed must agree"


@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_one_seed_that_says_otherwise_is_enough_not_to_tell_arms_apart(shift: float) -> None:
    same, other = [[0.5]] * 20, [[0.5 + shift]] * 20
    slightly = [[0.5 - shift / 50]] * 20
    assert difference({"a": [same] * 3, "b": [other] * 3}).word == ("above" if shift > 0 else "below")
    for odd in (same, slightly):
        found = difference({"a": [same] * 3, "b": [other, odd, other]})
        assert found.difference.is_positive or found.difference.is_negative
        assert found.word == "not told apart"


def test_the_interval_over_seeds_is_students_and_needs_three() -> None:
    values = (0.1, 0.2, 0.6)
    found = difference({"a": [[[0.0]] * 4] * 3, "b": [[[value]] * 4 for value in values]})
    half = 4.30265 * np.std(values, ddof=1) / np.sqrt(3)
    assert found.over_seeds == (pytest.approx(0.3 - half, abs=1e-4), pytest.approx(0.3 + half, abs=1e-4))
    assert found.by_seed == pytest.approx(values)
    assert difference({"a": [[[0.0]] * 4] * 2, "b": [[[1.0]] * 4] * 2}).over_seeds is None


def test_a_difference_turned_round_is_the_same_with_another_sign() -> None:
    found = compared({"a": draws(0.6, seed=1), "b": draws(0.4, seed=2)}, "a", "b")
    there, back = found.headline
    assert (there.arm, back.arm, there.word, back.word) == ("b", "a", "below", "above")
    assert there.difference.interval == tuple(-bound for bound in reversed(back.difference.interval or ()))
    assert len(found.pairs) == 1
    assert len(found.verdict) == 2, "the best arm, and the pair once"


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([0, 0, 0], [0.5, 0.5, 0.5], "b is above a by 0.500 exact match (95 % +0.500 to +0.500; 3 of 3 seeds above; "),
        ([0.5, 0.5, 0.5], [0, 0, 0], "b is below a by 0.500 exact match (95 % -0.500 to -0.500; 0 of 3 seeds above; "),
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], "b and a are not told apart: +0.000 exact match (95 % "),
        ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], "Highest exact match: a and b, 0.500 (95 % 0.500 to 0.500)."),
        ([0, 0], [0.5, 0.5], "2 seeds say little of other training runs"),
        ([0], [0.5], "1 of 1 seed above). One seed says little of other training runs"),
        ([0, 0, 0], [0.01, 0.01, 0.9], "With seeds as the unit the interval holds 0: other training runs may come"),
    ],
)
def test_the_verdict_is_said_in_words_whatever_it_is(a: list[float], b: list[float], words: str) -> None:
    found = compared({name: [[[share]] * 9 for share in seeds] for name, seeds in (("a", a), ("b", b))})
    assert words in " ".join(found.verdict)


def test_one_person_is_too_few_for_an_interval() -> None:
    words = "b and a are not told apart: +0.500 exact match (too few groups for an interval; 3 of 3 seeds above; "
    assert words in compared({"a": [[[0.0]]] * 3, "b": [[[0.5]]] * 3}).verdict[1]


@pytest.mark.parametrize(("n_people", "caveat"), [(2, True), (9, True), (10, False), (1, False)])
def test_intervals_over_few_groups_are_not_sure(n_people: int, caveat: bool) -> None:
    people = [[0.0], [1.0], *[[1.0]] * 8][:n_people]
    arms = [Arm(name, (evaluated(people),) * 3) for name in "ab"]  # the same people at each seed
    sentence = f"Intervals over {n_people} groups of questions are too narrow, and no verdict by them is sure."
    assert (sentence in compare(arms, references=["a"]).verdict) == caveat


def test_three_seeds_that_agree_need_no_caveat() -> None:
    found = compared({"a": [[[0.0]] * 9] * 3, "b": [[[0.4]] * 9, [[0.5]] * 9, [[0.6]] * 9]})
    assert [sentence.count("seeds as the unit the interval holds") for sentence in found.verdict] == [0, 0]


def test_fields_are_means_over_their_own_questions() -> None:
    fields = compared({"a": [[[1.0, 0.0]] * 4] * 3, "b": [[[0.0, 0.0]] * 4] * 3}).arms[0].fields
    assert {name: one.mean for name, one in fields.items()} == {"field 0": 1.0, "field 1": 0.0}


def test_retrievers_alone_are_compared_by_their_hits() -> None:
    def of_hits(hits: Callable[[int], bool]) -> Evaluation:
        answers = tuple(
            Answer(id=str(i), group=str(i), field=None, question="?", answers=("x",), prediction=None, em=None, f1=None,
                   hits={"1": False, "5": hits(i)})
            for i in range(30)
        )  # fmt: skip
        known = Training(steps=None, drop_rate=None, options={})
        return Evaluation(folder=Path("x"), name="x", answers=answers, perplexities={}, options={}, training=known)

    arms = [Arm("none", (of_hits(lambda i: False),) * 3), Arm("half", (of_hits(lambda i: i % 2 == 0),) * 3)]
    found = compare(arms, references=["none"])
    assert found.measures == ("HR@5", "HR@1"), "HR@5 decides"
    assert (found.best, [one.word for one in found.differences]) == ("half", ["above", "not told apart"])
    with pytest.raises(InputError, match="no measure is in every evaluation"):
        compare([*arms[:1], Arm("answers", (evaluated([[1.0]] * 30),) * 3)], references=["none"])


def with_training(*trainings: Mapping[str, Any]) -> ArmsComparison:
    people = [[0.0, 1.0]] * 4
    arms = [Arm(chr(97 + i), (evaluated(people, **one),) * 3) for i, one in enumerate(trainings)]
    return compare(arms, references=["a"])


@pytest.mark.parametrize(
    ("trainings", "words"),
    [
        ([{"steps": 420}, {"steps": 421}], ["Arms differ in optimizer steps: a 420, b 421."]),
        ([{"steps": 420}, {"steps": 420}], []),
        ([{"steps": 420}, {}], ["The optimizer steps of b are not known."]),
        (
            [{"steps": 1, "drop_rate": rate} for rate in (None, 0.2, 0.22)],
            ["Arms differ in their mean drop rate: b 0.200, c 0.220."],
        ),
        ([{"steps": 1, "drop_rate": rate} for rate in (None, 0.0, 0.2, 0.209)], []),
    ],
)
def test_arms_that_differ_in_more_than_their_idea_are_warned_of(
    trainings: list[Mapping[str, Any]], words: list[str]
) -> None:
    assert list(with_training(*trainings).warnings) == words


def test_arms_whose_questions_were_trained_on_are_warned_of() -> None:
    people = [[0.0, 1.0]] * 4
    leaked = {"clean": (0, 0, 0), "seen": (3, 0, 1), "unknown": (None, None, None)}
    arms = [
        Arm(name, tuple(replace(evaluated(people, seed=seed), leaked=n) for seed, n in enumerate(each)))
        for name, each in leaked.items()
    ]
    sentence = "seen: 4 of 24 questions over all seeds stand in what its models were trained on."
    assert [one for one in compare(arms, references=["clean"]).warnings if "trained on" in one] == [sentence]


def test_arms_that_were_asked_otherwise_are_warned_of() -> None:
    people = [[0.0, 1.0]] * 4
    arms = [
        Arm(name, (evaluated(people, options={"shots": shots, "model": name, "window_made_up": name}),) * 3)
        for name, shots in (("a", 5), ("b", 0))
    ]
    found = compare(arms, references=["a"])
    assert found.options == {"evaluate": {"shots": {"a": 5, "b": 0}}}
    assert found.warnings[-1] == "Arms were not asked in the same way: they differ in shots of evaluate."


def test_a_single_seed_that_was_asked_otherwise_is_warned_of() -> None:
    shots = {"a": (5, 5, 0), "b": (5, 5, 5)}
    arms = [
        Arm(
            name, tuple(evaluated([[0.0, 1.0]] * 4, options={"shots": n, "limit": seed}) for seed, n in enumerate(each))
        )
        for name, each in shots.items()
    ]
    found = compare(arms, references=["a"])
    assert found.options == {"evaluate": {"shots": {"a": [5, 5, 0], "b": 5}}}
    assert found.warnings[-1] == "Arms were not asked in the same way: they differ in shots of evaluate."


def test_the_options_in_which_the_best_arm_differs_are_those_of_augment_alone(tmp_path: Path) -> None:
    augment = {
        name: {"guide": "contrast", "alpha": alpha, "beta": beta, "copies": 3}
        for name, alpha, beta in (("low", 0.4, 0.05), ("steep", 0.4, 0.5), ("high", 0.7, 0.05))
    }
    arms = experiment(
        tmp_path,
        {"plain": 0.2, "low": 0.3, "steep": 0.6, "high": 0.3},
        n_people=6,
        steps=dict.fromkeys(("plain", *augment), 9),
        drop_rates=dict.fromkeys(augment, 0.2),
        augment=augment,
    )
    found = compare(read_arms(arms), references=["plain"])
    assert found.best == "steep"
    assert best_options(found) == {"alpha": 0.4, "beta": 0.5}
    assert set(found.options["augment"]["alpha"]) == {"low", "steep", "high"}, "nothing is known of plain"


def test_without_a_record_of_the_best_arm_there_are_no_best_options(tmp_path: Path) -> None:
    arms = experiment(tmp_path, {"a": 0.2, "b": 0.8}, n_people=6)
    with pytest.raises(InputError, match="the options of augment behind the best arm, 'b', are not known"):
        best_options(compare(read_arms(arms), references=["a"]))
