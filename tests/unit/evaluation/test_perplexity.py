"""Perplexity: against a token-by-token oracle; alone = in a batch, padded = unpadded, and each token counted once."""

import functools
from math import exp

import numpy as np
import pytest
import torch

from elusive.attention.windows import windows_of
from elusive.evaluation.perplexity import TextLikelihood, negative_log_likelihoods
from elusive.evaluation.result import forgetting
from elusive.models import ModelSource, load_generative_model
from tests.score_reader_fixtures import reader_a

__all__ = ["reader_a"]

FIRST = 0
TEXTS = [np.random.default_rng(0).integers(3, 300, n) for n in (1, 7, 40, 23, 2)]


@functools.cache
def model(name: str) -> torch.nn.Module:
    return load_generative_model(ModelSource(name=name))


def nll(name: str, texts: list[np.ndarray], *, window: int = 64, batch_tokens: int = 4096) -> list[float]:
    return negative_log_likelihoods(model(name), texts, first=FIRST, window=window, batch_tokens=batch_tokens)


@torch.no_grad()
def oracle(name: str, text: np.ndarray, *, window: int) -> float:
    """Each token by itself, after the special first one and the left context of the window that it counts in."""
    total = 0.0
    for piece in windows_of(0, len(text), window=window):
        for place in range(piece.first_counted, piece.stop):
            before = torch.tensor([[FIRST, *text[piece.start : place].tolist()]])
            logits = model(name)(before).logits[0, -1].double()
            total -= float(logits.log_softmax(-1)[text[place]])
    return total


@pytest.mark.parametrize("window", [64, 16, 3])
def test_equals_the_oracle_in_windows_too(reader_a: str, window: int) -> None:
    expected = [oracle(reader_a, text, window=window) for text in TEXTS]
    assert nll(reader_a, TEXTS, window=window) == pytest.approx(expected, rel=1e-5)


def test_a_text_alone_equals_the_text_in_a_padded_batch(reader_a: str) -> None:
    alone = [nll(reader_a, [text])[0] for text in TEXTS]
    assert nll(reader_a, TEXTS) == pytest.approx(alone, rel=1e-5)
    assert nll(reader_a, TEXTS, batch_tokens=1) == pytest.approx(alone, rel=1e-5)


def test_all_tokens_are_told_once(reader_a: str) -> None:
    done: list[int] = []
    negative_log_likelihoods(
        model(reader_a), TEXTS, first=FIRST, window=16, batch_tokens=40, on_tokens=lambda n: done.append(n)
    )
    assert sum(done) == sum(map(len, TEXTS))
    assert min(done) > 0


def test_figures_are_over_all_tokens_and_intervals_over_texts() -> None:
    found = forgetting([TextLikelihood(10.0, 5, 20), TextLikelihood(2.0, 4, 10), TextLikelihood(3.0, 1, 6)], seed=0)
    assert (found.tokens, found.chars, found.texts) == (10, 36, 3)
    assert found.nll_per_token.mean == pytest.approx(1.5)
    assert found.nll_per_char.mean == pytest.approx(15 / 36)
    assert found.perplexity == pytest.approx(exp(1.5))
    assert found.nll_per_token.low < 1.5 < found.nll_per_token.high
    assert found.nll_per_token.high <= 3.0
