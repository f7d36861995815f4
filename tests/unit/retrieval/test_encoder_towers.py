"""One model for both sides, two that share nothing, or two of which one is frozen: what a training step moves."""

import numpy as np
import pytest
import torch
from encoder_cases import TEXTS, close, opened, save_bert

from elusive.errors import ModelError
from elusive.retrieval.encoder_options import SIDES


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("bert"), dropout=0.1)


def step(encoder, *sides):
    """One step of plain gradient descent on the sum of the sides' vectors; what each side gave before and after."""
    before = {side: encoder.encode(TEXTS, side=side) for side in SIDES}
    optimizer = torch.optim.SGD(encoder.trainable_parameters(), lr=0.1)
    sum(encoder.embed(TEXTS, side=side).square().sum() for side in sides).backward()
    optimizer.step()
    return before, {side: encoder.encode(TEXTS, side=side) for side in SIDES}


def test_of_a_tied_encoder_a_step_on_queries_moves_both_sides(bert):
    encoder = opened(bert)
    assert encoder.is_tied
    before, after = step(encoder, "query")
    assert not close(before["query"], after["query"])
    assert np.array_equal(after["query"], after["passage"])


def test_separate_towers_start_equal_and_share_nothing(bert):
    encoder = opened(bert, towers="separate")
    weights = {side: {w.data_ptr() for w in encoder.tower(side).parameters()} for side in SIDES}
    assert not weights["query"] & weights["passage"]
    before, after = step(encoder, "query")
    assert np.array_equal(before["query"], before["passage"])
    assert not close(before["query"], after["query"])
    assert np.array_equal(before["passage"], after["passage"])
    passages = encoder.fingerprint("passage")
    step(encoder, "passage")
    assert encoder.fingerprint("passage") != passages


def test_query_side_training_leaves_the_passage_side_bit_equal(bert):
    encoder = opened(bert, towers="query-only")
    passages, queries = encoder.fingerprint("passage"), encoder.fingerprint("query")
    before, after = step(encoder, "query", "passage")
    assert not close(before["query"], after["query"])
    assert np.array_equal(before["passage"], after["passage"])
    assert encoder.fingerprint("passage") == passages
    assert encoder.fingerprint("query") != queries


def test_a_frozen_side_has_no_dropout_even_in_training(bert):
    encoder = opened(bert, towers="query-only").train()
    calm, noisy = (encoder.embed(TEXTS, side=side).detach() for side in ("passage", "query"))
    assert close(calm, encoder.encode(TEXTS, side="passage"))
    assert not close(noisy, encoder.encode(TEXTS, side="query"))


def test_an_optimiser_is_given_each_weight_once_and_none_in_vain(bert):
    tied, separate, query_only = (opened(bert, towers=t) for t in ("as-saved", "separate", "query-only"))
    n_tied = len(tied.trainable_parameters())
    assert n_tied == len([name for name, _ in tied.tower("query").model.named_parameters() if "pooler" not in name])
    assert len(separate.trainable_parameters()) == 2 * n_tied
    assert len(query_only.trainable_parameters()) == n_tied
    assert len(separate.state_dict()) == 2 * len(tied.state_dict())


def test_its_state_brings_back_the_same_vectors(bert, tmp_path):
    encoder, other = opened(bert), opened(save_bert(tmp_path, seed=5))
    assert not close(encoder.encode(TEXTS, side="query"), other.encode(TEXTS, side="query"))
    other.load_state_dict(encoder.state_dict())
    assert np.array_equal(encoder.encode(TEXTS, side="query"), other.encode(TEXTS, side="query"))


def test_towers_of_different_widths_are_refused(tmp_path):
    for side, width in (("query", 32), ("passage", 16)):
        (tmp_path / side).mkdir()
        opened(save_bert(tmp_path / f"bert-{side}", width=width)).save(tmp_path / side)
    with pytest.raises(ModelError, match="queries have 32 dimensions, those of passages 16"):
        opened(tmp_path)
