"""The order shows every row of every epoch once, and mixes in what is replayed evenly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elusive.pretraining.order import EMPTY, MAIN, order_of_epochs, order_of_steps
from elusive.pretraining.rows import Document, Rows, pieces
from elusive.pretraining.streams import RowStream

SHARES = st.sampled_from([(), (0.5,), (0.3,), (0.9,), (0.2, 0.5), (1 / 3, 1 / 3)])


def numbers(order, source):
    return sorted(order.numbers[order.sources == source].tolist())


@given(n_rows=st.integers(1, 200), batch_size=st.integers(1, 9), shares=SHARES, seed=st.integers(0, 3))
def test_every_main_row_is_shown_once_and_replayed_rows_in_turn(n_rows, batch_size, shares, seed):
    order = order_of_epochs(n_rows, batch_size=batch_size, shares=shares, seed=seed)
    assert numbers(order, MAIN) == list(range(n_rows))
    for source, share in enumerate(shares, 1):
        assert numbers(order, source) == list(range(order.n_shown(source)))
        assert order.n_shown(source) == pytest.approx(n_rows * share / (1 - sum(shares)), abs=0.5001)
    empty = (order.sources == EMPTY).sum(axis=1)
    assert not empty[:-1].any()
    assert empty[-1] < batch_size


@given(n_steps=st.integers(1, 60), batch_size=st.integers(1, 9), shares=SHARES)
def test_steps_are_as_many_as_asked_for_and_full(n_steps, batch_size, shares):
    order = order_of_steps(n_steps, batch_size=batch_size, shares=shares, seed=0)
    assert order.n_steps == n_steps
    assert (order.sources != EMPTY).all()
    for source in range(len(shares) + 1):
        assert numbers(order, source) == list(range(order.n_shown(source)))


def test_each_step_has_its_share_of_replayed_rows():
    order = order_of_steps(100, batch_size=8, shares=[0.25, 0.375], seed=0)
    for source, expected in ((1, 2), (2, 3)):
        in_step = (order.sources == source).sum(axis=1)
        assert in_step.mean() == pytest.approx(expected, abs=0.02)
        assert set(in_step.tolist()) <= {expected - 1, expected, expected + 1}


def test_replayed_rows_have_no_slot_of_their_own():
    sources = order_of_steps(200, batch_size=4, shares=[0.5], seed=0).sources
    assert ((sources == 1).mean(axis=0) > 0.3).all()


def test_the_seed_alone_decides():
    one, same, other = (order_of_steps(20, batch_size=8, shares=[0.5], seed=seed).sources for seed in (0, 0, 1))
    assert (one == same).all()
    assert not (one == other).all()


def rows_of(lengths):
    return Rows(pieces([Document(np.full(n, n, dtype=np.int32)) for n in lengths], 100))


def shown(stream, first, last):
    return [len(stream.row(number)) for number in range(first, last)]


def test_a_stream_shows_each_row_once_an_epoch_in_another_order():
    rows = rows_of(range(2, 40))
    stream = RowStream(lambda _epoch: rows, seed=0, source=0)
    epochs = [shown(stream, 38 * epoch, 38 * (epoch + 1)) for epoch in range(3)]
    assert all(sorted(epoch) == list(range(2, 40)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs[0] != shown(RowStream(lambda _epoch: rows, seed=1, source=0), 0, 38)
    assert epochs[0] != shown(RowStream(lambda _epoch: rows, seed=0, source=1), 0, 38)


def test_epochs_of_unlike_lengths_follow_one_another():
    stream = RowStream(lambda epoch: rows_of([2 + epoch] * (epoch + 1)), seed=0, source=0)
    assert shown(stream, 0, 6) == [2, 3, 3, 4, 4, 4]
    assert stream.n_rows(3) == 6
    assert [stream.length(number) for number in (5, 0, 2)] == [4, 2, 3], "gone on at any row"
    assert [stream.epochs(n) for n in (0, 1, 2, 3, 6)] == [0, 1, 1.5, 2, 3]
