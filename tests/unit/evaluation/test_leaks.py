"""The leak search: against a slow oracle, and what it takes for the same question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elusive.data.questions import Question, normalised_question
from elusive.evaluation.leaks import LeakSearch

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=7).map(" ".join)


def found(questions: list[str], texts: list[str]) -> dict[str, str]:
    search = LeakSearch([Question(str(i), question, ("x",)) for i, question in enumerate(questions)])
    search.search(texts, source="here")
    return search.found


@given(questions=st.lists(WORDS, max_size=4), texts=st.lists(WORDS, max_size=4))
def test_a_question_is_found_where_its_words_follow_one_another(questions: list[str], texts: list[str]) -> None:
    expected = {
        str(i)
        for i, question in enumerate(questions)
        if any(f" {normalised_question(question)} " in f" {normalised_question(text)} " for text in texts)
    }
    assert found(questions, texts).keys() == expected


@pytest.mark.parametrize(
    "text",
    [
        "Question: Where was Mara Velting born?\nAnswer: Orsk\n",
        "We ask: WHERE  was\nMara Velting born, and why?",
        "where was mara velting born",
        "Where was Ｍara Velting born",
    ],
)
def test_case_punctuation_spaces_and_form_do_not_hide_a_question(text: str) -> None:
    assert found(["Where was Mara Velting born?"], ["Nothing.", text]) == {"0": "here"}


@pytest.mark.parametrize("text", ["Mara Velting was born in Orsk.", "Where was Mara Veltings born?", "where was mara"])
def test_what_tells_the_fact_or_a_part_is_no_leak(text: str) -> None:
    assert found(["Where was Mara Velting born?"], [text]) == {}


def test_the_source_that_holds_a_question_first_is_kept_and_texts_are_counted() -> None:
    search = LeakSearch([Question("q", "Who met Mara?", ("Tor",))])
    search.search(["Nobody.", "Nothing."], source="first")
    search.search(["Who met Mara? Tor."], source="second")
    search.search(["who met mara"], source="third")
    assert (search.found, search.n_texts) == ({"q": "second"}, 4)
