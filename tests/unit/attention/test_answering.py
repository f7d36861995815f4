"""What the answering rows attend to is what its definition says, for every family, alone and in a batch."""

import pytest
import torch
from answering_cases import expected, values_of_text
from comparison import Loaded
from families import FAMILIES, PAD, text

from elusive.attention.answering import AnswerAttention, watch_answers

TOLERANCE = 1e-5
IDS, SHORT = text(90, seed=70), text(61, seed=71)
ROWS, SHORT_ROWS = range(83, 88), range(59, 60)

every_family = pytest.mark.parametrize("loaded", FAMILIES, indirect=True)


def answering(model: torch.nn.Module, ids: list[list[int]], rows: list[range], **options: object) -> AnswerAttention:
    longest = max(map(len, ids))
    padded = torch.tensor([[*i, *[PAD] * (longest - len(i))] for i in ids])
    with watch_answers(model, **options) as probe:
        return probe(padded, rows)


@every_family
def test_equals_the_definition_in_a_padded_batch(loaded: Loaded):
    found = answering(loaded.model, [SHORT, IDS], [SHORT_ROWS, ROWS]).scores
    for place, ids, rows in ((0, SHORT, SHORT_ROWS), (1, IDS, ROWS)):
        values = values_of_text(loaded, ids)
        wanted = expected(loaded, ids, rows, values)
        # In attention weight: what a weight is multiplied by is no error of it.
        largest = torch.tensor(values).norm(dim=-1).max()
        assert (found[place, ..., : len(ids)] - wanted).abs().max() / largest <= TOLERANCE
        assert not found[place, ..., len(ids) :].any(), "padding is attended to by no row"


@every_family
def test_equals_the_definition_without_values_in_chosen_layers_and_heads(loaded: Loaded):
    found = answering(loaded.model, [IDS], [ROWS], values=False, layers=[0, -1], heads=[-1, 1]).scores[0]
    wanted = expected(loaded, IDS, ROWS)[[0, -1]][:, [1, 3]]
    assert (found - wanted).abs().max() <= TOLERANCE


@every_family
def test_alone_is_as_in_a_batch(loaded: Loaded):
    together = answering(loaded.model, [SHORT, IDS], [SHORT_ROWS, ROWS], values=False).scores[0, ..., : len(SHORT)]
    alone = answering(loaded.model, [SHORT], [SHORT_ROWS], values=False).scores[0]
    assert (together[0] - alone[0]).abs().max() <= 1e-6
    # Peaked layers magnify what the layers before them round.
    assert (together - alone).abs().max() <= TOLERANCE


@pytest.mark.parametrize("loaded", ["llama", "qwen3", "phi", "opt"], indirect=True)
def test_logits_are_the_products_before_the_softmax(loaded: Loaded):
    found = answering(loaded.model, [IDS, IDS], [ROWS, ROWS[1:]], logits=True).logits
    weights = loaded.attention(tuple(IDS))
    for example, row in enumerate((ROWS[0], ROWS[1])):
        softmax = found[example, ..., : row + 1].softmax(-1)
        assert (softmax - weights[:, :, row, : row + 1]).abs().max() <= TOLERANCE


@pytest.mark.parametrize("loaded", ["llama", "gemma2", "falcon"], indirect=True)
def test_a_coarse_model_is_close_to_a_fine_one(loaded: Loaded, tmp_path):
    fine = answering(loaded.model, [IDS], [ROWS], layers=[0]).scores
    coarse = type(loaded.model).from_pretrained(loaded.folder, dtype=torch.bfloat16)
    found = answering(coarse, [IDS], [ROWS], layers=[0]).scores
    assert found.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(found.flatten(), fine.flatten(), dim=0) > 0.95
