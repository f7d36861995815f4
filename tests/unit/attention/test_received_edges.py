"""The edges of `received_attention`: tiny texts, special tokens, shapes and options that make no sense."""

import jaxtyping
import pytest
import torch
from comparison import TOLERANCE, difference
from families import BOS, EOS, FAMILIES, PAD, build, text

from elusive.attention import oracle
from elusive.attention.probe import watch
from elusive.attention.received import received_attention
from elusive.errors import OptionError

ONE_OF_EACH_WAY = ["llama", "gemma2", "falcon"]
IDS = torch.tensor([text(40, seed=80)])


@pytest.fixture(scope="module")
def model(load_family):
    return load_family("llama").model


@pytest.mark.parametrize("loaded", FAMILIES, indirect=True)
@pytest.mark.parametrize("n_tokens", [1, 2, 3])
def test_the_shortest_texts_have_no_score_and_no_error(loaded, n_tokens):
    received = received_attention(loaded.model, IDS[:, :n_tokens])
    assert received.isnan().tolist() == [[True, False, True][:n_tokens] if n_tokens == 3 else [True] * n_tokens]


@pytest.mark.parametrize("loaded", ONE_OF_EACH_WAY, indirect=True)
def test_a_text_of_special_tokens_only_has_no_score(loaded):
    ids = torch.tensor([[BOS, EOS, EOS, BOS], [BOS, 9, 11, 13]])
    received = received_attention(loaded.model, ids)
    assert received[0].isnan().all()
    assert difference(received[1], loaded.expected((BOS, 9, 11, 13))) <= TOLERANCE


@pytest.mark.parametrize("loaded", ONE_OF_EACH_WAY, indirect=True)
def test_a_row_of_nothing_but_padding_leaves_its_neighbours_alone(loaded):
    ids = torch.cat([IDS, torch.full_like(IDS, PAD)])
    received = received_attention(loaded.model, ids, torch.stack([torch.ones(40), torch.zeros(40)]).long())
    assert received[1].isnan().all()
    assert difference(received[0], loaded.expected(tuple(IDS[0].tolist()))) <= TOLERANCE


@pytest.mark.parametrize("loaded", ONE_OF_EACH_WAY, indirect=True)
def test_a_given_mask_of_special_tokens_replaces_the_ids_of_the_config(loaded):
    ids = IDS.clone()
    ids[0, 20] = EOS  # a literal one, which the tokenizer calls text
    mask = torch.zeros_like(ids)
    mask[0, [0, 30]] = 1
    expected = loaded.expected(tuple(ids[0].tolist()), special=frozenset({0, 30}))
    assert difference(received_attention(loaded.model, ids, special_tokens_mask=mask)[0], expected) <= TOLERANCE


def test_several_end_tokens_are_all_special():
    config = FAMILIES["llama"].config()
    config.eos_token_id = [EOS, 17]
    ids = IDS.clone()
    ids[0, [5, 9]] = torch.tensor([EOS, 17])
    special = torch.isin(ids, torch.tensor([BOS, EOS, PAD, 17]))
    received = received_attention(build(config), ids)
    assert received[special].isnan().all()
    assert received[0, 1:5].isfinite().all()


def test_a_config_without_special_ids_scores_the_first_token_too():
    config = FAMILIES["llama"].config()
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None
    assert received_attention(build(config), IDS)[0].isnan().nonzero().flatten().tolist() == [39]


def test_attention_masks_of_any_integer_or_bool_mean_the_same(model, shapes_unchecked):
    mask = torch.ones_like(IDS)
    mask[0, 30:] = 0
    as_long = received_attention(model, IDS, mask)
    for same in (mask.bool(), mask.int(), mask.float()):
        assert difference(received_attention(model, IDS, same)[0], as_long[0]) == 0.0


def test_order_and_repetition_of_layers_and_heads_do_not_matter(model):
    one = received_attention(model, IDS, layers=[2, 0, -1], heads=[3, 3, 1])
    assert difference(one[0], received_attention(model, IDS, layers=(0, 2), heads=(1, -1))[0]) == 0.0


@pytest.mark.parametrize("what", ["layers", "heads"])
@pytest.mark.parametrize("chosen", [[], [4], [-5], [0, 99]])
@pytest.mark.parametrize("name", ["llama", "gpt2", "mpt"])
def test_layers_and_heads_that_are_not_there_are_refused(load_family, name, what, chosen):
    with pytest.raises(OptionError, match=rf"{what} .* 0 to {2 if what == 'layers' else 3}"):
        received_attention(load_family(name).model, IDS, **{what: chosen})


def test_an_unknown_impl_is_refused(model, shapes_unchecked):
    with pytest.raises(OptionError, match="'quick' is not one of 'auto', 'exact', 'fast'"):
        received_attention(model, IDS, impl="quick")


@pytest.mark.parametrize(
    ("ids", "options", "because"),
    [
        (IDS[0], {}, r"input_ids has shape \(40,\)"),
        (IDS[None], {}, r"input_ids has shape \(1, 1, 40\)"),
        (IDS, {"attention_mask": torch.ones(1, 39)}, r"attention_mask has shape \(1, 39\)"),
        (IDS, {"attention_mask": torch.ones(40)}, r"attention_mask has shape \(40,\)"),
        (IDS, {"special_tokens_mask": torch.zeros(2, 40)}, r"special_tokens_mask has shape \(2, 40\)"),
        (
            IDS.expand(2, -1),
            {"attention_mask": torch.stack([torch.ones(40), torch.arange(40) != 9])},
            "attention_mask row 1 has padding inside",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused_in_words(model, shapes_unchecked, ids, options, because):
    with pytest.raises(OptionError, match=because):
        received_attention(model, ids, **options)


def test_shapes_are_checked_in_the_tests_themselves(model):
    with pytest.raises(jaxtyping.TypeCheckError, match="input_ids"):
        received_attention(model, IDS[0])


def test_scores_are_float32_on_the_cpu_within_zero_and_one(model):
    received = received_attention(model, IDS)
    assert received.dtype == torch.float32
    assert received.device.type == "cpu"
    assert received.shape == IDS.shape
    assert ((received[0, 1:-1] >= 0) & (received[0, 1:-1] <= 1)).all()


def test_rows_that_do_not_count_give_no_score(model):
    with watch(model) as probe:
        seen = probe(IDS, torch.zeros(IDS.shape))
    assert not seen.sums.any()
    assert not seen.followers.any()
    assert seen.rows.tolist() == [0.0]


@pytest.mark.parametrize("loaded", ONE_OF_EACH_WAY, indirect=True)
@pytest.mark.parametrize("impl", ["exact", "auto"])
def test_sink_mass_never_counts_the_row_of_the_first_token_itself(loaded, impl):
    with watch(loaded.model, impl=impl) as probe:
        seen = probe(IDS, torch.ones(IDS.shape))
    assert seen.rows.tolist() == [39.0]
    expected = oracle.sink_mass_by_definition(loaded.attention(tuple(IDS[0].tolist())))
    assert seen.sink.mean() / 39 == pytest.approx(expected, abs=TOLERANCE)
