"""Received attention in real weights: alone as in a batch, fast as exact, finite, and the same from a GGUF file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from elusive.attention.probe import Probe, watch
from elusive.attention.windows import TextScores, score_texts
from elusive.models import ModelSource, dtype_name, load_model, load_tokenizer
from elusive.tokenization import TextTokenizer, TokenizedText
from tests.real.conftest import HOSTILE, real


def tokens_of(name: str, people: list[dict]) -> tuple[TextTokenizer, list[TokenizedText]]:
    tokenizer = TextTokenizer(load_tokenizer(ModelSource(name=name)), name=name)
    texts = [people[0]["text"], *HOSTILE[:3], people[1]["text"][:80]]
    return tokenizer, tokenizer.encode(texts, names=texts)


def scores(probe: Probe, tokenizer: TextTokenizer, tokens: list[TokenizedText], *, batch: int) -> list[TextScores]:
    ids = [one.ids for one in tokens]
    return score_texts(probe, ids, first=tokenizer.first_id, window=256, batch_tokens=batch)


def test_alone_is_as_in_a_batch_and_fast_as_exact(cheap: str, people: list[dict]) -> None:
    tokenizer, tokens = tokens_of(cheap, people)
    found = {}
    model = load_model(ModelSource(name=cheap, dtype="float32"))
    for impl, batch in (("fast", 2048), ("fast", 1), ("exact", 2048)):
        with watch(model, impl=impl) as probe:
            found[impl, batch] = scores(probe, tokenizer, tokens, batch=batch)
    for text, alone, exact in zip(*found.values(), strict=True):
        assert np.isfinite(text.received[:-1]).all()  # the last token has no followers
        assert 0 < text.sink < text.rows
        for other in (alone, exact):
            np.testing.assert_allclose(text.received, other.received, rtol=2e-3, atol=2e-6)
            assert text.sink == pytest.approx(other.sink, rel=1e-3)


def test_a_gguf_file_reads_as_its_folder_does(people: list[dict]) -> None:
    """The folder holds the file's weights, dequantised to bfloat16: in that dtype all is equal, bit for bit."""
    names = (real("smollm2-135m"), real("smollm2-135m-gguf/model.gguf"))
    models, found, vocabularies = [], [], set()
    for name in names:
        assert dtype_name(ModelSource(name=name, dtype="bfloat16")) == "bfloat16"
        tokenizer, tokens = tokens_of(name, people)
        vocabularies.add(tokenizer.fingerprint)
        models.append(load_model(ModelSource(name=name, dtype="bfloat16")))
        with watch(models[-1]) as probe:
            found.append(scores(probe, tokenizer, tokens, batch=512))
    assert len(vocabularies) == 1
    weights = [model.state_dict() for model in models]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())
    for folder, file in zip(*found, strict=True):
        np.testing.assert_array_equal(folder.received, file.received)
        assert folder.sink == file.sink
    assert dtype_name(ModelSource(name=str(Path(names[1]).parent))) == "float32"
