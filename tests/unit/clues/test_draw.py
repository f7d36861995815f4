"""Draws depend on nothing but seed, text, copy and unit."""

from hashlib import blake2b

import numpy as np
import pytest
from clue_cases import examples
from hypothesis import given
from hypothesis import strategies as st

from elusive.clues.dropout import draw

HALF = np.full(256, 0.5)
identifiers = st.text(max_size=12, alphabet=st.characters(exclude_categories=["Cs"]))


def philox_uniform(key: int, unit: int) -> float:
    """Philox 4x64-10 (Salmon et al. 2011), written out: word `unit % 4` of block `unit // 4 + 1`."""
    word = 2**64
    counter = [unit // 4 + 1, 0, 0, 0]
    keys = [key % word, key // word]
    for _round in range(10):
        high_0, low_0 = divmod(0xD2E7470EE14C6C93 * counter[0], word)
        high_1, low_1 = divmod(0xCA5A826395121157 * counter[2], word)
        counter = [high_1 ^ counter[1] ^ keys[0], low_1, high_0 ^ counter[3] ^ keys[1], low_0]
        keys = [(keys[0] + 0x9E3779B97F4A7C15) % word, (keys[1] + 0xBB67AE8584CAA73B) % word]
    return (counter[unit % 4] >> 11) / 2**53


def one_draw(p: float, *, seed: int, text_id: str, copy: int, unit: int) -> bool:
    key = blake2b(f"{seed}\0{copy}\0{text_id}".encode(), digest_size=16).digest()
    return philox_uniform(int.from_bytes(key, "little"), unit) < p


@given(
    p=st.lists(st.floats(0, 1), max_size=9),
    seed=st.integers(-(2**63), 2**63),
    text_id=identifiers,
    copies=st.lists(st.integers(0, 10**6), max_size=4),
)
@examples(60)
def test_a_draw_is_philox_of_its_key_at_its_unit(p, seed, text_id, copies):
    found = draw(np.array(p), seed=seed, text_id=text_id, copies=copies)
    assert found.shape == (len(copies), len(p))
    expected = [
        [one_draw(q, seed=seed, text_id=text_id, copy=copy, unit=u) for u, q in enumerate(p)] for copy in copies
    ]
    assert found.tolist() == expected


@given(n=st.integers(1, 60), more=st.integers(0, 60), numbers=st.permutations(range(1, 8)), k=st.integers(1, 7))
@examples(60)
def test_a_copy_does_not_depend_on_order_number_of_copies_or_later_units(n, more, numbers, k):
    p = np.random.default_rng(n).random(n + more)
    whole = draw(p, seed=1, text_id="t", copies=range(1, 8))
    some = draw(p[:n], seed=1, text_id="t", copies=iter(numbers[:k]))
    for number, row in zip(numbers[:k], some, strict=True):
        assert row.tolist() == whole[number - 1, :n].tolist()


def test_other_texts_drawn_in_between_change_nothing():
    before = draw(HALF, seed=1, text_id="a", copies=[1, 2])
    draw(HALF[:7], seed=1, text_id="b", copies=[1])
    np.testing.assert_array_equal(draw(HALF, seed=1, text_id="a", copies=[1, 2]), before)


def test_the_global_random_state_is_neither_read_nor_moved():
    np.random.seed(0)
    first = draw(HALF, seed=1, text_id="a", copies=[1])
    state = np.random.get_state()[1].tolist()
    np.random.seed(1)
    np.testing.assert_array_equal(draw(HALF, seed=1, text_id="a", copies=[1]), first)
    np.random.seed(0)
    assert np.random.get_state()[1].tolist() == state


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2},
        {"text_id": "b"},
        {"copies": [2]},
        {"seed": 11, "copies": [1], "text_id": "1\0a"},  # parts that could be run together
        {"seed": 1, "copies": [11], "text_id": "a"},
        {"seed": -1},
    ],
)
def test_another_seed_text_or_copy_draws_otherwise(other):
    one = {"seed": 1, "text_id": "a", "copies": [1]}
    agree = np.mean(draw(HALF, **one) == draw(HALF, **(one | other)))
    assert 0.3 < agree < 0.7  # 256 coins: outside once in 10^10


def test_zero_is_never_dropped_and_one_always():
    p = np.tile([0.0, 1.0], 2000)
    np.testing.assert_array_equal(draw(p, seed=0, text_id="t", copies=[1, 2]), np.tile([False, True], (2, 2000)))


def test_no_units_and_no_copies_are_empty():
    assert draw(np.empty(0), seed=0, text_id="t", copies=[1, 2, 3]).shape == (3, 0)
    assert draw(HALF, seed=0, text_id="t", copies=[]).shape == (0, 256)
