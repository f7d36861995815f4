"""Rows that count unequally: received_w[j] = Σ_i w_i A[i, j] / Σ_i w_i, over the followers of j (METHOD 1.1)."""

import math
from typing import Any

import numpy as np
import pytest
from transformers import AutoModelForCausalLM, PreTrainedModel

from elusive.attention import oracle
from elusive.attention.probe import watch
from elusive.attention.windows import TextScores, score_texts, windows_of
from elusive.embedded import path_of

FIRST = 1
RNG = np.random.default_rng(11)
TEXTS = [RNG.integers(4, 200, size=n) for n in (18, 5, 1)]
WEIGHTS = [RNG.random(len(text), dtype=np.float32) * 3 for text in TEXTS]
WEIGHTS[0][[2, 3, 9, 17]] = 0


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(path_of("tiny:large")).eval()


@pytest.fixture(scope="module")
def eager() -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(path_of("tiny:large"), attn_implementation="eager").eval()


def scored(model: PreTrainedModel, weights: list[np.ndarray] | None, **options: Any) -> list[TextScores]:
    window = options.pop("window", 64)
    with watch(model, **options) as probe:
        return score_texts(probe, TEXTS, first=FIRST, window=window, batch_tokens=512, row_weights=weights)


def by_definition(eager: PreTrainedModel, text: np.ndarray, weights: np.ndarray, *, window: int) -> list[list[float]]:
    """Weighted sums and weights of each layer over the windows; then [layer][token]."""
    n = len(text)
    sums, totals = {}, {}
    for piece in windows_of(0, n, window=window):
        ids = (FIRST, *text[piece.start : piece.stop].tolist())
        attention = oracle.attention_matrices(eager, ids).double().mean(1)
        for layer in range(len(attention)):
            for i in range(piece.first_counted, piece.stop):
                for j in range(piece.start, i):
                    row, column = i - piece.start + 1, j - piece.start + 1
                    w = float(weights[i])
                    sums[layer, j] = sums.get((layer, j), 0.0) + w * float(attention[layer, row, column])
                    totals[layer, j] = totals.get((layer, j), 0.0) + w
    layers = 1 + max((layer for layer, _ in sums), default=-1)
    return [
        [sums[layer, j] / totals[layer, j] if totals.get((layer, j)) else math.nan for j in range(n)]
        for layer in range(layers)
    ]


@pytest.mark.parametrize("impl", ["exact", "fast"])
@pytest.mark.parametrize("window", [64, 8])
def test_weighted_rows_are_their_formula(model, eager, impl, window):
    for text, weights, found in zip(TEXTS, WEIGHTS, scored(model, WEIGHTS, impl=impl, window=window), strict=True):
        by_layer = by_definition(eager, text, weights, window=window)
        if not by_layer:
            assert np.isnan(found.received).all()
            continue
        np.testing.assert_allclose(found.received, np.mean(by_layer, axis=0), atol=1e-6)
        np.testing.assert_allclose(found.log_received, np.log(by_layer).mean(axis=0), atol=1e-3)


def test_equal_weights_are_the_unweighted_score(model):
    ones = [np.ones(len(text), dtype=np.float32) for text in TEXTS]
    for weighted, plain in zip(scored(model, ones), scored(model, None), strict=True):
        assert weighted.received.tobytes() == plain.received.tobytes()
        assert weighted.log_received.tobytes() == plain.log_received.tobytes()
        assert (weighted.sink, weighted.rows) == (plain.sink, plain.rows)
    tenth = [one / 8 for one in ones]
    for weighted, plain in zip(scored(model, tenth), scored(model, None), strict=True):
        np.testing.assert_allclose(weighted.received, plain.received, rtol=1e-5)


def test_a_token_whose_followers_all_weigh_nothing_has_no_score(model):
    weights = [one.copy() for one in WEIGHTS]
    weights[0][10:] = 0
    found = scored(model, weights)[0]
    assert np.isnan(found.received[8:]).all()  # row 9 weighs nothing anyway
    assert not np.isnan(found.received[:8]).any()


def test_the_geometric_mean_is_over_layers(model):
    """Of one layer it is the logarithm of the score; of all, the mean of these."""
    layers = model.config.num_hidden_layers
    one_by_one = [scored(model, None, layers=[layer])[0] for layer in range(layers)]
    for one in one_by_one:
        np.testing.assert_allclose(one.log_received, np.log(one.received), rtol=1e-5)
    together = scored(model, None)[0]
    expected = np.mean([one.log_received for one in one_by_one], axis=0)
    np.testing.assert_allclose(together.log_received, expected, rtol=1e-5)
