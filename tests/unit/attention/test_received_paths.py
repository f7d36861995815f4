"""The two paths give one answer; a path that was named is taken or refused, never exchanged; bfloat16 comes close."""

import pytest
import torch
from comparison import TOLERANCE, Loaded, difference, padded
from families import BOS, FAMILIES, FAST, NOT_FAST, PAD, WINDOW, text
from transformers import AutoModelForCausalLM

from elusive.attention import layers, probe
from elusive.attention.received import received_attention
from elusive.errors import ModelError

LONG, SHORT = text(240, seed=20), text(181, seed=21)
RENORMALISED = 1e-5
"""In renormalised attention, whose columns are a few times larger."""
WINDOWED = [name for name in NOT_FAST if "hides" in FAMILIES[name].not_fast]


@pytest.fixture
def exact_layers(monkeypatch) -> list[object]:
    """The modules whose layers took the exact path."""
    taken: list[object] = []
    exact = probe.exact_layer

    def spy(call, reduction):
        taken.append(call.module)
        return exact(call, reduction)

    monkeypatch.setattr(probe, "exact_layer", spy)
    return taken


@pytest.mark.parametrize("loaded", FAST, indirect=True)
def test_fast_equals_exact_on_a_padded_batch(loaded: Loaded, exact_layers):
    ids, mask, _ = padded(LONG, SHORT, side="left", pad=PAD)
    options = {"layers": [0, 2], "heads": [0, 3]}
    fast = received_attention(loaded.model, ids, mask, impl="fast", **options)
    assert not exact_layers
    exact = received_attention(loaded.model, ids, mask, impl="exact", **options)
    assert len(exact_layers) == 3
    assert difference(fast, exact) <= TOLERANCE


@pytest.mark.parametrize("loaded", FAST, indirect=True)
def test_auto_takes_the_fast_path_where_it_is_equal(loaded: Loaded, exact_layers):
    received_attention(loaded.model, torch.tensor([LONG]))
    assert not exact_layers


@pytest.mark.parametrize("loaded", NOT_FAST, indirect=True)
def test_fast_is_refused_by_name_where_it_would_differ(loaded: Loaded):
    with pytest.raises(ModelError, match=loaded.family.not_fast) as refusal:
        received_attention(loaded.model, torch.tensor([LONG]), impl="fast")
    assert type(loaded.model).__name__ in str(refusal.value)
    assert "--impl" in str(refusal.value)


@pytest.mark.parametrize("loaded", WINDOWED, indirect=True)
def test_fast_is_legal_for_a_text_within_the_window(loaded: Loaded, exact_layers):
    ids = torch.tensor([text(WINDOW, seed=22)])
    fast = received_attention(loaded.model, ids, impl="fast")
    assert not exact_layers
    assert difference(fast, received_attention(loaded.model, ids, impl="exact")) <= TOLERANCE


@pytest.mark.parametrize("loaded", FAST, indirect=True)
@pytest.mark.parametrize("heads", [None, [0, 1]])
def test_renormalised_rows_are_equal_on_both_paths_and_by_definition(loaded: Loaded, exact_layers, heads):
    ids = torch.tensor([LONG])
    fast = received_attention(loaded.model, ids, impl="fast", renormalise=True, heads=heads)
    assert not exact_layers
    exact = received_attention(loaded.model, ids, impl="exact", renormalise=True, heads=heads)
    expected = loaded.expected(tuple(LONG), renormalise=True, heads=None if heads is None else tuple(heads))
    assert difference(fast[0], exact[0]) <= RENORMALISED
    assert difference(fast[0], expected) <= RENORMALISED


@pytest.mark.parametrize("loaded", ["falcon"], indirect=True)
def test_renormalised_rows_of_a_family_without_a_fast_path_refuse_it(loaded: Loaded):
    with pytest.raises(ModelError, match="--impl fast"):
        received_attention(loaded.model, torch.tensor([LONG]), impl="fast", renormalise=True)


@pytest.mark.parametrize("loaded", ["llama"], indirect=True)
def test_an_attention_that_is_secretly_more_than_softmax_takes_the_exact_path(
    loaded: Loaded, exact_layers, monkeypatch
):
    from transformers.models.llama import modeling_llama

    own = modeling_llama.eager_attention_forward

    def sharpened(*args, scaling, **options):
        return own(*args, scaling=scaling * 1.5, **options)

    monkeypatch.setattr(modeling_llama, "eager_attention_forward", sharpened)
    received_attention(loaded.model, torch.tensor([LONG]))
    assert len(exact_layers) == 3
    with pytest.raises(ModelError, match="differs from plain causal softmax"):
        received_attention(loaded.model, torch.tensor([LONG]), impl="fast")


@pytest.mark.parametrize("loaded", FAMILIES, indirect=True)
def test_bfloat16_is_within_a_twentieth_of_float32(loaded: Loaded):
    coarse = AutoModelForCausalLM.from_pretrained(loaded.folder, dtype=torch.bfloat16)
    expected = loaded.expected(tuple(SHORT))
    for impl in ("exact", "auto"):
        received = received_attention(coarse, torch.tensor([SHORT]), impl=impl)[0]
        assert received.dtype == torch.float32
        assert torch.equal(received.isnan(), expected.isnan())
        assert (received - expected).abs().nanmean() <= 0.05 * expected.nanmean()


@pytest.mark.parametrize("loaded", ["llama"], indirect=True)
def test_chunks_of_any_size_give_the_same(loaded: Loaded, monkeypatch):
    ids = torch.tensor([[BOS, *LONG[1:130]]])
    whole = received_attention(loaded.model, ids, impl="exact")
    for elements in (1, 4 * 130 * 7, 2**22):
        monkeypatch.setitem(layers._CHUNK_ELEMENTS, "cpu", elements)
        assert difference(received_attention(loaded.model, ids, impl="exact"), whole) <= TOLERANCE
