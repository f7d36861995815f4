"""Plausible mistakes of the reduction, each made on purpose: the comparison that the other tests use must see it."""

from dataclasses import replace

import pytest
import torch
from comparison import TOLERANCE, VISIBLE, Loaded, difference, padded
from families import BOS, EOS, PAD, text
from torch import Tensor

from elusive.attention import hooks, layers, received, windows
from elusive.attention.oracle import received_in_windows_by_definition
from elusive.attention.probe import Probe, watch
from elusive.attention.received import received_attention
from elusive.attention.reduce import ExactRows, causal_followers

LONG, SHORT = text(240, seed=60), text(203, seed=61)
LONG[100] = EOS


class SlowRows(ExactRows):
    """The reduction again, in plain words, with a place for each mistake."""

    rows_for_columns = self_included = one_head = special_counted = False

    def add(self, weights: Tensor, visible: Tensor, *, first_row: int) -> None:
        n_rows, n_keys = weights.shape[-2:]
        counted = self._reduction.counted[:, first_row : first_row + n_rows]
        if self.special_counted:
            counted = torch.ones_like(counted)
        p = weights.float()[:, :1] if self.one_head else weights.float()
        offset = first_row if self.self_included else first_row - 1
        p = p.mean(1).tril(offset) * counted[..., None]
        if self.rows_for_columns:
            self._sums[:, first_row : first_row + n_rows] += p.sum(-1)
        else:
            self._sums[:, :n_keys] += p.sum(-2)
        seen = visible[:, 0].float().tril(offset) * counted[..., None]
        self._followers[:, :n_keys] += seen.sum(-2)


def mutate_rows(*flags: str):
    def mutate(monkeypatch) -> None:
        mutant = type("Mutant", (SlowRows,), dict.fromkeys(flags, True))
        monkeypatch.setattr(layers, "ExactRows", mutant)
        monkeypatch.setattr(hooks, "ExactRows", mutant)

    return mutate


def count_padding(monkeypatch) -> None:
    run = Probe.__call__

    def padding_counted(self, ids, counted):
        return run(self, ids, counted.masked_fill(ids == PAD, 1.0))

    monkeypatch.setattr(Probe, "__call__", padding_counted)


def leave_padding_on_the_left(monkeypatch) -> None:
    monkeypatch.setattr(torch, "argsort", lambda x, **_: torch.arange(x.shape[1]).expand_as(x).clone())


def divide_by_all_later_rows(monkeypatch) -> None:
    run = Probe.__call__

    def global_followers(self, ids, counted):
        seen = run(self, ids, counted)
        return replace(seen, followers=causal_followers(counted).expand_as(seen.sums))

    monkeypatch.setattr(Probe, "__call__", global_followers)


def pool_layers_before_dividing(monkeypatch) -> None:
    monkeypatch.setattr(received, "mean_over_layers", lambda sums, followers: sums.sum(0) / followers.sum(0))


def worst(loaded: Loaded) -> float:
    """The comparison of the other tests, on the exact path."""
    ids, mask, places = padded(LONG, SHORT, side="left", pad=PAD)
    found = received_attention(loaded.model, ids, mask, impl="exact")
    expected = [
        loaded.expected(tuple(LONG), special=frozenset({0, 100})),
        loaded.expected(tuple(SHORT)),
    ]
    return max(
        # A score where none belongs is seen at once; what must show here is a wrong value.
        difference(found[row, place].masked_fill(expected[row].isnan(), torch.nan), expected[row])
        for row, place in enumerate(places)
    )


EVERYWHERE = {
    "row sum": mutate_rows("rows_for_columns"),
    "self included": mutate_rows("self_included"),
    "one head only": mutate_rows("one_head"),
    "special rows counted": mutate_rows("special_counted"),
    "pad rows counted": count_padding,
    "padding left on the left": leave_padding_on_the_left,
}
WINDOWED = {
    "global follower count": divide_by_all_later_rows,
    "layers pooled before dividing": pool_layers_before_dividing,
}


@pytest.mark.parametrize("loaded", ["llama", "gemma2", "gpt_neo"], indirect=True)
def test_the_slow_reduction_without_a_mistake_passes(loaded: Loaded, monkeypatch):
    mutate_rows()(monkeypatch)
    assert worst(loaded) <= TOLERANCE


@pytest.mark.parametrize("loaded", ["llama", "gemma2", "gpt_neo"], indirect=True)
@pytest.mark.parametrize("mutate", EVERYWHERE.values(), ids=EVERYWHERE)
def test_a_mistake_is_seen(loaded: Loaded, mutate, monkeypatch):
    mutate(monkeypatch)
    assert worst(loaded) > VISIBLE


@pytest.mark.parametrize("loaded", ["gemma2", "gpt_neo", "llama4"], indirect=True)
@pytest.mark.parametrize("mutate", WINDOWED.values(), ids=WINDOWED)
def test_a_mistake_about_windows_is_seen_in_families_that_have_them(loaded: Loaded, mutate, monkeypatch):
    mutate(monkeypatch)
    assert worst(loaded) > VISIBLE


def test_rows_counted_twice_in_overlapping_windows_are_seen(load_family, monkeypatch):
    loaded, tokens = load_family("llama"), text(110, seed=62)[1:]
    expected = received_in_windows_by_definition(loaded.eager, tokens, first=BOS, window=40)
    cut = windows.windows_of

    def score() -> Tensor:
        with watch(loaded.model) as watched:
            texts = [torch.tensor(tokens).numpy()]
            scores = windows.score_texts(watched, texts, first=BOS, window=40, batch_tokens=10**6)
        return torch.from_numpy(scores[0].received)

    assert difference(score(), expected) <= TOLERANCE
    monkeypatch.setattr(
        windows, "windows_of", lambda *a, **k: (replace(w, first_counted=w.start) for w in cut(*a, **k))
    )
    assert difference(score(), expected) > VISIBLE
