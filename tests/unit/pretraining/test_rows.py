"""Rows lose nothing: every token is learnt from its predecessor once, however long the text and full the row."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elusive.pretraining.rows import Document, Row, Rows, packed, pieces

Pair = tuple[int, int]

LENGTHS = st.lists(st.integers(0, 40), max_size=12)
ROW_LEN = st.integers(2, 17)


def documents(lengths: list[int]) -> list[Document]:
    """Documents of tokens that are all different."""
    ends = np.cumsum([0, *lengths])
    return [Document(np.arange(a, b, dtype=np.int32)) for a, b in itertools.pairwise(ends)]


def learnt(row: Row) -> list[Pair]:
    """Each token that the row teaches, with the one before it."""
    positions = np.arange(len(row)) if row.positions is None else row.positions
    return [(int(row.ids[i - 1]), int(row.ids[i])) for i in range(1, len(row)) if positions[i]]


def wanted(texts: list[Document]) -> list[Pair]:
    return [pair for text in texts for pair in itertools.pairwise(text.ids.tolist())]


@pytest.mark.parametrize("made", [pieces, packed])
@given(lengths=LENGTHS, row_len=ROW_LEN)
def test_each_token_is_learnt_from_its_predecessor_exactly_once(made, lengths, row_len):
    texts = documents(lengths)
    rows = list(made(texts, row_len))
    assert sorted(pair for row in rows for pair in learnt(row)) == wanted(texts)
    assert all(2 <= len(row) <= row_len for row in rows)


@given(lengths=LENGTHS, row_len=ROW_LEN)
def test_packed_rows_are_full_but_for_the_last_and_what_a_single_token_cannot_fill(lengths, row_len):
    rows = list(packed(documents(lengths), row_len))
    assert all(len(row) >= row_len - 1 for row in rows[:-1])


def test_a_short_text_is_one_row_as_it_is():
    [text] = documents([5])
    [row] = pieces([text], 5)
    assert row.ids.tolist() == text.ids.tolist()
    assert row.positions is None


def test_a_long_text_goes_on_with_the_last_token_of_the_row_before():
    assert [row.ids.tolist() for row in pieces(documents([7]), 4)] == [[0, 1, 2, 3], [3, 4, 5, 6]]


def test_positions_begin_anew_with_each_text_of_a_packed_row():
    [first, second] = packed(documents([3, 4]), 5)
    assert (first.ids.tolist(), first.positions.tolist()) == ([0, 1, 2, 3, 4], [0, 1, 2, 0, 1])
    assert (second.ids.tolist(), second.positions.tolist()) == ([4, 5, 6], [0, 1, 2])


def test_what_is_hidden_stays_with_its_token():
    text = Document(np.arange(6, dtype=np.int32), np.arange(6) % 2 == 1)
    for row in pieces([text], 4):
        assert row.hidden.tolist() == [token % 2 == 1 for token in row.ids.tolist()]


def test_rows_are_given_back_as_they_were_made():
    made = list(packed(documents([3, 4, 9, 2]), 5))
    rows = Rows(made)
    assert len(rows) == len(made)
    assert rows.n_tokens == sum(map(len, made))
    for row, before in zip(rows, made, strict=True):
        np.testing.assert_array_equal(row.ids, before.ids)
        np.testing.assert_array_equal(row.positions, before.positions)
