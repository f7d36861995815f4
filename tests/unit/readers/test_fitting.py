"""Prompts that are too long: passages are shortened evenly from their ends, and nothing else is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_cases import tokenizer

from elusive.data.questions import Passage
from elusive.errors import InputError
from elusive.readers.fitting import Fitted, fitted
from elusive.readers.prompts import Template, whole_prompt
from elusive.readers.tokens import PromptTokenizer

BY = PromptTokenizer(tokenizer(), name="bytes")
QUESTION, ANSWER = "Where was Mara Velting born?", "Orsk"
LONG = "Mara Velting was born in Orsk and studied chemistry at the college of Brenn. " * 4

passages = st.lists(st.text(st.sampled_from("ab Mara\n😀é"), max_size=80), min_size=1, max_size=5).map(
    lambda texts: [Passage(str(i), "T" if i % 2 else "", text) for i, text in enumerate(texts)]
)


def fit(given_passages: list[Passage], *, limit: int) -> Fitted:
    order = range(len(given_passages))
    return fitted(
        given_passages,
        lambda kept: whole_prompt(QUESTION, kept, order=order, template=Template(), answer=ANSWER),
        lambda prompt: BY.tokens(prompt, first=BY.first_id),
        limit=limit,
    )


def kept(found: Fitted, number: int) -> str:
    start, stop = found.prompt.texts[number]
    return found.prompt.text[start:stop]


def test_what_fits_is_left_as_it_is():
    whole = fit([Passage("1", "T", LONG)], limit=10_000)
    assert whole.n_cut == (0,)
    exact = fit([Passage("1", "T", LONG)], limit=len(whole.tokens))
    assert exact.prompt.text == whole.prompt.text


@settings(max_examples=60, deadline=None)
@given(given_passages=passages, spare=st.integers(0, 60))
def test_it_fits_and_every_passage_keeps_its_beginning(given_passages, spare):
    frame = len(fit([Passage(p.id, p.title, "") for p in given_passages], limit=10_000).tokens)
    found = fit(given_passages, limit=frame + spare)
    assert len(found.tokens) <= frame + spare
    assert found.prompt.text.endswith(f"Question: {QUESTION}\nAnswer: {ANSWER}")
    for number, passage in enumerate(given_passages):
        assert passage.text.startswith(kept(found, number))
        assert (kept(found, number) == passage.text) == (found.n_cut[number] == 0)


def test_the_longest_are_cut_to_one_length_and_short_ones_not_at_all():
    given_passages = [Passage("1", "", LONG), Passage("2", "", "She moved"), Passage("3", "", LONG[:200])]
    whole = fit(given_passages, limit=10_000)
    found = fit(given_passages, limit=len(whole.tokens) - 60)
    lengths = [len(found.tokens.touching(found.prompt.texts[i])) for i in range(3)]
    assert abs(lengths[0] - lengths[2]) <= 1
    assert kept(found, 1) == "She moved"
    assert found.n_cut[1] == 0
    assert sum(found.n_cut) == len(whole.tokens) - len(found.tokens) >= 60
    assert len(found.tokens) >= len(whole.tokens) - 60 - 3, "no more than needed, for all to be even"


def test_characters_of_several_tokens_are_cut_whole():
    found = fit([Passage("1", "", "😀" * 20)], limit=len(fit([Passage("1", "", "")], limit=10_000).tokens) + 30)
    assert set(kept(found, 0)) == {"😀"}


def test_a_question_that_is_too_long_by_itself_is_refused():
    with pytest.raises(InputError, match="question, answer and titles alone are"):
        fit([Passage("1", "", LONG)], limit=12)
