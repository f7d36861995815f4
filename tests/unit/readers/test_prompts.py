"""A passage's tokens are those of its characters, whatever these are; the answer's rows are where the answer is."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading_cases import MARKED, PASSAGES, QUESTION, dummy_prefix_tokenizer, single_characters, tokenizer
from transformers import PreTrainedTokenizerFast

from elusive.data.questions import Passage
from elusive.errors import OptionError
from elusive.readers.prompts import Template, whole_prompt
from elusive.readers.tokens import PromptTokenizer, PromptTokens

TOKENIZERS = {
    "byte-level": PromptTokenizer(tokenizer(), name="bytes"),
    "dummy prefix": PromptTokenizer(dummy_prefix_tokenizer(), name="dummy"),
    "single characters": PromptTokenizer(single_characters(), name="characters"),
}
every_tokenizer = pytest.mark.parametrize("kind", TOKENIZERS)

words = st.text(st.sampled_from("ab é😀\n:Q?<s>{}") | st.characters(codec="utf-8"), max_size=25)
some_passages = st.lists(st.tuples(words, words), min_size=1, max_size=4).map(
    lambda pairs: [Passage(str(i), title, text) for i, (title, text) in enumerate(pairs)]
)


def tokens_of(kind: str, passages, *, order=None, answer="Orsk", template=None, question="Where?"):
    by = TOKENIZERS[kind]
    order = range(len(passages)) if order is None else order
    prompt = whole_prompt(question, passages, order=order, template=template or Template(), answer=answer)
    return prompt, by.tokens(prompt, first=by.first_id)


def characters(tokens: PromptTokens, number: int) -> set[int]:
    mine = tokens.passage == number
    return {c for a, b in zip(tokens.starts[mine], tokens.ends[mine], strict=True) for c in range(a, b)}


def test_the_default_prompt_word_for_word():
    prompt, _ = tokens_of("byte-level", PASSAGES[:2])
    assert prompt.text == (
        "Mara Velting\nMara Velting was born in Orsk and studied chemistry.\n\n"
        "She moved to Lisk in 1974; not one of her letters survived.\n\n"
        "Question: Where?\nAnswer: Orsk"
    )


@every_tokenizer
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(passages=some_passages, seed=st.integers(0, 9))
def test_every_character_of_a_passage_is_in_its_tokens_and_no_others(kind, passages, seed):
    order = np.random.default_rng(seed).permutation(len(passages)).tolist()
    prompt, tokens = tokens_of(kind, passages, order=order)
    for number, passage in enumerate(passages):
        places = {c for a, b in prompt.passages[number] for c in range(a, b)}
        parts = [prompt.text[a:b] for a, b in prompt.passages[number]]
        assert parts == ([passage.title, passage.text] if passage.title else [passage.text])
        covered = characters(tokens, number)
        # White space may belong to no token, and a space before or after to the token of a word.
        assert all(prompt.text[c].isspace() or not prompt.text[c].isprintable() for c in places - covered)
        assert all(prompt.text[c] in " \n" for c in covered - places)


@every_tokenizer
def test_markers_inside_a_passage_are_text(kind):
    prompt, tokens = tokens_of(kind, PASSAGES)
    assert prompt.text.count("Answer:") == 4
    mine = tokens.passage == 2
    first, last = np.flatnonzero(mine)[[0, -1]]
    text = prompt.text[tokens.starts[first] : tokens.ends[last]]
    assert text.strip() == f"Question: Answer:\n{MARKED}"
    assert (tokens.ids == 0).sum() == (1 if kind != "single characters" else 0), "'<s>' in a passage is no BOS"


@every_tokenizer
@pytest.mark.parametrize("answer", ["Orsk", " Orsk", "a", "the college of Brenn"])
def test_answer_tokens_are_the_last_and_spell_the_answer(kind, answer):
    prompt, tokens = tokens_of(kind, PASSAGES, answer=answer)
    target = tokens.touching(prompt.target)
    assert target.tolist() == list(range(target[0], len(tokens)))
    assert prompt.text[tokens.starts[target[0]] :].strip() == answer.strip()
    assert not prompt.text[: tokens.starts[target[0]]].endswith(answer)


def test_a_template_whose_space_merges_with_the_answer_still_has_its_token():
    template = Template(question="Question: {question}\nAnswer: ", target="{answer}")
    prompt, tokens = tokens_of("byte-level", PASSAGES, template=template, answer="Lisk")
    merged = tokens.touching(prompt.target)
    assert tokens.pieces[merged[0]].startswith(" "), "the test needs a space that merges"
    assert "".join(tokens.pieces[i] for i in merged) == " Lisk"


@every_tokenizer
def test_an_empty_passage_has_no_tokens(kind):
    _, tokens = tokens_of(kind, [Passage("e", "", ""), Passage("f", "", "Lisk")])
    assert 0 not in tokens.passage
    assert 1 in tokens.passage


def test_passages_without_separators_share_no_token():
    template = Template(passage="{title}{text}", untitled="{text}")
    _, tokens = tokens_of("byte-level", [Passage("1", "", "Mara Vel"), Passage("2", "", "ting was")], template=template)
    assert [sorted(set(tokens.passage.tolist()))] == [[-1, 0, 1]]
    assert (np.diff(tokens.passage[tokens.passage >= 0]) >= 0).all()


def test_the_tokenizer_that_was_given_is_left_as_it_is():
    given_one = tokenizer()
    before = given_one.backend_tokenizer.to_str()
    PromptTokenizer(given_one, name="x")
    assert given_one.backend_tokenizer.to_str() == before
    assert given_one("Lisk")["input_ids"][0] == 0, "it adds BOS as ever"


@pytest.mark.parametrize(
    ("parts", "because"),
    [
        ({"passage": "{title}"}, "lacks {text}"),
        ({"question": "Answer:"}, "lacks {question}"),
        ({"target": ""}, "lacks {answer}"),
        ({"passage": "{text} {score}"}, "holds {score}"),
        ({"untitled": "{text} {title}"}, "holds {title}"),
        ({"passage": "{text} {text}"}, "twice"),
        ({"passage": "{text!r}"}, "only plain"),
        ({"passage": "{text"}, "brace"),
    ],
)
def test_templates_that_cannot_work_are_refused(parts, because):
    with pytest.raises(OptionError, match=because):
        Template(**parts)


def test_where_the_question_begins_is_known():
    _, tokens = tokens_of("byte-level", PASSAGES, question=QUESTION.question)
    assert tokens.text[tokens.question_start :].startswith(QUESTION.question)


def test_tokenizers_of_these_tests_are_unlike():
    assert len({len(tokens_of(kind, PASSAGES)[1]) for kind in TOKENIZERS}) == len(TOKENIZERS)
    assert all(isinstance(t.tokenizer, PreTrainedTokenizerFast) for t in TOKENIZERS.values())
