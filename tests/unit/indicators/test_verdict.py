"""The verdict: each outcome by hand, planted attention turns it, and what may not."""

import math

import pytest
from reader_cases import given, reader

from elusive.errors import OptionError
from elusive.indicators.readings import Measure
from elusive.indicators.verdict import change, verdict

ANSWER, QUESTION = Measure("answer", 95), Measure("question", 90)
NAN = math.nan
UP, DOWN, SAME = (0.5, 0.6), (-0.6, -0.5), (-0.1, 0.1)


def by_hand(lift: tuple[float, ...], rho: tuple[float, ...], *, target: str, of_rho: float = 0.0):
    """A verdict where both examples' figures differ from the reference's by so much."""
    measure = ANSWER if target == "answer" else QUESTION
    ids = "ab"
    tuned = {i: (2 + d, of_rho + r) for i, d, r in zip(ids, lift, rho, strict=True)}
    untuned = dict.fromkeys(ids, (2, of_rho))
    return verdict(given("tuned", tuned, measure=measure), given("untuned", untuned, measure=measure), target=target)


@pytest.mark.parametrize(
    ("lift", "rho", "word"),
    [
        (UP, UP, "good"),
        (UP, SAME, "not enough evidence"),
        (SAME, UP, "not enough evidence"),
        (SAME, SAME, "not enough evidence"),
        (UP, DOWN, "poor"),
        (DOWN, UP, "poor"),
        (DOWN, SAME, "poor"),
        ((0, 0), (0, 0), "not enough evidence"),
        (UP, (NAN, NAN), "not enough evidence"),
        (UP, (0.5, NAN), "not enough evidence"),
        (DOWN, (NAN, NAN), "poor"),
    ],
)
def test_indicator_1_by_hand(lift: tuple[float, ...], rho: tuple[float, ...], word: str) -> None:
    assert by_hand(lift, rho, target="answer").word == word


@pytest.mark.parametrize(
    ("lift", "of_rho", "word"),
    [
        (UP, 0.31, "good"),
        (UP, 0.3, "not enough evidence"),
        (UP, NAN, "not enough evidence"),
        (SAME, 0.5, "not enough evidence"),
        (DOWN, 0.5, "not enough evidence"),
    ],
)
def test_indicator_2_by_hand(lift: tuple[float, ...], of_rho: float, word: str) -> None:
    """It asks for ρ itself, not for its change, and is never poor."""
    assert by_hand(lift, (0, 0), target="question", of_rho=of_rho).word == word


def test_attention_planted_on_the_answer_turns_the_verdict() -> None:
    untuned = reader("untuned")
    assert verdict(reader("same", noise=1), untuned, target="answer").word == "not enough evidence"
    tuned = verdict(reader("tuned", planted=30, noise=1), untuned, target="answer")
    assert (tuned.word, tuned.lift.is_positive, tuned.spearman.is_positive) == ("good", True, True)
    assert verdict(untuned, reader("tuned", planted=30, noise=1), target="answer").word == "poor"


def test_attention_planted_on_the_nouns_turns_the_other_verdict_and_not_the_first() -> None:
    untuned, tuned = reader("untuned"), reader("tuned", planted=60, on="question", noise=1)
    assert verdict(tuned, untuned, target="question").word == "good"
    assert verdict(tuned, untuned, target="answer").word != "good"


@pytest.mark.parametrize("planted", [0, 30])
def test_the_unit_of_a_readers_scores_makes_no_difference(planted: float) -> None:
    untuned = reader("untuned")
    for target in ("answer", "question"):
        there = verdict(reader("tuned", planted=planted), untuned, target=target)
        here = verdict(reader("tuned", planted=planted, unit=1e-3 / 7), untuned, target=target)
        assert (here.word, here.reason) == (there.word, there.reason)


def test_examples_are_paired_by_their_ids_where_both_have_them() -> None:
    tuned = given("tuned", {"a": (3, 0.5), "b": (7, 0.1), "c": (1, 1)}, measure=ANSWER)
    untuned = given("untuned", {"d": (9, 0), "b": (5, NAN), "a": (2, 0.25)}, measure=ANSWER)
    lift = change(tuned, untuned, ANSWER, "lift")
    assert (lift.mean, lift.n) == (1.5, 2)
    rho = change(tuned, untuned, ANSWER, "spearman")
    assert (rho.mean, rho.n, rho.left_out) == (0.25, 1, 1)


def test_without_a_reference_nothing_is_good_or_poor() -> None:
    for target in ("answer", "question"):
        alone = verdict(reader("tuned", planted=60, n=3), None, target=target)
        assert alone.word == "not enough evidence"
        assert "reference" in alone.reason
        assert "reference" in alone.advice


def test_of_an_encoder_decoder_the_lift_of_the_answer_alone_counts() -> None:
    options = {"kind": "encoder-decoder", "measure": ANSWER}
    tuned = given("tuned", {"a": (3, 0), "b": (4, 0)}, **options)
    untuned = given("untuned", {"a": (2, 1), "b": (2, 1)}, **options)
    found = verdict(tuned, untuned, target="answer")
    assert (found.word, found.spearman) == ("good", None)
    assert "ρ" not in found.reason
    assert verdict(untuned, tuned, target="answer").word == "poor"
    assert verdict(tuned, None, target="answer").word == "not enough evidence"
    assert verdict(tuned, untuned, target="question").word == "n/a"
    assert verdict(tuned, None, target="question").word == "n/a"
    decoder = given("decoder", {"a": (1, -1), "b": (1, -1)}, measure=ANSWER)
    assert verdict(decoder, tuned, target="answer").spearman is None, "nor does it where the reference is one"


@pytest.mark.parametrize("target", ["answer", "question"])
def test_a_teacher_by_perplexity_is_refused_with_the_reason(target: str) -> None:
    found = verdict(reader("r", planted=60, n=3), reader("s", n=3), target=target, teacher="perplexity")
    assert found.word == "n/a"
    assert "perplexity" in found.reason


def test_the_reason_has_the_figures_in_words() -> None:
    assert by_hand((0.5, 0.5), (0.25, 0.25), target="answer").reason == (
        "lift rises by 0.500 (95 % +0.500 to +0.500, 2 examples); ρ rises by 0.250 (95 % +0.250 to +0.250, 2 examples)"
    )
    assert by_hand((-1, -1), (-1, 1), target="answer").reason == (
        "lift falls by 1.000 (95 % -1.000 to -1.000, 2 examples); "
        "ρ may not have changed (95 % -1.000 to +1.000, 2 examples)"
    )
    assert "ρ is defined for both readers in 1 of the" in by_hand(UP, (1, NAN), target="answer").reason
    assert "mean ρ 0.250 is not above 0.3" in by_hand(UP, (0, 0), target="question", of_rho=0.25).reason
    assert "mean ρ is not defined" in by_hand(UP, (NAN, NAN), target="question").reason


def test_a_reader_without_the_percentile_of_the_verdict_is_refused() -> None:
    other = given("r", {"a": (1, 0)}, measure=Measure("answer", 80))
    with pytest.raises(OptionError, match="answer p95"):
        verdict(other, other, target="answer")
