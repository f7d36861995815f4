"""Batches teach what they should: padding, borders and hidden tokens carry no loss, and nobody sees past them."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, BloomConfig, BloomForCausalLM, GPT2Config, GPT2LMHeadModel

from elusive.errors import OptionError
from elusive.pretraining.batches import IGNORED, NO_CACHE, Collator, Slots
from elusive.pretraining.borders import check_hiding, check_packing
from elusive.pretraining.loss import token_mean
from elusive.pretraining.order import order_of_epochs
from elusive.pretraining.rows import Document, Row, Rows, packed, pieces
from elusive.pretraining.streams import RowStream
from tests.tiny import save_llama

PAD = 2


def document(*ids, hidden=None):
    return Document(np.array(ids, dtype=np.int32), None if hidden is None else np.array(hidden))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return AutoModelForCausalLM.from_pretrained(save_llama(tmp_path_factory.mktemp("model"), seed=1)).eval()


def log_likelihoods(model, batch):
    """Of each token that is learnt."""
    with torch.no_grad():
        logits = model(**{name: tensor for name, tensor in batch.items() if name != "labels"}, **NO_CACHE).logits
    losses = F.cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), reduction="none")
    return losses[batch["labels"][:, 1:].flatten() != IGNORED]


def test_padding_carries_no_loss_and_labels_are_the_tokens():
    batch = Collator(pad=PAD)([Row(document(5, 6, 7).ids), Row(document(8, 9).ids)])
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, PAD]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7], [IGNORED, 9, IGNORED]]
    assert "position_ids" not in batch


def test_a_text_in_a_packed_row_is_learnt_as_if_it_stood_alone(model):
    texts = [document(*range(10, 20)), document(*range(30, 35)), document(*range(50, 63))]
    rows = list(packed(texts, 19))
    together = log_likelihoods(model, Collator(pad=PAD, packed=True)(rows))
    parts = [range(10, 20), range(30, 35), range(50, 54), range(53, 63)]
    alone = [log_likelihoods(model, Collator(pad=PAD)([Row(document(*part).ids)])) for part in parts]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-4)


def test_hidden_tokens_are_neither_seen_nor_learnt_and_positions_stay(model):
    hidden = [False, False, True, True, False, False]
    row = Row(document(4, 5, 6, 7, 8, 9, hidden=hidden).ids, np.array(hidden))
    batch = Collator(pad=PAD, hides=True)([row])
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0, 1, 1]]
    assert batch["labels"].tolist() == [[IGNORED, 5, 8, IGNORED, IGNORED, 9]], "from 5, the next that is seen is 8"
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 5]]
    other = batch | {"input_ids": torch.tensor([[4, 5, 60, 61, 8, 9]])}
    here, there = log_likelihoods(model, batch), log_likelihoods(model, other)
    assert torch.equal(here, there), "the tokens in the middle are others, and nobody noticed"


def test_of_a_part_that_begins_with_a_hidden_token_the_first_can_be_attended_to():
    text = document(*range(4, 12), hidden=[False] + [True] * 7)
    masks = Collator(pad=PAD, hides=True)(list(pieces([text], 4)))["attention_mask"]
    assert masks[:, 0].tolist() == [1, 1, 1]


def test_empty_slots_alone_make_a_row_of_which_nothing_is_learnt(model):
    batch = Collator(pad=PAD)([None, None])
    assert batch["input_ids"].shape == (1, 1)
    assert (batch["labels"] == IGNORED).all()
    loss = token_mean(model(input_ids=batch["input_ids"]), batch["labels"], torch.tensor(7))
    assert loss.item() == 0
    assert Collator(pad=PAD)([None, Row(document(5, 6).ids)])["input_ids"].tolist() == [[5, 6]]


def test_the_loss_is_the_mean_over_the_step_in_whatever_parts(model):
    rows = [Row(document(*range(a, b)).ids) for a, b in ((4, 9), (20, 40), (7, 10), (90, 101))]
    whole = Collator(pad=PAD)(rows)
    expected = log_likelihoods(model, whole).mean()
    n_learnt = sum(len(row) - 1 for row in rows)
    parts = [Collator(pad=PAD)(part) for part in (rows[:1], rows[1:])]
    with torch.no_grad():
        losses = [
            token_mean(model(**{k: v for k, v in part.items() if k != "labels"}), part["labels"], n_learnt)
            for part in parts
        ]
    torch.testing.assert_close(torch.stack(losses).sum(), expected)


def test_slots_count_their_tokens():
    rows = Rows(pieces([document(*range(n)) for n in (2, 3, 4)], 9))
    slots = Slots(
        order_of_epochs(3, batch_size=2, shares=[], seed=0), [RowStream(lambda _epoch: rows, seed=0, source=0)]
    )
    assert len(slots) == 4
    assert sum(row is None for row in (slots[slot] for slot in range(4))) == 1
    assert slots.n_tokens(0) + slots.n_tokens(1) == 9


SMALL = {"vocab_size": 32, "bos_token_id": 0, "eos_token_id": 1}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_llama_and_gpt2_keep_texts_apart(model, attention):
    gpt2 = GPT2LMHeadModel(GPT2Config(n_embd=16, n_head=2, n_layer=2, n_positions=32, **SMALL))
    for checked in (gpt2, model):
        checked.set_attn_implementation(attention)
        check_packing(checked, "it")
        check_hiding(checked, "it")
    model.set_attn_implementation("sdpa")


def test_a_model_that_takes_no_positions_is_refused():
    torch.manual_seed(0)
    bloom = BloomForCausalLM(BloomConfig(hidden_size=16, n_head=2, n_layer=1, **SMALL))
    with pytest.raises(OptionError, match="it lets packed texts see one another; leave --packing out"):
        check_packing(bloom, "it")
    check_hiding(bloom, "it")


def test_a_model_that_ignores_borders_is_refused(model):
    class Leaky(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, position_ids=None, attention_mask=None, use_cache=False):
            return self.model(input_ids=input_ids)

    with pytest.raises(OptionError, match="it lets packed texts see one another; leave --packing out"):
        check_packing(Leaky(), "it")
    with pytest.raises(OptionError, match="it sees tokens that are hidden from it; take --drop-by delete"):
        check_hiding(Leaky(), "it")


def test_a_model_that_finds_borders_in_a_single_row_alone_is_refused(model):
    class OfOneRow(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, position_ids=None, use_cache=True):
            positions = position_ids if len(input_ids) == 1 else None
            return self.model(input_ids=input_ids, position_ids=positions, use_cache=use_cache)

    with pytest.raises(OptionError, match="it lets packed texts see one another"):
        check_packing(OfOneRow(), "it")
