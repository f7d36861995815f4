"""What is dropped as one: tokens that share a character, and words."""

import unicodedata

import numpy as np
import pytest
from clue_cases import TOKENIZERS, any_text, examples, split_at, tokens_at, tokens_of
from hypothesis import example, given
from hypothesis import strategies as st

from elusive.clues.units import units_of
from elusive.tokenization import TokenizedText

kinds_of_tokenizer = pytest.mark.parametrize("tokenizer", TOKENIZERS)


def words_of(text: str) -> list[set[int]]:
    """The code points of each word, read off one by one."""

    def letter(i: int) -> bool:
        if not 0 <= i < len(text):
            return False
        return text[i].isalnum() or text[i] == "_" or unicodedata.category(text[i])[0] == "M"

    def inside(i: int) -> bool:
        return letter(i) or (text[i] in "'’-\u200c\u200d" and letter(i - 1) and letter(i + 1))

    words: list[set[int]] = []
    for i in range(len(text)):
        if inside(i):
            if not (i and inside(i - 1)):
                words.append(set())
            words[-1].add(i)
    return words


def grouped(tokens: TokenizedText, *, words: list[set[int]]) -> list[int]:
    """Unit of each token, by joining each two tokens that belong together until nothing changes."""
    chars = [set(range(a, b)) for a, b in zip(tokens.starts, tokens.ends, strict=True)]
    unit = list(range(len(tokens)))
    for i in range(len(tokens)):
        for j in range(i):
            together = chars[i] & chars[j] or any(chars[i] & word and chars[j] & word for word in words)
            if together and unit[i] != unit[j]:
                old, new = unit[i], unit[j]
                unit = [new if u == old else u for u in unit]
    numbers = {u: n for n, u in enumerate(dict.fromkeys(unit))}
    return [numbers[u] for u in unit]


@kinds_of_tokenizer
@pytest.mark.parametrize("kind", ["token", "word"])
@given(text=any_text)
@examples(80)
def test_units_are_the_closure_of_sharing_a_character_or_a_word(tokenizer, kind, text):
    tokens = tokens_of(text, tokenizer)
    units = units_of(text, tokens, kind=kind)
    assert units.of_token.tolist() == grouped(tokens, words=words_of(text) if kind == "word" else [])


@pytest.mark.parametrize("kind", ["token", "word"])
@given(places=st.lists(st.tuples(st.integers(0, 11), st.integers(1, 5)), max_size=7))
@example(places=[(0, 3), (1, 1), (3, 2)])
@examples(150)
def test_tokens_that_overlap_in_any_way_are_joined(kind, places):
    text = "  abcde c-d, é'fg"
    tokens = tokens_at(*((start, start + width) for start, width in sorted(places, key=lambda place: place[0])))
    units = units_of(text, tokens, kind=kind)
    assert units.of_token.tolist() == grouped(tokens, words=words_of(text) if kind == "word" else [])


@kinds_of_tokenizer
@pytest.mark.parametrize("kind", ["token", "word"])
@given(text=any_text)
@examples(40)
def test_units_are_disjoint_spans_in_order_that_hold_their_tokens(tokenizer, kind, text):
    tokens = tokens_of(text, tokenizer)
    units = units_of(text, tokens, kind=kind)
    assert (units.starts[1:] >= units.ends[:-1]).all()
    for u in range(len(units)):
        members = np.flatnonzero(units.of_token == u)
        assert units.starts[u] == tokens.starts[members].min()
        assert units.ends[u] == tokens.ends[members].max()


@kinds_of_tokenizer
@given(text=any_text)
@examples(40)
def test_a_word_is_never_split(tokenizer, text):
    units = units_of(text, tokens_of(text, tokenizer), kind="word")
    for word in words_of(text):
        holders = [u for u in range(len(units)) if not word.isdisjoint(range(int(units.starts[u]), int(units.ends[u])))]
        assert len(holders) == 1


@given(text=any_text)
@examples(40)
def test_units_of_a_byte_level_tokenizer_hold_every_character_once(text):
    units = units_of(text, tokens_of(text))
    covered = [i for a, b in zip(units.starts, units.ends, strict=True) for i in range(a, b)]
    assert covered == list(range(len(text)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mara Velting was", ["Mara", " Velting", " was"]),
        ("don't well-known O’Neill", ["don't", " well-known", " O’Neill"]),
        ("a - b", ["a", " -", " b"]),
        ("31 notebooks, a_b", ["31", " notebooks", ",", " a_b"]),
        ("l'e\u0301te\u0301 ici", ["l'e\u0301te\u0301", " ici"]),
        ("हिन्दी भाषा", ["हिन्दी", " भाषा"]),
        ("می‌خواهم رفت", ["می‌خواهم", " رفت"]),
        ("中文 x", ["中文", " x"]),
    ],
)
def test_words_of_a_byte_level_tokenizer_by_hand(text, words):
    units = units_of(text, tokens_of(text), kind="word")
    spans = zip(units.starts.tolist(), units.ends.tolist(), strict=True)
    found = "|".join(text[a:b] for a, b in spans)
    # Spaces that the tokenizer keeps as tokens of their own are units of their own.
    assert found.replace(" |", " ") == "|".join(words)


def test_a_dummy_prefix_is_a_unit_of_its_own_and_is_never_dropped():
    units = units_of("ab", tokens_at((0, 0), (0, 1), (1, 2)))
    assert units.of_token.tolist() == [0, 1, 2]
    assert units.protected.tolist() == [True, False, False]


def test_the_prefix_that_shares_the_first_character_is_one_unit_with_it():
    text = "Mara was"
    tokens = tokens_of(text, "fallback")
    assert (tokens.starts[:2].tolist(), tokens.ends[:2].tolist()) == ([0, 0], [1, 1])
    assert units_of(text, tokens).of_token[:3].tolist() == [0, 0, 1]


def test_no_tokens_no_units():
    units = units_of("", tokens_at())
    assert len(units) == 0
    assert units.mean(np.empty(0, dtype=np.float32)).shape == (0,)


@given(data=st.data(), spans=st.lists(st.integers(0, 3), min_size=1, max_size=12))
@examples(60)
def test_a_unit_scores_the_mean_of_its_scored_tokens(data, spans):
    text = "x" * (len(spans) + 3)
    tokens = tokens_at(*((i, i + width) for i, width in enumerate(spans)))
    units = units_of(text, tokens)
    values = data.draw(st.lists(st.floats(0, 1, width=32) | st.just(np.nan), min_size=len(spans), max_size=len(spans)))
    found = units.mean(np.array(values, dtype=np.float32))
    for u in range(len(units)):
        own = [v for v, of in zip(values, units.of_token, strict=True) if of == u and v == v]
        np.testing.assert_allclose(found[u], sum(own) / len(own) if own else np.nan, rtol=1e-12)


def test_the_last_token_alone_has_no_score_but_its_unit_may():
    text = "a é"
    tokens = tokens_of(text)
    scores = np.array([0.5] * (len(tokens) - 1) + [np.nan], dtype=np.float32)
    assert units_of(text, tokens).mean(scores)[-1] == 0.5  # two bytes of one character
    assert np.isnan(units_of("ab", split_at("ab", "a", "b")).mean(np.float32([0.5, np.nan]))[-1])
