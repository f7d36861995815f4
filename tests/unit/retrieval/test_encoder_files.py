"""What an encoder's folder says is done, what is given wins, and what cannot be done is refused in one line."""

import json
from dataclasses import replace

import huggingface_hub
import pytest
import torch
from encoder_cases import CONTEXT, TEXTS, as_sentence_transformers, close, opened, save_bert, states_of
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from elusive.errors import ElusiveError, OptionError
from elusive.models import ModelSource
from elusive.retrieval.encoder import load_encoder
from elusive.retrieval.encoder_options import EncoderOptions
from tests.tiny import save_llama

SAYS = {
    "settings": {"prompts": {"query": "query: ", "document": "", "passage": "Mara "}, "similarity_fn_name": "cosine"},
    "transformer": {"max_seq_length": 9, "do_lower_case": True},
}


@pytest.fixture
def bert(tmp_path):
    return save_bert(tmp_path / "bert")


def line_of(folder, **options):
    """The one line of a refusal."""
    with pytest.raises(ElusiveError) as refused:
        opened(folder, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def change_json(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_pooling_similarity_prompts_length_and_case_come_from_the_folder(bert):
    encoder = opened(as_sentence_transformers(bert, **SAYS))
    assert encoder.tower("query").pooling == ("cls",)
    state = states_of(bert, "query: mara velting", max_len=9)[0]  # nothing of it is known in lower case but the prefix
    assert close(encoder.encode(["Mara Velting"], side="query")[0], state / state.norm())
    assert encoder.formats["passage"].prefix == "Mara "
    assert encoder.formats["passage"].max_len == 9


def test_what_is_given_wins(bert):
    encoder = opened(
        as_sentence_transformers(bert, **SAYS),
        pooling="max",
        normalize=False,
        query_prefix="",
        query_len=CONTEXT,
        passage_len=3,
    )
    expected = states_of(bert, "mara velting was").amax(0)
    assert close(encoder.encode(["Mara Velting was"], side="query")[0], expected)
    assert encoder.formats["passage"].max_len == 3


@pytest.mark.parametrize(
    ("settings", "query", "passage"),
    [
        ({"prompts": {"query": "Q: "}, "default_prompt_name": "query"}, "Q: ", ""),
        ({"prompts": {"any": "A: "}, "default_prompt_name": "any"}, "A: ", "A: "),
        ({"prompts": {"any": "A: ", "query": "Q: "}, "default_prompt_name": "any"}, "Q: ", "A: "),
        ({"prompts": {"any": "A: "}, "default_prompt_name": None}, "", ""),
        ({"prompts": {"query": "", "document": "D: "}}, "", "D: "),
    ],
)
def test_a_default_prompt_is_for_sides_without_their_own(bert, settings, query, passage):
    encoder = opened(as_sentence_transformers(bert, settings=settings))
    assert (encoder.formats["query"].prefix, encoder.formats["passage"].prefix) == (query, passage)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode": "lasttoken"}, ("last",)),
        ({"pooling_mode": ["cls", "mean"]}, ("cls", "mean")),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, ("cls", "mean")),
        ({"pooling_mode_cls_token": False}, ("mean",)),
    ],
)
def test_poolings_old_and_new_alone_and_joined(bert, pooling, expected):
    encoder = opened(as_sentence_transformers(bert, pooling=pooling))
    assert encoder.tower("query").pooling == expected
    assert encoder.width == 32 * len(expected)


