"""Surprisal and entropy against a plain loop: one token, one forward pass, one distribution at a time."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from elusive.clues import predictions
from elusive.clues.predictions import predict_texts
from elusive.embedded import path_of
from elusive.errors import ModelError

FIRST = 1
RNG = np.random.default_rng(3)
TEXTS = [RNG.integers(4, 200, size=n) for n in (13, 1, 40, 7)]


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(path_of("tiny:small")).eval()


def by_hand(model: PreTrainedModel, context: list[int], token: int) -> tuple[float, float]:
    """-log p of a token after its context, and the entropy of what was predicted there."""
    with torch.no_grad():
        row = model(input_ids=torch.tensor([context])).logits[0, -1].double()
    p = row.softmax(-1).tolist()
    return -math.log(p[token]), -sum(one * math.log(one) for one in p if one > 0)


def found(model: PreTrainedModel, texts: list[np.ndarray], *, window: int = 64, batch_tokens: int = 256) -> list:
    return predict_texts(model, texts, first=FIRST, window=window, batch_tokens=batch_tokens)


def assert_same(one: predictions.TextPredictions, other: predictions.TextPredictions, atol: float = 1e-5) -> None:
    np.testing.assert_allclose(one.surprisal, other.surprisal, rtol=0, atol=atol)
    np.testing.assert_allclose(one.entropy, other.entropy, rtol=0, atol=atol)


def test_every_token_is_as_a_plain_loop_has_it(model):
    for text, one in zip(TEXTS, found(model, TEXTS), strict=True):
        expected = [by_hand(model, [FIRST, *text[:j].tolist()], int(text[j])) for j in range(len(text))]
        np.testing.assert_allclose(one.surprisal, [s for s, _ in expected], atol=1e-4)
        np.testing.assert_allclose(one.entropy, [e for _, e in expected], atol=1e-4)


def test_a_token_is_not_predicted_from_itself_or_from_what_follows(model):
    """The mistake of reading one row late or early would change the first token or ignore the last."""
    text = TEXTS[0].copy()
    before = found(model, [text])[0]
    text[-1] = (text[-1] + 1) % 200
    after = found(model, [text])[0]
    np.testing.assert_array_equal(before.surprisal[:-1], after.surprisal[:-1])
    np.testing.assert_array_equal(before.entropy, after.entropy)
    assert before.surprisal[-1] != after.surprisal[-1]


def test_long_texts_give_each_token_the_most_left_context(model):
    [text], window = [TEXTS[2]], 16
    [one] = found(model, [text], window=window)
    size, starts = window - 1, range(0, len(text), (window - 1) // 2)
    for j in range(len(text)):
        start = next(s for s in starts if j < s + size)  # the first window that holds it
        surprisal, entropy = by_hand(model, [FIRST, *text[start:j].tolist()], int(text[j]))
        assert one.surprisal[j] == pytest.approx(surprisal, abs=1e-4)
        assert one.entropy[j] == pytest.approx(entropy, abs=1e-4)


def test_alone_and_in_a_batch_are_equal(model):
    for text, together in zip(TEXTS, found(model, TEXTS), strict=True):
        assert_same(found(model, [text])[0], together)


def test_a_slice_of_rows_at_a_time_changes_nothing(model, monkeypatch):
    whole = found(model, TEXTS)
    monkeypatch.setattr(predictions, "_ROWS", 5)
    for one, other in zip(whole, found(model, TEXTS), strict=True):
        assert_same(one, other)


def test_tokens_are_reported_as_they_are_done(model):
    reported: list[int] = []
    predict_texts(model, TEXTS, first=FIRST, window=16, batch_tokens=32, on_tokens=reported.append)
    assert sum(reported) == sum(map(len, TEXTS))


def test_an_empty_text_has_no_tokens(model):
    [one] = found(model, [np.empty(0, dtype=np.int64)])
    assert one.surprisal.shape == one.entropy.shape == (0,)


def test_the_model_is_left_as_it_was(model):
    model.train()
    found(model, TEXTS[:1])
    assert model.training
    model.eval()


def test_weights_that_overflow_are_refused_by_name(tmp_path: Path):
    broken = AutoModelForCausalLM.from_pretrained(path_of("tiny:small"))
    broken.get_output_embeddings().weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="not a finite number; load it in float32"):
        found(broken, TEXTS[:1])
