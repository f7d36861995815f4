"""What is never dropped."""

import re

import pytest
from clue_cases import any_text, examples, split_at, tokens_at, tokens_of
from hypothesis import given
from hypothesis import strategies as st

from elusive.clues.units import PROTECTION_CLASSES, protection, units_of
from elusive.errors import OptionError


def protected_pieces(text: str, *pieces: str, patterns: tuple[str, ...] = (), kind: str = "token") -> list[str]:
    units = units_of(text, split_at(text, *pieces), kind=kind, protect=protection(patterns))
    spans = zip(units.starts, units.ends, units.protected, strict=True)
    return [text[a:b] for a, b, protected in spans if protected]


@pytest.mark.parametrize("piece", [",", ".", " ,", " .", ", ", ".\n", "  . "])
def test_commas_and_full_stops_are_never_dropped_with_space_or_without(piece):
    assert protected_pieces(f"a{piece}b", "a", piece, "b") == [piece]


@pytest.mark.parametrize("piece", [",a", "..", ".,", ";", "。", "3.5", " ", "'"])
def test_nothing_else_is_protected_unasked(piece):
    assert protected_pieces(f"a{piece}b", "a", piece, "b") == []


def test_digits_protect_every_token_that_has_one():
    pieces = ("in", " 19", "74", " x", "2", " keys", " ٣")
    assert protected_pieces("in 1974 x2 keys ٣", *pieces, patterns=("digits",)) == [" 19", "74", "2", " ٣"]


@pytest.mark.parametrize("word", ["not", "No", "NEVER", "cannot", "isn't", "don’t", "nobody", "Without", "nor"])
def test_negations_protect_all_tokens_of_their_words(word):
    pieces = [piece for piece in (f" {word[:2]}", word[2:]) if piece]
    assert protected_pieces(f"it {word} so", "it", *pieces, " so", patterns=("negations",)) == pieces


@pytest.mark.parametrize("word", ["nothings", "note", "know", "nonet", "ant", "n't"])
def test_words_that_look_like_negations_may_be_dropped(word):
    assert protected_pieces(f"it {word} so", "it", f" {word}", " so", patterns=("negations",)) == []


def test_a_regular_expression_of_the_user_protects_each_token_in_a_match_in_part_or_whole():
    text = "Mara Velting was"
    pieces = ("Mar", "a Ve", "lting", " was")
    assert protected_pieces(text, *pieces, patterns=("Velt",)) == ["a Ve", "lting"]
    assert protected_pieces(text, *pieces, patterns=("(?i)mara",)) == ["Mar", "a Ve"]
    assert protected_pieces(text, *pieces, patterns=("x*", "(?=M)")) == []  # matches without characters


def test_patterns_do_not_hide_each_other():
    """In one alternation "7" would eat the beginning of "7 keys", and group 1 would be the other pattern's."""
    assert protected_pieces("has 7 keys", "has", " 7", " keys", patterns=("digits", "7 keys")) == [" 7", " keys"]
    assert protected_pieces("xy aa", "xy", " aa", patterns=("(x)z", r"(\w)\1")) == [" aa"]
    assert protected_pieces("ab", "a", "b", patterns=("(?x) a  # the letter", "(?P<n>b)", "(?P<n>c)")) == ["a", "b"]
    assert protected_pieces("ab A", "ab", " A", patterns=("(?i)(?m)^A", "q")) == ["ab"]


@given(
    text=any_text,
    patterns=st.lists(st.sampled_from(["digits", "negations", r"\s", "[a-m]+", r"\w+", "é|中"]), max_size=3),
)
@examples(100)
def test_a_unit_is_protected_if_any_of_its_tokens_is(text, patterns):
    tokens = tokens_of(text, "unigram")
    for kind in ("token", "word"):
        units = units_of(text, tokens, kind=kind, protect=protection(patterns))
        expected = [False] * len(units)
        for of, start, end in zip(units.of_token, tokens.starts.tolist(), tokens.ends.tolist(), strict=True):
            matches = [match.span() for p in patterns for match in re.finditer(PROTECTION_CLASSES.get(p, p), text)]
            touched = any(a < end and start < b for a, b in matches)
            expected[of] |= touched or text[start:end].strip() in (",", ".")
        assert units.protected.tolist() == expected


def test_a_word_with_a_protected_token_is_protected_whole():
    assert protected_pieces("x2y was", "x", "2", "y", " was", patterns=("digits",), kind="word") == ["x2y"]
    assert protected_pieces("x2y was", "x", "2", "y", " was", patterns=("digits",)) == ["2"]


def test_bytes_of_a_protected_character_are_protected_together():
    text = "a٣b"
    tokens = tokens_at((0, 1), (1, 2), (1, 2), (2, 3))
    assert units_of(text, tokens, protect=protection(["digits"])).protected.tolist() == [False, True, False]


def test_nothing_asked_for_is_no_pattern():
    assert protection([]) == ()


@pytest.mark.parametrize("pattern", ["(", "[a", "digit(", "*", "a{99999999999}", "(?P<n>a)(?P<n>b)", "a(?i)"])
def test_a_bad_expression_is_refused_in_one_line_that_names_it_and_the_classes(pattern):
    with pytest.raises(OptionError) as refused:
        protection(["digits", pattern])
    message = str(refused.value)
    assert message.startswith(f"--protect {pattern!r} is neither a regular expression (")
    assert message.endswith("nor one of digits, negations")
    assert "\n" not in message