def test_a_transformer_may_lie_in_a_folder_of_its_own(tmp_path):
    save_bert(tmp_path / "0_Transformer")
    as_sentence_transformers(tmp_path)
    modules = json.loads((tmp_path / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    assert close(opened(tmp_path).encode(["Mara"], side="query")[0], states_of(tmp_path / "0_Transformer", "Mara")[0])


@pytest.mark.parametrize(
    ("layout", "because"),
    [
        ({"kinds": ("Transformer",)}, "its modules are Transformer; expected"),
        ({"kinds": ("Transformer", "Pooling", "LSTM")}, "its modules are Transformer, Pooling, LSTM"),
        ({"settings": {"similarity_fn_name": "euclidean"}}, "compares by 'euclidean'"),
        ({"settings": {"truncate_dim": 8}}, "asks for truncate_dim"),
        ({"settings": {"passage_template": "{titel}"}}, "passage_template '{titel}'"),
        ({"settings": {"prompts": ["Q: "]}}, "files are damaged"),
        ({"transformer": {"query_expansion": {"length": 32}}}, "asks for query_expansion"),
        ({"pooling": {"pooling_mode": "attention"}}, "pooling 'attention' is not known; there are: cls"),
        ({"pooling": {"pooling_mode": ["mean", "cls"]}}, "joins poolings as mean, cls"),
        (
            {"pooling": {"include_prompt": False}, "settings": {"prompts": {"query": "Q: "}}},
            "its pooling leaves the prompt out",
        ),
        ({"kinds": ("Transformer", "Pooling", "Dense")}, "its Dense layer cannot be loaded"),
    ],
)
def test_what_would_change_the_vectors_and_is_not_known_is_refused(bert, layout, because):
    assert because in line_of(as_sentence_transformers(bert, **layout))


def test_a_damaged_json_file_is_refused(bert):
    (as_sentence_transformers(bert) / "modules.json").write_text('[{"idx": 0,')
    assert "files are damaged (JSONDecodeError" in line_of(bert)
    (as_sentence_transformers(bert) / "sentence_bert_config.json").write_text("[1]")
    assert "files are damaged" in line_of(bert)


@pytest.mark.parametrize("settings", [{"similarity_fn_name": None}, None], ids=["null", "no file"])
def test_where_nothing_is_said_of_similarity_it_is_the_cosine_of_sentence_transformers(bert, settings):
    from sentence_transformers import SentenceTransformer

    folder = as_sentence_transformers(bert, settings=settings)
    if settings is None:
        (folder / "config_sentence_transformers.json").unlink()
    theirs = SentenceTransformer(str(folder), device="cpu")
    expected = theirs.similarity(theirs.encode(TEXTS), theirs.encode(TEXTS))
    encoder = opened(folder)
    vectors = encoder.encode(TEXTS, side="query")
    assert close(vectors @ vectors.T, expected)
    assert encoder.notes == (
        f"{folder} does not say how its vectors are compared; taking cosine, as SentenceTransformer does "
        "(--no-normalize: dot product)",
    )
    plain = opened(folder, normalize=False)
    assert close(plain.encode(TEXTS, side="query"), theirs.encode(TEXTS))
    assert plain.notes == opened(as_sentence_transformers(bert)).notes == ()


@pytest.mark.parametrize(
    ("prompts", "given", "named"),
    [
        ({"query": "", "document": "", "s2p_query": "Q: ", "s2s_query": "S: "}, {}, ["s2p_query", "s2s_query"]),
        ({"retrieval.query": "Q: ", "retrieval.passage": "P: "}, {}, ["retrieval.query", "retrieval.passage"]),
        ({"retrieval.query": "Q: "}, {"query_prefix": ""}, []),
        ({"retrieval.query": "Q: ", "retrieval.passage": "P: "}, {"query_prefix": "Q: "}, ["retrieval.passage"]),
        ({"query": "Q: ", "document": "", "clustering": "C: "}, {}, []),
        ({"query": "", "document": ""}, {}, []),
    ],
)
def test_prompts_of_other_names_are_named_where_they_stand_before_nothing(bert, prompts, given, named):
    notes = opened(as_sentence_transformers(bert, settings={"prompts": prompts}), **given).notes
    for name in prompts:
        assert any(repr(name) in note for note in notes) == (name in named)
    assert all("put one before the" in note for note in notes)


def test_no_model(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "has no config.json" in line_of(tmp_path / "empty")
    assert "no such folder" in line_of(tmp_path / "none")
    assert "did you mean 'tiny:encoder'" in line_of("tiny:encode")


def test_a_name_on_the_hub_is_read_with_all_its_files(tmp_path, monkeypatch):
    commit = "0123456789012345678901234567890123456789"
    repo = tmp_path / "models--user--encoder"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text(commit)
    as_sentence_transformers(save_bert(repo / "snapshots" / commit), **SAYS)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert opened("user/encoder").formats["query"].prefix == "query: "
    assert "no such folder, and the Hub cannot be reached" in line_of("user/other")


def test_a_decoder_must_be_told_its_pooling(tmp_path):
    folder = save_llama(tmp_path / "llama", seed=0)
    assert "give --pooling" in line_of(folder)
    assert opened(folder, pooling="last").tower("query").pooling == ("last",)


def test_weights_that_are_not_there_incomplete_or_not_finite(bert):
    weights = load_file(bert / "model.safetensors")
    name = "encoder.layer.1.output.dense.weight"
    save_file({key: value for key, value in weights.items() if key != name}, bert / "model.safetensors")
    assert f"its weights lack {name}; expected" in line_of(bert)
    broken = weights[name].clone()
    broken[0, 0] = torch.nan
    save_file({**weights, name: broken}, bert / "model.safetensors")
    assert f"its weight {name} holds NaN or infinity" in line_of(bert)
    (bert / "model.safetensors").write_bytes(b"\0" * 40)
    assert "its weights cannot be loaded" in line_of(bert)
    (bert / "model.safetensors").unlink()
    assert "has no weights" in line_of(bert)


def test_tokenizers_that_cannot_pad_or_are_not_there(bert):
    change_json(bert / "tokenizer_config.json", pad_token=None)
    assert "its tokenizer has no pad token" in line_of(bert)
    (bert / "tokenizer.json").write_text("{}")
    assert "its tokenizer cannot be loaded" in line_of(bert)


@pytest.mark.parametrize(
    ("config", "because"),
    [
        ({"out_features": 0}, "of 32 by 0 dimensions"),
        ({"in_features": 31}, "makes no vector of a text"),
        ({"out_features": 7}, "cannot be loaded"),
        ({"activation_function": "mine.Activation"}, "is not plain (activation mine.Activation)"),
        ({"use_residual": True}, "is not plain"),
        ({"module_input_name": "token_embeddings"}, "is not plain"),
    ],
)
def test_a_dense_layer_that_does_not_fit_or_is_not_plain_is_refused(bert, config, because):
    layout = as_sentence_transformers(bert, kinds=("Transformer", "Pooling", "Dense"))
    config = {"in_features": 32, "out_features": 8, "bias": False, **config}
    assert "cannot be loaded" in line_of(bert)  # nothing is in its folder yet
    (layout / "2_Dense/config.json").write_text(json.dumps(config))
    save_file({"linear.weight": torch.zeros(8, config["in_features"])}, layout / "2_Dense/model.safetensors")
    assert because in line_of(bert)


def test_a_model_without_dimension_is_refused(bert):
    change_json(bert / "config.json", hidden_size=0)
    assert "its weights cannot be loaded" in line_of(bert)


def test_a_length_beyond_the_model_and_options_that_make_no_sense(bert):
    assert f"query_len 33 is more than the {CONTEXT} tokens" in line_of(bert, query_len=33)
    with pytest.raises(OptionError, match="loaded whole on one device"):
        load_encoder(replace(ModelSource(name=str(bert)), quantize="nf4"))
    for options, because in (
        ({"pooling": "lasst"}, "did you mean 'last'"),
        ({"towers": "both"}, "towers 'both' is not known"),
        ({"query_len": 0}, "query_len 0 is not at least 1"),
        ({"template": "{title}"}, "not made of {title} and {text}"),
        ({"template": "{text"}, "not made of {title} and {text}"),
    ):
        with pytest.raises(OptionError) as refused:
            EncoderOptions(**options)
        assert because in str(refused.value)


def test_a_model_that_reads_no_text_is_refused(bert, monkeypatch):
    monkeypatch.setattr(BertModel, "forward", lambda self, **_: {"logits": torch.zeros(1, 1)})
    assert BertConfig.from_pretrained(bert).model_type == "bert"
    assert "it makes no vector of a text" in line_of(bert)


def test_lower_case_is_kept_through_saving(bert, tmp_path):
    encoder = opened(as_sentence_transformers(bert, **SAYS))
    encoder.save(tmp_path / "saved")
    again = opened(tmp_path / "saved")
    assert again.fingerprint("query") == encoder.fingerprint("query")
    assert close(again.encode(TEXTS, side="query"), again.encode([text.lower() for text in TEXTS], side="query"))
