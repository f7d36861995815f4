"""Cutting spans out of a text."""

from itertools import pairwise

import pytest
from clue_cases import examples, is_subsequence
from hypothesis import given
from hypothesis import strategies as st

from elusive.clues.drops import without

texts = st.text(alphabet="ab  \n", max_size=24) | st.text(
    alphabet=st.characters(exclude_categories=["Cs"]), max_size=12
)
MODES = ["delete", "blank", "mask"]


@st.composite
def cuts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """A text and disjoint spans of it in order, neighbours included."""
    text = draw(texts)
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    spans = [span for span in pairwise(edges) if draw(st.booleans())]
    return text, spans


def deleted(text: str, spans: list[tuple[int, int]]) -> str:
    """One character after the other: a space that comes to stand behind a space at a cut goes, once a cut."""
    gone = {i for start, end in spans for i in range(start, end)}
    kept, at_cut = "", False
    for i, character in enumerate(text):
        if i in gone:
            at_cut = True
        elif at_cut and character == " " and kept.endswith(" "):
            at_cut = False
        else:
            kept, at_cut = kept + character, False
    return kept


@given(cut=cuts())
@examples(500)
def test_delete_takes_one_of_two_spaces_that_meet_at_a_cut(cut):
    assert without(*cut) == deleted(*cut)


@pytest.mark.parametrize(
    ("text", "spans", "left"),
    [
        ("She was born", [(4, 7)], "She born"),
        ("She was born", [(3, 7)], "She born"),
        ("She was born", [(4, 8)], "She born"),
        ("a b c d", [(2, 3), (4, 5)], "a d"),  # two words, each leaving its spaces
        ("a b c d", [(2, 3), (3, 4), (4, 5)], "a d"),  # neighbours are one cut
        ("a  b", [(0, 1)], "  b"),  # the source's own two spaces did not meet at the cut
        ("a   b", [(2, 3)], "a b"),
        ("a  b", [(3, 4)], "a  "),
        ("ab", [(0, 2)], ""),
        (" a ", [(1, 2)], " "),
        ("a\n b", [(0, 1)], "\n b"),
        ("a\tb\tc", [(2, 3)], "a\t\tc"),  # spaces only
    ],
)
def test_delete_by_hand(text, spans, left):
    assert without(text, spans) == left


@given(cut=cuts())
@examples(200)
def test_what_is_left_after_delete_is_a_subsequence_that_lost_the_spans_and_spaces_at_cuts_alone(cut):
    text, spans = cut
    left = without(text, spans)
    kept = "".join(c for i, c in enumerate(text) if not any(a <= i < b for a, b in spans))
    assert is_subsequence(left, kept)
    assert left.replace(" ", "") == kept.replace(" ", "")
    assert 0 <= len(kept) - len(left) <= len(spans)


@given(cut=cuts())
@examples(100)
def test_blank_keeps_length_and_place(cut):
    text, spans = cut
    left = without(text, spans, mode="blank")
    assert left == "".join(" " if any(a <= i < b for a, b in spans) else c for i, c in enumerate(text))


@given(cut=cuts(), mask=st.sampled_from(["[MASK]", "", "_", "  "]))
@examples(100)
def test_mask_stands_once_for_each_span(cut, mask):
    text, spans = cut
    expected = text
    for start, end in reversed(spans):
        expected = expected[:start] + mask + expected[end:]
    assert without(text, spans, mode="mask", mask=mask) == expected


@given(text=texts, mode=st.sampled_from(MODES))
@examples(50)
def test_nothing_dropped_is_the_text_itself(text, mode):
    assert without(text, [], mode=mode) == text


@pytest.mark.parametrize("mode", MODES)
def test_spans_may_be_any_iterable(mode):
    spans = [(0, 1), (2, 3), (3, 4)]
    assert without("abcde", iter(spans), mode=mode) == without("abcde", spans, mode=mode)
