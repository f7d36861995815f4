"""Rows for other trainers, in exactly their layouts."""

import json
from math import exp, log

import pytest

from elusive.data.questions import Passage, Question
from elusive.distillation.exports import (
    TaughtQuestion,
    distillation_rows,
    flag_embedding_rows,
    hard_negatives,
    trec_lines,
    triplet_rows,
)
from elusive.errors import InputError

PASSAGES = tuple(Passage(f"p{i}", f"T{i}", f"text {i}") for i in range(4))
ASKED = Question("q1", "Where?", ("Orsk",), passages=PASSAGES)
TAUGHT = TaughtQuestion(
    question=ASKED, teacher=(0.1, 0.6, 0.3, 0.0), scores=(3.0, 1.0, 2.0, 4.0), hits=(False, True, False, False)
)


def text_of(passage: Passage) -> str:
    return f"{passage.title}: {passage.text}"


def with_hits(*hits: bool) -> TaughtQuestion:
    return TaughtQuestion(question=ASKED, teacher=TAUGHT.teacher, scores=TAUGHT.scores, hits=hits)


def test_triplets_pair_what_holds_an_answer_with_what_is_ranked_high_and_holds_none():
    assert triplet_rows(TAUGHT, text_of=text_of, n_negatives=2) == [
        {"query": "Where?", "positive": "T1: text 1", "negative": "T3: text 3"},
        {"query": "Where?", "positive": "T1: text 1", "negative": "T0: text 0"},
    ]
    rows = triplet_rows(with_hits(True, True, False, False), text_of=text_of)
    assert [(row["positive"][:2], row["negative"][:2]) for row in rows] == [
        ("T0", "T3"), ("T0", "T2"), ("T1", "T3"), ("T1", "T2"),
    ]  # fmt: skip


def test_hard_negatives_are_in_the_retrievers_order_and_below_the_teachers_best_hit():
    assert hard_negatives(TAUGHT) == [3, 0, 2]
    assert hard_negatives(TAUGHT, n=1) == [3]
    assert hard_negatives(with_hits(True, False, False, False)) == [3], "others may hold the answer in other words"
    assert hard_negatives(with_hits(False, False, False, False)) == [], "nothing is known to be wrong"
    assert hard_negatives(with_hits(True, True, True, True)) == []


def test_the_distillation_layout_has_every_passage_and_its_score():
    (row,) = distillation_rows(TAUGHT, text_of=text_of)
    assert {name: value for name, value in row.items() if name != "label"} == {
        "query": "Where?",
        "positive": "T1: text 1",
        "negative_1": "T2: text 2",
        "negative_2": "T0: text 0",
        "negative_3": "T3: text 3",
    }
    assert list(row) == ["query", "positive", "negative_1", "negative_2", "negative_3", "label"]
    assert row["label"] == pytest.approx([log(0.6), log(0.3), log(0.1), log(1e-9)])
    weights = [exp(label) for label in row["label"]]
    assert [w / sum(weights) for w in weights] == pytest.approx([0.6, 0.3, 0.1, 0.0], abs=1e-8)
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_flag_embeddings_layout_has_a_score_for_each_passage():
    (row,) = flag_embedding_rows(TAUGHT, text_of=text_of)
    assert row == {
        "query": "Where?",
        "pos": ["T1: text 1"],
        "neg": ["T3: text 3", "T0: text 0", "T2: text 2"],
        "pos_scores": pytest.approx([log(0.6)]),
        "neg_scores": pytest.approx([log(1e-9), log(0.1), log(0.3)]),
    }
    assert flag_embedding_rows(TAUGHT, text_of=text_of, prompt="Find: ") == [row | {"prompt": "Find: "}]


@pytest.mark.parametrize("hits", [(False,) * 4, (True,) * 4])
def test_a_question_without_both_sides_makes_no_row(hits):
    assert flag_embedding_rows(with_hits(*hits), text_of=text_of) == []
    assert triplet_rows(with_hits(*hits), text_of=text_of) == []
    assert len(distillation_rows(with_hits(*hits), text_of=text_of)) == 1


def test_one_passage_cannot_be_distilled():
    alone = Question("q", "Where?", ("Orsk",), passages=PASSAGES[:1])
    taught = TaughtQuestion(question=alone, teacher=(1.0,), scores=(0.0,), hits=(True,))
    assert distillation_rows(taught, text_of=text_of) == []


def test_lines_of_a_trec_run():
    assert trec_lines(ASKED, TAUGHT.scores, tag="elusive") == [
        "q1 Q0 p3 1 4.0 elusive",
        "q1 Q0 p0 2 3.0 elusive",
        "q1 Q0 p2 3 2.0 elusive",
        "q1 Q0 p1 4 1.0 elusive",
    ]
    near = trec_lines(ASKED, (0.1, 0.1 + 1e-12, 0.0, -1e-20), tag="t")
    assert [line.split()[2] for line in near] == ["p1", "p0", "p2", "p3"]
    assert len({line.split()[4] for line in near}) == 4, "unlike scores stay unlike"


@pytest.mark.parametrize(("question_id", "tag"), [("q 1", "t"), ("", "t"), ("q1", "a tag"), ("q1\n", "t")])
def test_what_would_break_a_trec_run_is_refused(question_id, tag):
    asked = Question(question_id, "Where?", (), passages=PASSAGES)
    with pytest.raises(InputError, match="cannot stand in a TREC run"):
        trec_lines(asked, TAUGHT.scores, tag=tag)


@pytest.mark.parametrize("teacher", [(0.5, 0.5), (0.5, 0.5, float("nan"), 0.0)])
def test_numbers_that_are_not_one_a_passage_are_refused(teacher):
    with pytest.raises(InputError, match="'q1' has 4 passages, and teacher"):
        TaughtQuestion(question=ASKED, teacher=teacher, scores=TAUGHT.scores, hits=TAUGHT.hits)
