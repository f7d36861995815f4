"""Plausible mistakes about answering rows, each made on purpose: the comparison of the other tests must see it."""

from collections.abc import Callable

import pytest
import torch
from answering_cases import expected, values_of_text
from comparison import VISIBLE, Loaded
from families import PAD, text

from elusive.attention import hooks, interface
from elusive.attention.answer_rows import AnswerRows
from elusive.attention.answering import watch_answers
from elusive.errors import ModelError

IDS, SHORT = text(90, seed=90), text(61, seed=91)
ROWS, SHORT_ROWS = range(80, 86), range(57, 59)
BATCH = torch.tensor([[*SHORT, *[PAD] * (len(IDS) - len(SHORT))], IDS])


def worst(loaded: Loaded) -> float:
    with watch_answers(loaded.model) as probe:
        found = probe(BATCH, [SHORT_ROWS, ROWS]).scores
    differences = []
    for place, ids, rows in ((0, SHORT, SHORT_ROWS), (1, IDS, ROWS)):
        values = values_of_text(loaded, ids)
        difference = (found[place, ..., : len(ids)] - expected(loaded, ids, rows, values)).abs().max()
        differences.append(float(difference / torch.tensor(values).norm(dim=-1).max()))
    return max(differences)


def rows_moved(by: int) -> Callable[[pytest.MonkeyPatch], None]:
    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        of = AnswerRows.of
        monkeypatch.setattr(
            AnswerRows, "of", lambda rows, **k: of([range(r.start + by, r.stop + by) for r in rows], **k)
        )

    return mutate


def reduce_by(change: Callable[..., torch.Tensor]) -> Callable[[pytest.MonkeyPatch], None]:
    def mutate(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(AnswerRows, "_reduce", change)

    return mutate


def padded_rows_counted(rows: AnswerRows, weights: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    norms = value.norm(dim=-1)
    return weights.mean(2) * norms.repeat_interleave(weights.shape[1] // norms.shape[1], dim=1)


def heads_in_the_wrong_group(rows: AnswerRows, weights: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    norms = value.norm(dim=-1)
    norms = norms.repeat(1, weights.shape[1] // norms.shape[1], 1)
    return torch.einsum("bhrt,br->bht", weights, rows.weight) * norms


def values_unweighed(rows: AnswerRows, weights: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return torch.einsum("bhrt,br->bht", weights, rows.weight)


def first_row_alone(rows: AnswerRows, weights: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    norms = value.norm(dim=-1)
    return weights[:, :, 0] * norms.repeat_interleave(weights.shape[1] // norms.shape[1], dim=1)


MISTAKES = {
    "own rows for the predicting ones": rows_moved(1),
    "a row too early": rows_moved(-1),
    "padded rows counted": reduce_by(padded_rows_counted),
    "values left out": reduce_by(values_unweighed),
    "the first row alone": reduce_by(first_row_alone),
}


@pytest.mark.parametrize("loaded", ["llama", "mistral", "falcon"], indirect=True)
@pytest.mark.parametrize("mutate", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_seen(loaded: Loaded, mutate, monkeypatch):
    mutate(monkeypatch)
    assert worst(loaded) > VISIBLE


@pytest.mark.parametrize("loaded", ["llama", "qwen3"], indirect=True)
def test_heads_that_take_another_groups_values_are_seen(loaded: Loaded, monkeypatch):
    reduce_by(heads_in_the_wrong_group)(monkeypatch)
    assert worst(loaded) > VISIBLE


def test_falcon_values_of_another_layer_are_seen(load_family, monkeypatch):
    name, _ = hooks._VALUES["falcon"]
    monkeypatch.setitem(hooks._VALUES, "falcon", (name, lambda layer, out: layer._split_heads(out)[1].transpose(1, 2)))
    assert worst(load_family("falcon")) > VISIBLE


def test_rows_that_see_too_much_are_refused_for_their_output(load_family, monkeypatch):
    everything = interface.RowMask.visible
    monkeypatch.setattr(interface.RowMask, "check_causal", lambda self, *, model: None)
    monkeypatch.setattr(
        interface.RowMask, "visible", lambda self, a, b, **k: torch.ones_like(everything(self, a, b, **k))
    )
    with pytest.raises(ModelError, match="layer 0: its eager attention gives another output"):
        worst(load_family("llama"))
