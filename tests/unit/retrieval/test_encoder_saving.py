"""A saved encoder: read back the same by this package, sentence-transformers and transformers; whole or not at all."""

import json
import os
from itertools import product
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from encoder_cases import TEXTS, as_sentence_transformers, close, opened, save_bert, states_of
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch.nn import functional as F

from elusive.errors import FolderError
from elusive.retrieval import encoder_saving
from elusive.retrieval.encoder_options import SIDES
from tests.files import contents
from tests.tiny import save_llama


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("bert"))


def with_dense(folder: Path) -> Path:
    """A folder whose pooled vectors go through a Dense layer, then to length 1."""
    save_bert(folder)
    as_sentence_transformers(folder, kinds=("Transformer", "Pooling", "Dense", "Normalize"))
    config = {"in_features": 32, "out_features": 8, "bias": True}
    (folder / "2_Dense/config.json").write_text(
        json.dumps({**config, "activation_function": "torch.nn.modules.activation.Tanh"})
    )
    weights = {"linear.weight": torch.randn(8, 32), "linear.bias": torch.randn(8)}
    save_file(weights, folder / "2_Dense/model.safetensors")
    return folder


def sentence_transformer(folder: Path):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "pooling": "last",
            "normalize": True,
            "query_prefix": "query: ",
            "query_len": 9,
            "template": "{title}: {text}",
        },
        {"towers": "separate", "passage_prefix": "Mara "},
    ],
)
def test_it_is_read_back_with_the_same_vectors_and_fingerprints(bert, tmp_path, options):
    encoder = opened(bert, **options)
    encoder.encode(TEXTS, side="query")
    encoder.save(tmp_path / "saved")
    again = opened(tmp_path / "saved")
    assert again.is_tied == encoder.is_tied
    assert again.template == encoder.template
    for side in SIDES:
        assert np.array_equal(encoder.encode(TEXTS, side=side), again.encode(TEXTS, side=side))
        assert encoder.fingerprint(side) == again.fingerprint(side)


def test_sentence_transformers_gives_equal_vectors_to_both_sides(bert, tmp_path):
    encoder = opened(bert, query_prefix="query: ", passage_prefix="Mara ", normalize=True, passage_len=6, query_len=6)
    encoder.save(tmp_path / "saved")
    theirs = sentence_transformer(tmp_path / "saved")
    assert close(theirs.encode_query(TEXTS), encoder.encode(TEXTS, side="query"))
    assert close(theirs.encode_document(TEXTS), encoder.encode(TEXTS, side="passage"))
    assert theirs.similarity_fn_name == "cosine"


def test_sentence_transformers_reads_each_of_two_towers_alone(bert, tmp_path):
    encoder = opened(bert, towers="separate", query_prefix="query: ")
    with torch.no_grad():
        for weight in encoder.tower("query").parameters():
            weight.mul_(1.1)
    encoder.save(tmp_path / "saved")
    for side in SIDES:
        theirs = sentence_transformer(tmp_path / "saved" / side)
        assert close(theirs.encode(TEXTS), encoder.encode(TEXTS, side=side))
    assert not close(encoder.encode(TEXTS, side="query"), encoder.encode(TEXTS, side="passage"))


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "last", "mean-sqrt-len", "weighted-mean"])
def test_sentence_transformers_pools_likewise(bert, tmp_path, pooling):
    encoder = opened(bert, pooling=pooling)
    encoder.save(tmp_path / "saved")
    assert close(sentence_transformer(tmp_path / "saved").encode(TEXTS), encoder.encode(TEXTS, side="query"))


def test_a_decoder_is_read_likewise(tmp_path):
    encoder = opened(save_llama(tmp_path / "llama", seed=0), pooling="last", normalize=True)
    encoder.save(tmp_path / "saved")
    assert close(sentence_transformer(tmp_path / "saved").encode(TEXTS), encoder.encode(TEXTS, side="query"))


def test_a_dense_layer_is_kept_and_agrees_with_sentence_transformers(tmp_path):
    folder = with_dense(tmp_path / "dense")
    encoder = opened(folder)
    assert encoder.width == 8
    theirs = sentence_transformer(folder).encode(TEXTS)
    assert close(encoder.encode(TEXTS, side="query"), theirs)
    encoder.save(tmp_path / "saved")
    assert close(sentence_transformer(tmp_path / "saved").encode(TEXTS), theirs)
    assert opened(tmp_path / "saved").fingerprint("query") == encoder.fingerprint("query")


def test_automodel_reads_it(bert, tmp_path):
    encoder = opened(bert, normalize=True)
    encoder.save(tmp_path / "saved")
    by_hand = torch.stack([states_of(tmp_path / "saved", text).mean(0) for text in TEXTS])
    assert close(F.normalize(by_hand, dim=-1), encoder.encode(TEXTS, side="query"))


def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(bert, tmp_path):
    encoder = opened(bert)
    encoder.save(tmp_path / "saved")
    once = contents(tmp_path, "saved")
    encoder.encode(TEXTS, side="query")
    encoder.save(tmp_path / "saved")
    assert contents(tmp_path, "saved") == once
    assert [file.name for file in tmp_path.iterdir()] == ["saved"]


def test_a_save_that_fails_leaves_the_old_encoder_and_nothing_else(bert, tmp_path, monkeypatch):
    opened(bert).save(tmp_path / "saved")
    once = contents(tmp_path, "saved")
    faults = (OSError(28, os.strerror(28)), SafetensorError("No space left"), Exception("No space left"))
    for point, fault in product(("_write_modules", "_sync"), faults):
        with monkeypatch.context() as patched:
            patched.setattr(encoder_saving, point, Mock(side_effect=fault))
            with pytest.raises(FolderError, match=r"cannot write .*saved: No space left"):
                opened(bert, pooling="cls").save(tmp_path / "saved")
        assert contents(tmp_path, "saved") == once
        assert [file.name for file in tmp_path.iterdir()] == ["saved"]


@pytest.mark.parametrize("killed", ["while writing", "between the renames", "before the old one was removed"])
def test_what_a_kill_left_is_mended_by_the_next_save(bert, tmp_path, killed):
    saved, new, old = (tmp_path / name for name in ("saved", ".saved.saving", ".saved.replaced"))
    opened(bert).save(saved)
    if killed == "between the renames":
        saved.rename(old)
    if killed == "before the old one was removed":
        opened(bert).save(old)
    else:
        (new / "half").mkdir(parents=True)
    opened(bert, pooling="cls").save(saved)
    assert opened(saved).tower("query").pooling == ("cls",)
    assert [file.name for file in tmp_path.iterdir()] == ["saved"]


def test_what_a_kill_put_aside_comes_back_even_where_the_next_save_fails(bert, tmp_path, monkeypatch):
    saved = tmp_path / "saved"
    opened(bert).save(saved)
    once = contents(tmp_path, "saved")
    saved.rename(tmp_path / ".saved.replaced")
    monkeypatch.setattr(encoder_saving, "_sync", Mock(side_effect=OSError(28, os.strerror(28))))
    with pytest.raises(FolderError):
        opened(bert, pooling="cls").save(saved)
    assert contents(tmp_path, "saved") == once


def test_a_folder_that_holds_something_else_is_not_replaced(bert, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("mine", "file"):
        with pytest.raises(FolderError, match="is there already and holds no saved encoder"):
            opened(bert).save(tmp_path / name)
    assert (tmp_path / "mine/notes.txt").read_text() == "mine"
    opened(bert).save(tmp_path / "new" / "deep")
    assert (tmp_path / "new/deep/modules.json").is_file()
