"""What users name as an encoder: T5, DPR, RoBERTa and their kin work; cross-encoders and the like are named as such."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as tf
from encoder_cases import CONTEXT, TEXTS, as_sentence_transformers, close, opened, save_bert, words_tokenizer
from safetensors.torch import save_file
from tokenizers import Tokenizer

from elusive.data.questions import Passage
from elusive.errors import ModelError
from elusive.models import ModelSource
from elusive.retrieval.encoder import load_encoder

SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "initializer_range": 0.3,
}
LONG = " ".join(TEXTS[2].split() * 9)


def save(model, folder: Path, *, pad: int = 0) -> Path:
    """A model with the tokenizer of words, whose ids are moved so that padding has the id `pad`."""
    tokenizer = words_tokenizer()
    if pad:
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        swapped = {0: pad, pad: 0}
        state["model"]["vocab"] = {word: swapped.get(i, i) for word, i in state["model"]["vocab"].items()}
        for token in state["added_tokens"]:
            token["id"] = swapped.get(token["id"], token["id"])
        for special in state["post_processor"]["special_tokens"].values():
            special["ids"] = [swapped.get(i, i) for i in special["ids"]]
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
        tokenizer = tf.PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)), **names)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def sentence_transformer(folder: Path):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def line_of(name, **options) -> str:
    """The one line of a refusal."""
    with pytest.raises(ModelError) as refused:
        opened(name, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


# -- positions -------------------------------------------------------------------------------------------------------


KINDS = {
    tf.RobertaModel: tf.RobertaConfig,
    tf.XLMRobertaModel: tf.XLMRobertaConfig,
    tf.CamembertModel: tf.CamembertConfig,
    tf.Data2VecTextModel: tf.Data2VecTextConfig,
    tf.RobertaPreLayerNormModel: tf.RobertaPreLayerNormConfig,
    tf.MPNetModel: tf.MPNetConfig,
}
PADS = {tf.MPNetModel: (1,)}  # whatever its config says


@pytest.mark.parametrize(
    ("model", "pad"),
    [(model, pad) for model in KINDS for pad in PADS.get(model, (1, 3))],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_long_text_is_cut_where_positions_end_that_begin_after_the_padding(tmp_path, model, pad):
    torch.manual_seed(0)
    folder = save(model(KINDS[model](**SIZES, pad_token_id=pad)), tmp_path / "model", pad=pad)
    encoder = opened(folder)
    most = CONTEXT - pad - 1
    assert encoder.formats["passage"].max_len == most
    theirs = sentence_transformer(folder)
    theirs.max_seq_length = most
    assert close(encoder.encode([LONG, "keys"], side="passage"), theirs.encode([LONG, "keys"]))
    with pytest.raises(Exception, match=f"passage_len {most + 1} is more than the {most} tokens"):
        opened(folder, passage_len=most + 1)


def test_a_bert_has_all_its_positions(tmp_path):
    assert opened(save_bert(tmp_path)).formats["passage"].max_len == CONTEXT


# -- T5 --------------------------------------------------------------------------------------------------------------


def save_t5(folder: Path, *, whole: bool = False) -> Path:
    torch.manual_seed(1)
    config = tf.T5Config(d_model=32, d_ff=64, d_kv=8, num_layers=2, num_heads=4, vocab_size=64, pad_token_id=0)
    return save((tf.T5ForConditionalGeneration if whole else tf.T5EncoderModel)(config), folder)


def test_a_sentence_t5_gives_the_vectors_of_sentence_transformers(tmp_path):
    folder = save_t5(tmp_path / "t5")
    as_sentence_transformers(
        folder, kinds=("Transformer", "Pooling", "Dense", "Normalize"), pooling={"pooling_mode_mean_tokens": True}
    )
    config = {"in_features": 32, "out_features": 8, "bias": False}
    activation = {"activation_function": "torch.nn.modules.linear.Identity"}
    (folder / "2_Dense/config.json").write_text(json.dumps(config | activation))
    save_file({"linear.weight": torch.randn(8, 32)}, folder / "2_Dense/model.safetensors")
    expected = sentence_transformer(folder).encode(TEXTS)
    encoder = opened(folder)
    assert close(encoder.encode(TEXTS, side="query"), expected)
    encoder.save(tmp_path / "saved")
    assert close(sentence_transformer(tmp_path / "saved").encode(TEXTS), expected)
    again = opened(tmp_path / "saved")
    assert again.fingerprint("passage") == encoder.fingerprint("passage")


def test_of_a_whole_t5_the_encoder_is_taken_and_can_learn(tmp_path):
    folder = save_t5(tmp_path / "t5", whole=True)
    encoder = opened(folder)
    ids = torch.tensor([words_tokenizer()(TEXTS[0])["input_ids"]])
    with torch.no_grad():
        states = tf.T5EncoderModel.from_pretrained(folder).eval()(ids).last_hidden_state[0]
    assert close(encoder.encode(TEXTS[:1], side="query")[0], states.mean(0))
    encoder.embed(TEXTS, side="passage").square().sum().backward()
    assert all(weight.grad is not None for weight in encoder.trainable_parameters())


def test_another_encoder_decoder_is_refused(tmp_path):
    small = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 64, "encoder_attention_heads": 4}
    folder = save(tf.BartModel(tf.BartConfig(**small, decoder_attention_heads=4)), tmp_path)
    assert "is an encoder-decoder model (bart); expected an encoder, or a T5" in line_of(folder)


# -- DPR -------------------------------------------------------------------------------------------------------------


def save_dpr(folder: Path, kind, *, seed: int, projection: int = 0) -> Path:
    torch.manual_seed(seed)
    return save(kind(tf.DPRConfig(**SIZES, projection_dim=projection)), folder)


@pytest.fixture(params=[0, 16], ids=["plain", "projected"])
def dpr(request, tmp_path):
    """A question encoder and a context encoder."""
    kinds = {"question": tf.DPRQuestionEncoder, "context": tf.DPRContextEncoder}
    return {
        name: save_dpr(tmp_path / name, kind, seed=seed, projection=request.param)
        for seed, (name, kind) in enumerate(kinds.items())
    }


def pair(dpr, **options):
    sources = [ModelSource(name=str(dpr[name]), device="cpu") for name in ("question", "context")]
    return load_encoder(sources[0], passages=sources[1], **options)


def pooled(kind, folder: Path, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return kind.from_pretrained(folder).eval()(torch.tensor([ids])).pooler_output[0]


def test_a_pair_of_dpr_gives_the_pooled_outputs_of_its_two_encoders(dpr, tmp_path):
    encoder = pair(dpr)
    tokenizer = words_tokenizer()
    question = pooled(tf.DPRQuestionEncoder, dpr["question"], tokenizer(TEXTS[0])["input_ids"])
    assert close(encoder.encode(TEXTS[:1], side="query")[0], question)
    passage = encoder.passage_text(Passage("p", "Mara Velting", TEXTS[3]))
    ids = tokenizer("Mara Velting")["input_ids"] + tokenizer(TEXTS[3])["input_ids"][1:]  # one [SEP] between
    context = pooled(tf.DPRContextEncoder, dpr["context"], ids)
    assert close(encoder.encode([passage], side="passage")[0], context)
    encoder.save(tmp_path / "saved")
    again = opened(tmp_path / "saved")
    for side in ("query", "passage"):
        assert again.fingerprint(side) == encoder.fingerprint(side)
        assert close(sentence_transformer(tmp_path / "saved" / side).encode(TEXTS), encoder.encode(TEXTS, side=side))


def test_two_folders_side_by_side_are_a_pair_too(dpr, tmp_path):
    both = tmp_path / "both"
    shutil.copytree(dpr["question"], both / "query")
    shutil.copytree(dpr["context"], both / "passage")
    encoder, expected = opened(both), pair(dpr)
    assert [encoder.fingerprint(side) for side in ("query", "passage")] == [
        expected.fingerprint(side) for side in ("query", "passage")
    ]


def test_an_encoder_of_dpr_alone_serves_its_own_side(dpr):
    context = ModelSource(name=str(dpr["context"]), device="cpu")
    encoder = load_encoder(context, sides=("passage",))
    assert encoder.fingerprint("passage") == pair(dpr).fingerprint("passage")
    assert "is a DPR encoder of passages, and questions have an encoder of their own; name both" in line_of(
        dpr["context"]
    )
    assert "is a DPR encoder of questions, and passages have" in line_of(dpr["question"])
    swapped = {"question": dpr["context"], "context": dpr["question"]}
    with pytest.raises(ModelError, match="is a DPR encoder of passages"):
        pair(swapped)


# -- what is no bi-encoder -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tf.BertForSequenceClassification, "a cross-encoder or classifier (BertForSequenceClassification)"),
        (tf.BertForTokenClassification, "a token classifier"),
        (tf.BertForQuestionAnswering, "an extractive reader"),
    ],
    ids=lambda kind: getattr(kind, "__name__", ""),
)
def test_a_model_with_another_head_is_refused_by_its_name(tmp_path, kind, what):
    folder = save(kind(tf.BertConfig(**SIZES)), tmp_path)
    assert f"is {what}" in line_of(folder)
    assert "expected a bi-encoder" in line_of(folder, pooling="mean")


@pytest.mark.parametrize(("kind", "what"), [("CrossEncoder", "a cross-encoder"), ("SparseEncoder", "a sparse encoder")])
def test_other_kinds_of_sentence_transformers_are_refused_by_their_name(tmp_path, kind, what):
    import sentence_transformers

    model = tf.BertForSequenceClassification if kind == "CrossEncoder" else tf.BertForMaskedLM
    folder = save(model(tf.BertConfig(**SIZES, num_labels=1)), tmp_path / "plain")
    getattr(sentence_transformers, kind)(str(folder), device="cpu").save_pretrained(str(tmp_path / "saved"))
    assert f"is {what} of sentence-transformers; expected a bi-encoder" in line_of(tmp_path / "saved")


def test_a_folder_that_says_how_it_is_pooled_may_come_from_a_classifier(tmp_path):
    folder = save(tf.BertForSequenceClassification(tf.BertConfig(**SIZES)), tmp_path)
    as_sentence_transformers(folder)
    assert close(opened(folder).encode(TEXTS, side="query"), sentence_transformer(folder).encode(TEXTS))


def test_an_architecture_that_nobody_knows_must_not_lose_weights(tmp_path):
    folder = save_bert(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["Contriever"]}))
    opened(folder)  # as facebook/contriever is saved: another name for a BERT
    weights = dict(tf.BertModel.from_pretrained(folder).state_dict()) | {"linear.weight": torch.zeros(8, 32)}
    save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / "model.safetensors")
    assert "is a Contriever, which transformers does not know, and its weight linear.weight would be" in line_of(folder)


def test_a_folder_of_distill_names_the_encoder_in_it(tmp_path):
    opened(save_bert(tmp_path / "bert")).save(tmp_path / "out" / "retriever")
    assert f"is a folder of elusive distill; name the encoder in it: {tmp_path}/out/retriever" in line_of(
        tmp_path / "out"
    )


# -- weights and ids -------------------------------------------------------------------------------------------------


def as_bin(folder: Path) -> Path:
    """The weights as torch pickles them, and no others."""
    weights = tf.AutoModel.from_pretrained(folder).state_dict()
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def test_weights_that_are_pickled_are_refused_with_a_cure_that_works(tmp_path, monkeypatch):
    folder = as_bin(save_bert(tmp_path / "bert"))
    line = line_of(folder)
    assert "its weights are pytorch_model.bin, a format that can run code and is not loaded; save it anew" in line
    monkeypatch.chdir(tmp_path)
    for statement in line.rpartition("that folder: ")[2].split(" and "):
        exec(statement, {"transformers": tf})
    opened(tmp_path / "FOLDER")


def test_the_cure_of_a_sentence_transformers_folder_is_its_own(tmp_path):
    folder = as_bin(as_sentence_transformers(save_bert(tmp_path / "bert")))
    assert f"that folder: sentence_transformers.SentenceTransformer('{folder}').save('FOLDER')" in line_of(folder)


def test_pickled_weights_on_the_hub_are_told_with_revisions(tmp_path, monkeypatch):
    import huggingface_hub

    commit = "0123456789012345678901234567890123456789"
    repo = tmp_path / "models--user--encoder"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text(commit)
    (as_bin(save_bert(repo / "snapshots" / commit)) / "pytorch_model.bin").unlink()  # it is not fetched
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert line_of("user/encoder").startswith("user/encoder: the folder has no weights")
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda *_, **__: ["config.json", "pytorch_model.bin"])
    assert line_of("user/encoder").startswith(
        "user/encoder: its weights are pytorch_model.bin, a format that can run code and is not loaded; name a "
        "revision with safetensors (user/encoder@refs/pr/N, see its pull requests), or save it anew"
    )


def test_a_pointer_in_the_place_of_weights_is_named(tmp_path):
    folder = save_bert(tmp_path)
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "model.safetensors is a Git LFS pointer" in line_of(folder)


def test_ids_beyond_the_embedding_are_one_line_and_padding_may_have_one(tmp_path):
    folder = save_bert(tmp_path / "bert")
    expected = opened(folder).encode(TEXTS, side="query")
    tokenizer = words_tokenizer()
    tokenizer.add_tokens([f"new{i}" for i in range(64)])
    tokenizer.add_special_tokens({"pad_token": "<new-pad>"})
    tokenizer.save_pretrained(folder)
    encoder = opened(folder)
    assert np.array_equal(encoder.encode(TEXTS, side="query"), expected)
    with pytest.raises(ModelError, match=r"its tokenizer gives the id \d+ \('new63'\), and its embedding has 64 rows"):
        encoder.encode(["Mara new63"], side="query")
