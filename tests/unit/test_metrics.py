"""Answers and rankings measured as published: worked cases, slow oracles, and the traps of other tools."""

import math
import re
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elusive.metrics import (
    answer_tokens,
    exact_match,
    f1,
    has_answer,
    hit_at,
    ndcg_at,
    normalised_answer,
    reciprocal_rank,
)
from elusive.unspaced import is_unspaced

words = st.lists(
    st.sampled_from(["the", "a", "Art", "party", "of", "1", "é", "e\u0301", "-", ".", "日本", "日", "กรุง", "x"]),
    max_size=8,
)
phrases = words.map(" ".join)


@pytest.mark.parametrize(
    ("answer", "normalised"),
    [
        ("The Beatles", "beatles"),
        ("U.S.A.", "usa"),
        ("an  apple,\ta day", "apple day"),
        ("theatre", "theatre"),
        ("the", ""),
        ("«The» “quoted”", "« » “quoted”"),  # only ASCII punctuation goes, as in SQuAD's script
    ],
)
def test_answers_are_normalised_as_squad_does(answer: str, normalised: str) -> None:
    assert normalised_answer(answer) == normalised


@pytest.mark.parametrize(
    ("prediction", "answers", "expected"),
    [
        ("the Denver Broncos", ["Denver Broncos"], 1.0),
        ("Denver", ["Denver Broncos"], 0.0),
        ("Broncos!", ["Carolina Panthers", "broncos"], 1.0),
        ("", [], 0.0),
        ("the", ["a"], 1.0),
    ],
)
def test_exact_match(prediction: str, answers: list[str], expected: float) -> None:
    assert exact_match(prediction, answers) == expected


@pytest.mark.parametrize(
    ("prediction", "answers", "expected"),
    [
        ("Denver Broncos", ["Denver Broncos"], 1.0),
        ("the Denver team", ["Denver Broncos"], 0.5),
        ("x x y", ["x z"], 2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2)),  # a word counts as often as both have it
        ("x", ["y", "x z"], 2 / 3),
        ("the", ["x"], 0.0),
        ("the", ["a"], 1.0),
        ("x", [], 0.0),
    ],
)
def test_f1(prediction: str, answers: list[str], expected: float) -> None:
    assert f1(prediction, answers) == pytest.approx(expected)


@given(phrases, phrases)
def test_f1_is_symmetric_and_1_where_answers_match(a: str, b: str) -> None:
    assert f1(a, [b]) == pytest.approx(f1(b, [a]))
    assert 0 <= f1(a, [b]) <= 1
    if exact_match(a, [b]):
        assert f1(a, [b]) == 1


@given(st.text(max_size=60))
def test_normalising_is_what_the_four_steps_of_squad_give(text: str) -> None:
    lowered = "".join(c for c in text.lower() if c not in set(string.punctuation))
    assert normalised_answer(text) == " ".join(re.sub(r"\b(a|an|the)\b", " ", lowered).split())


def test_tokens_are_those_of_dpr() -> None:
    assert answer_tokens("Beyoncé's 2nd-best…") == ("beyonce\u0301", "'", "s", "2nd", "-", "best", "…")
    assert answer_tokens("a\u200bb c\n") == ("a", "b", "c")
    assert answer_tokens(" \t") == ()


@given(st.text(max_size=60))
def test_tokens_are_the_matches_of_dprs_pattern(text: str) -> None:
    regex = pytest.importorskip("regex")  # what transformers brings
    text = "".join(character for character in text if not is_unspaced(character))
    pattern = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
    known = "".join(c for c in text if unicodedata.category(c) != "Cn")  # the two know other versions of Unicode
    assert list(answer_tokens(known)) == [t.lower() for t in pattern.findall(unicodedata.normalize("NFD", known))]


@pytest.mark.parametrize(
    ("passage", "answers", "hit"),
    [
        ("The party began.", ["Art"], False),
        ("Modern art began.", ["Art"], True),
        ("Born on 12 May 1900, he", ["May 1900"], True),
        ("Born on 12 May, 1900", ["May 1900"], False),
        ("anything", [""], False),
        ("anything", ["\u200b", "thing"], False),
        ("Beyonce\u0301 sang", ["Beyoncé"], True),
        ("", ["x"], False),
        ("x", [], False),
    ],
)
def test_an_answer_is_found_by_its_tokens(passage: str, answers: list[str], hit: bool) -> None:
    assert has_answer(passage, answers) is hit


@given(phrases, phrases)
def test_finding_an_answer_is_finding_its_tokens_in_a_row(passage: str, answer: str) -> None:
    there, wanted = answer_tokens(passage), answer_tokens(answer)
    slow = bool(wanted) and any(there[i : i + len(wanted)] == wanted for i in range(len(there)))
    assert has_answer(passage, [answer]) is slow


@given(st.lists(st.booleans(), max_size=12), st.integers(1, 12))
def test_hits_and_reciprocal_ranks_agree(relevant: list[bool], k: int) -> None:
    rank = relevant.index(True) + 1 if True in relevant else math.inf
    assert hit_at(k, relevant) == float(rank <= k)
    assert reciprocal_rank(relevant) == 1 / rank


def test_ndcg_by_hand() -> None:
    assert ndcg_at(3, [3, 0, 1]) == pytest.approx((3 + 1 / 2) / (3 + 1 / math.log2(3)))
    assert ndcg_at(2, [0, 1], all_gains=[1, 1, 1]) == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert ndcg_at(5, []) == 0
    assert ndcg_at(5, [0, 0]) == 0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=8), st.integers(1, 8))
def test_ndcg_is_1_in_the_best_order_and_never_more(gains: list[float], k: int) -> None:
    assert ndcg_at(k, gains) <= 1 + 1e-12
    best = sorted(gains, reverse=True)
    assert ndcg_at(k, best) == pytest.approx(float(any(best[:k])))
