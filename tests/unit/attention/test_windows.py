"""Texts longer than the context, and batches of texts: pieces are the whole, and neighbours do not matter."""

import numpy as np
import pytest
import torch
from comparison import TOLERANCE, difference
from families import BOS, text
from hypothesis import given
from hypothesis import strategies as st

from elusive.attention import oracle, windows
from elusive.attention.probe import Probe, watch
from elusive.attention.received import received_attention
from elusive.attention.windows import batches_of, score_texts, windows_of
from elusive.errors import ModelError

WINDOW = 48
LENGTHS = (150, 0, 1, 47, 48, 200, 2, 95)
TEXTS = [np.array(text(n + 1, seed=70 + n)[1:], dtype=np.int64) for n in LENGTHS]


def score(model, texts=TEXTS, *, batch_tokens: int = 10**6, window: int = WINDOW):
    with watch(model) as probe:
        return score_texts(probe, texts, first=BOS, window=window, batch_tokens=batch_tokens)


@pytest.fixture(scope="module")
def model(load_family):
    return load_family("llama").model


@pytest.mark.parametrize("name", ["llama", "gpt2", "falcon"])
def test_long_texts_equal_the_definition_by_windows(load_family, name):
    loaded = load_family(name)
    for tokens, found in zip(TEXTS, score(loaded.model), strict=True):
        expected = oracle.received_in_windows_by_definition(loaded.eager, tokens.tolist(), first=BOS, window=WINDOW)
        assert difference(torch.from_numpy(found.received), expected) <= TOLERANCE


def test_a_text_that_fits_is_scored_as_one(model):
    tokens = TEXTS[5]
    whole = received_attention(model, torch.tensor([[BOS, *tokens]]))[0, 1:]
    found = score(model, [tokens], window=len(tokens) + 1)[0].received
    assert difference(torch.from_numpy(found), whole) <= TOLERANCE


@pytest.mark.parametrize("batch_tokens", [1, 150, 1000])
def test_another_batch_size_gives_the_same_within_a_millionth(model, batch_tokens):
    for one, other in zip(score(model), score(model, batch_tokens=batch_tokens), strict=True):
        assert difference(torch.from_numpy(one.received), torch.from_numpy(other.received)) <= 1e-6
        assert one.rows == other.rows
        assert one.sink == pytest.approx(other.sink, rel=1e-5)


def test_another_order_gives_the_same_within_a_millionth(model):
    forward, backward = score(model, batch_tokens=300), score(model, TEXTS[::-1], batch_tokens=300)[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert difference(torch.from_numpy(one.received), torch.from_numpy(other.received)) <= 1e-6


def test_sink_mass_of_one_window_is_by_definition(load_family):
    loaded, tokens = load_family("llama"), TEXTS[3]
    found = score(loaded.model, [tokens])[0]
    expected = oracle.sink_mass_by_definition(loaded.attention((BOS, *tokens.tolist())))
    assert found.sink / found.rows == pytest.approx(expected, abs=TOLERANCE)


def test_sink_rows_are_the_tokens_of_the_text_each_once(model):
    assert [found.rows for found in score(model)] == list(LENGTHS)


def test_the_shortest_texts_have_no_score_but_a_shape(model):
    empty, one, two = score(model, [TEXTS[1], TEXTS[2], TEXTS[6]])
    assert empty.received.shape == (0,)
    assert np.isnan(one.received).all()
    assert one.received.shape == (1,)
    assert np.isnan(two.received).tolist() == [False, True]
    assert score(model, []) == []


def test_every_token_of_the_texts_is_reported_once(model):
    told: list[int] = []
    with watch(model) as probe:
        score_texts(probe, TEXTS, first=BOS, window=WINDOW, batch_tokens=200, on_tokens=told.append)
    assert sum(told) == sum(LENGTHS)
    assert len(told) > 1


def run_out_of_memory_above(size: int, monkeypatch, error: Exception) -> list[tuple[int, ...]]:
    """Let the probe's forward pass fail above `size` padded tokens; the shapes that were tried."""
    run, tried = Probe.__call__, []

    def limited(self, ids, counted):
        tried.append(tuple(ids.shape))
        if ids.numel() > size:
            raise error
        return run(self, ids, counted)

    monkeypatch.setattr(Probe, "__call__", limited)
    return tried


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
    ],
    ids=["cuda", "cpu"],
)
def test_a_batch_that_does_not_fit_is_halved_until_it_does(model, monkeypatch, error):
    expected = score(model)
    tried = run_out_of_memory_above(2 * WINDOW, monkeypatch, error)
    found = score(model)
    assert max(rows for rows, _ in tried) > 2
    assert any(rows * n <= 2 * WINDOW and rows == 2 for rows, n in tried), "halved, not cut to single windows"
    for one, other in zip(expected, found, strict=True):
        assert difference(torch.from_numpy(one.received), torch.from_numpy(other.received)) <= 1e-6
        assert one.rows == other.rows


def test_a_single_window_that_does_not_fit_is_an_error_with_advice(model, monkeypatch):
    run_out_of_memory_above(WINDOW - 1, monkeypatch, torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(ModelError, match=f"{WINDOW} tokens does not fit into memory.*--window"):
        score(model)


def test_other_runtime_errors_are_not_taken_for_memory(model, monkeypatch):
    tried = run_out_of_memory_above(0, monkeypatch, RuntimeError("a kernel broke"))
    with pytest.raises(RuntimeError, match="a kernel broke"):
        score(model)
    assert len(tried) == 1


@given(n=st.integers(0, 400), window=st.integers(3, 60))
def test_windows_count_every_row_once_and_where_it_has_most_left_context(n, window):
    cut = list(windows_of(0, n, window=window))
    counted = [row for w in cut for row in range(w.first_counted, w.stop)]
    assert counted == list(range(n))
    assert all(w.n_tokens <= window and w.start <= w.first_counted < w.stop for w in cut)
    for w in cut:
        for row in range(w.first_counted, w.stop):
            assert w.start == min(other.start for other in cut if other.start <= row < other.stop)


@given(lengths=st.lists(st.integers(1, 120), max_size=12), budget=st.integers(1, 500))
def test_batches_hold_every_window_once_within_the_budget(lengths, budget):
    cut = [w for i, n in enumerate(lengths) for w in windows_of(i, n, window=WINDOW)]
    batches = list(batches_of(cut, batch_tokens=budget))
    assert sorted((w.text, w.start) for b in batches for w in b) == sorted((w.text, w.start) for w in cut)
    for batch in batches:
        longest = max(w.n_tokens for w in batch)
        assert batch[0].n_tokens == longest
        assert len(batch) == 1 or len(batch) * longest <= budget


def test_windows_are_named_by_the_text_they_are_of():
    assert [w.text for w in windows.windows_of(3, 100, window=WINDOW)] == [3, 3, 3, 3]
