"""Received attention is what its definition says, for every family: alone, padded, selected, renormalised."""

import pytest
import torch
from comparison import TOLERANCE, Loaded, difference, padded
from families import BOS, EOS, FAMILIES, PAD, text

from elusive.attention import oracle
from elusive.attention.probe import watch
from elusive.attention.received import received_attention

every_family = pytest.mark.parametrize("loaded", FAMILIES, indirect=True)

LONG = text(240, seed=10)
LONG[100], LONG[170] = EOS, BOS
SPECIAL = frozenset({0, 100, 170})
SHORT = text(203, seed=11)


@every_family
def test_the_test_models_attend_sharply_beyond_the_first_token_and_themselves(loaded: Loaded):
    others = loaded.attention(tuple(LONG)).clone()
    others.diagonal(dim1=-2, dim2=-1).zero_()
    # Early rows have few tokens to spread over, and are sharp in any model.
    assert others[..., 100:, 1:].amax() > 0.4


@every_family
@pytest.mark.parametrize("impl", ["exact", "auto"])
def test_equals_the_definition_with_special_tokens_inside_the_text(loaded: Loaded, impl):
    received = received_attention(loaded.model, torch.tensor([LONG]), impl=impl)
    assert difference(received[0], loaded.expected(tuple(LONG), special=SPECIAL)) <= TOLERANCE


@every_family
@pytest.mark.parametrize("impl", ["exact", "auto"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_equals_the_definition_in_a_batch_padded_on_either_side(loaded: Loaded, side, impl):
    ids, mask, places = padded(SHORT, LONG, side=side, pad=PAD)
    received = received_attention(loaded.model, ids, mask, impl=impl)
    assert difference(received[0, places[0]], loaded.expected(tuple(SHORT))) <= TOLERANCE
    assert difference(received[1, places[1]], loaded.expected(tuple(LONG), special=SPECIAL)) <= TOLERANCE
    assert received[0].isnan().sum() == 37 + len({0, len(SHORT) - 1}), "padding has no score"


@every_family
def test_layers_and_heads_are_those_chosen(loaded: Loaded):
    received = received_attention(loaded.model, torch.tensor([SHORT]), layers=[0, -1], heads=[-1, 1])
    layers, heads = (0, loaded.n_layers - 1), (1, 3)
    assert difference(received[0], loaded.expected(tuple(SHORT), layers=layers, heads=heads)) <= TOLERANCE


@every_family
def test_renormalised_rows_leave_out_the_first_token(loaded: Loaded):
    received = received_attention(loaded.model, torch.tensor([SHORT]), layers=[1], heads=[0, 3], renormalise=True)
    expected = loaded.expected(tuple(SHORT), layers=(1,), heads=(0, 3), renormalise=True)
    # The first token's share is near 1 in places, which magnifies the rounding of what is left.
    assert difference(received[0], expected) <= 10 * TOLERANCE


@every_family
@pytest.mark.parametrize("renormalise", [False, True])
def test_sink_mass_is_the_mean_share_of_the_first_token(loaded: Loaded, renormalise):
    counted = torch.ones(1, len(SHORT))
    counted[:, 0] = 0
    with watch(loaded.model, renormalise=renormalise) as probe:
        seen = probe(torch.tensor([SHORT]), counted)
    sink = seen.sink[:, 0].mean() / seen.rows[0]
    assert sink == pytest.approx(oracle.sink_mass_by_definition(loaded.attention(tuple(SHORT))), abs=TOLERANCE)
