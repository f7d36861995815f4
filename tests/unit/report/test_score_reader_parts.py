"""Shades that compare readers, heads by their numbers in the model, histograms that count every question."""

from dataclasses import replace

import numpy as np
import pytest

from elusive.indicators.examples import ReaderExamples, ShownPrompt
from elusive.indicators.judged import judge
from elusive.indicators.readings import Measure
from elusive.report.head_maps import head_map, top_lift
from elusive.report.names import MAX_NAME, short_names
from elusive.report.printed import interval, mean_and_sd, number
from elusive.report.score_reader_plots import histogram, lines
from elusive.report.shown_prompts import shown_questions
from tests.unit.report.html_check import PageReader
from tests.unit.report.reader_pages import MEASURES, examples_of, prompt, two_readers

NAN = float("nan")


def reader_of(*prompts: ShownPrompt, name: str = "r") -> ReaderExamples:
    return replace(examples_of("r"), reader=name, prompts=prompts)


def shades_of(reader: ReaderExamples, *others: ReaderExamples) -> list[str]:
    """Of the tokens of the first passage."""
    reading = shown_questions([reader, *others])[0].readings[0]
    return [token.shade for token in reading.passages[0].tokens]


def scored(*scores: float) -> ShownPrompt:
    """One passage of as many tokens, after a token that is of none."""
    n = len(scores)
    return ShownPrompt(
        id="q0", question="Who?", gold="a", answer=None, pieces=("<s>", *["a"] * n), scores=(100.0, *scores),
        passage=(-1, *[0] * n), near=(1,),
    )  # fmt: skip


def test_even_attention_is_pale_and_alike_whatever_its_unit() -> None:
    assert shades_of(reader_of(scored(2.0, 2.0, 2.0))) == ["plus2"] * 3
    assert shades_of(reader_of(scored(1e-9, 1e-9, 1e-9))) == ["plus2"] * 3


def test_what_is_of_no_passage_has_no_part_in_the_scale() -> None:
    assert shades_of(reader_of(scored(0.0, 9.0, 0.0))) == ["plus0", "plus6", "plus0"]


def test_readers_of_a_question_share_a_scale() -> None:
    medium, peaked = reader_of(scored(*[1.0] * 19, 5.0)), reader_of(scored(*[0.0] * 10, 9.0, 9.0), name="peaked")
    assert shades_of(medium)[-1] == "plus6"
    assert shades_of(medium, peaked)[-1] == "plus5"


def test_scores_that_are_all_zero_are_shown_blank() -> None:
    assert shades_of(reader_of(scored(0.0, 0.0))) == ["plus0"] * 2


def test_the_questions_that_most_readers_have_come_first() -> None:
    first = reader_of(prompt("q0"), prompt("q1"), name="first")
    second = reader_of(prompt("q1"), prompt("q2"), name="second")
    found = shown_questions([first, second])
    assert [len(one.readings) for one in found] == [2, 1, 1]
    assert found[0].question.endswith("(q1)")
    assert shown_questions([replace(first, prompts=())]) == ()


@pytest.mark.parametrize(("chosen", "expected"), [(None, (0, 1)), ((5, 3), (3, 5)), ((-1, 0), (0, 1))])
def test_heads_have_their_numbers_in_the_model(chosen: tuple[int, ...] | None, expected: tuple[int, ...]) -> None:
    [judged] = judge([examples_of("r", planted=1.0, shape=(2, 4))], reference=None, measures=MEASURES)
    found = head_map(judged, top=2.0, layers=chosen, heads=None)
    assert tuple(layer for layer, _ in found.rows) == expected
    best = np.unravel_index(np.argmax(judged.head_lifts), (2, 4))
    assert found.strongest[0][0] == f"layer {expected[best[0]]}, head {best[1]}"


def test_many_heads_are_a_small_drawing_and_a_table_by_layer() -> None:
    [judged] = judge([examples_of("r", n=4, planted=1.0, shape=(80, 64))], reference=None, measures=MEASURES)
    judged = replace(judged, head_lifts=((NAN,) * 64, *judged.head_lifts[1:]))
    found = head_map(judged, top=top_lift([judged]), layers=None, heads=None)
    assert not found.rows
    assert found.by_layer
    assert len(found.by_layer.rows) == 80
    assert found.by_layer.rows[0][1] == "n/a"
    PageReader(str(found.drawing))
    assert len(str(found.drawing)) < 50_000
    assert max(map(max, judged.head_lifts[1:])) == pytest.approx(float(found.strongest[0][1]), abs=0.05)


def test_a_histogram_counts_every_question_once() -> None:
    readers = two_readers()
    found = histogram(readers, lines([reader.reader for reader in readers]), Measure("answer", 95.0), "attention")
    assert found
    for reader in (1, 2):
        assert sum(float(row[reader]) for row in found.table.rows) == pytest.approx(1, abs=0.02)
    assert found.table.head == ("from", "tuned", "untuned")
    assert "tuned" not in found.svg, "names are not drawn"


def test_lines_differ_without_colour() -> None:
    drawn = lines(["a", "b", "c", "d", "e"])
    assert len(drawn) == 4
    assert len({(line.width, line.dashes) for line in drawn}) == 4


def test_short_names_differ_where_names_do() -> None:
    long = ["x" * 200 + end for end in "ab"]
    found = short_names(["a", *long])
    assert found["a"] == "a"
    assert len(set(found.values())) == 3
    assert all(len(name) < MAX_NAME + 5 for name in found.values())


def test_figures_are_printed_with_a_true_minus_and_zero_has_none() -> None:
    assert number(-0.5, ".2f") == "−0.50"
    assert number(-0.0001, ".2f") == "0.00"
    assert number(0.5, "+.2f") == "+0.50"
    assert number(None, ".2f") == "n/a"
    assert interval((-1.0, 2.0), ".1f") == "−1.0\u00a0to\u00a02.0"
    assert mean_and_sd(1.0, None, ".1f") == "1.0"
    assert mean_and_sd(None, None, ".1f") == "n/a"


def test_passages_are_in_the_order_of_the_data_whatever_place_they_were_read_at() -> None:
    plain = prompt("q0", n_passages=3)
    turned = replace(plain, passage=tuple(2 - number if number >= 0 else -1 for number in plain.passage))
    [reading] = shown_questions([reader_of(turned)])[0].readings
    assert [(passage.number, passage.place) for passage in reading.passages] == [(1, 3), (2, 2), (3, 1)]
