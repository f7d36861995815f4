"""One reader's means: what is averaged, what is left out and counted, and what does not apply."""

import math
from dataclasses import replace

import pytest
from reader_cases import MEASURES, given, reader

from elusive.errors import OptionError
from elusive.indicators.published import PUBLISHED
from elusive.indicators.readings import Measure, applies, summarise

ANSWER, QUESTION = Measure("answer", 95), Measure("question", 90)
NAN = math.nan


def test_means_are_over_the_examples_that_have_the_figure() -> None:
    readings = given("r", {"a": (2, 0.5), "b": (4, NAN), "c": (3, 0.1)}, measure=ANSWER)
    summary = summarise(readings, ANSWER)
    assert (summary.lift.mean, summary.lift.sd, summary.lift.left_out) == (3, 1, 0)
    assert summary.attention.mean == pytest.approx(0.015)
    assert (summary.spearman.mean, summary.spearman.n, summary.spearman.left_out) == (pytest.approx(0.3), 2, 1)


def test_a_question_without_nouns_is_left_out_and_counted() -> None:
    readings = given("r", {"a": (2, 0.5)}, measure=QUESTION, examples=frozenset("abc"))
    summary = summarise(readings, QUESTION)
    assert (summary.n_without_target, summary.lift.n, summary.lift.left_out) == (2, 1, 2)


def test_few_nearest_tokens_are_counted() -> None:
    assert summarise(given("r", {"a": (2, 0), "b": (2, 0)}, measure=ANSWER, n_nearest=9), ANSWER).n_few == 2
    assert summarise(given("r", {"a": (2, 0), "b": (2, 0)}, measure=ANSWER), ANSWER).n_few == 0


def test_a_part_of_the_examples_can_be_taken() -> None:
    readings = given("r", {"a": (2, 0), "b": (4, 0), "c": (9, 0)}, measure=ANSWER).only(["a", "b", "elsewhere"])
    assert readings.examples == {"a", "b"}
    assert summarise(readings, ANSWER).lift.mean == 3


def test_of_an_encoder_decoder_only_the_lift_of_the_answer_is_there() -> None:
    there = {(m, f) for m in ("answer", "question") for f in ("attention", "lift", "spearman")}
    assert {(m, f) for m, f in there if applies("encoder-decoder", m, f)} == {("answer", "lift")}
    assert all(applies("decoder-only", m, f) for m, f in there)
    summary = summarise(reader("t5", n=4, kind="encoder-decoder"), ANSWER)
    assert summary.lift.n == 4
    assert (summary.attention, summary.spearman) == (None, None)
    assert summarise(reader("t5", n=4, kind="encoder-decoder"), QUESTION).lift is None


def test_the_order_of_the_examples_makes_no_difference() -> None:
    readings = reader("r", n=20)
    turned = {measure: dict(reversed(found.items())) for measure, found in readings.indicators.items()}
    for measure in MEASURES:
        assert summarise(replace(readings, indicators=turned), measure) == summarise(readings, measure)


def test_a_measure_that_was_not_taken_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match=r"reader 'r' was not measured for question p90; there is: answer p95"):
        summarise(given("r", {"a": (2, 0)}, measure=ANSWER), QUESTION)


def test_the_published_table_says_what_the_paper_says_of_it() -> None:
    assert len(PUBLISHED) == 11 * 4, "no figures of perplexity distillation on NQ"
    found = {(p.reader, p.dataset, p.measure): p for p in PUBLISHED}
    for dataset, attention, rho in (("NQ", 0.066, 0.350), ("TriviaQA", 0.089, 0.320)):
        tuned = found["fine-tuned, step 2", dataset, ANSWER]
        assert (tuned.attention, tuned.spearman) == (attention, rho)
        before = found["off-the-shelf checkpoint", dataset, ANSWER]
        step_1 = found["fine-tuned, step 1", dataset, ANSWER]
        assert before.attention < step_1.attention < tuned.attention
        assert before.spearman < step_1.spearman < tuned.spearman
        question = {name: found[name, dataset, QUESTION].spearman for name in {p.reader for p in PUBLISHED[:32]}}
        assert {name for name, value in question.items() if value > 0.3} == {"fine-tuned, step 1", "fine-tuned, step 2"}
