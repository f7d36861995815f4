"""One total test of realised against planned drops, and what it would find."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import chi2, norm

from elusive.clues.dropout import draw, drop_probability

FALSE_ALARM = 1e-6
N_TEXTS, N_COPIES, N_BUCKETS = 1200, 10, 60
Draw = Callable[..., np.ndarray]


@dataclass(frozen=True)
class Corpus:
    """Planned probabilities, ranks and drawn copies of many texts; units of all texts stand in one row."""

    ranks: np.ndarray
    planned: np.ndarray
    text: np.ndarray
    dropped: np.ndarray

    @property
    def residuals(self) -> np.ndarray:
        """Draws less their plan, in standard deviations, [copy, unit]; where a drop is possible."""
        can = self.planned > 0
        p = self.planned[can]
        return (self.dropped[:, can] - p) / np.sqrt(p * (1 - p))


def corpus(draws: Draw = draw) -> Corpus:
    rng = np.random.default_rng(0)
    ranks = [rng.permutation(rng.integers(20, 200)) for _ in range(N_TEXTS)]
    planned = [drop_probability(r, alpha=0.7, beta=0.05) for r in ranks]
    dropped = [draws(p, seed=5, text_id=f"t{i}", copies=range(1, N_COPIES + 1)) for i, p in enumerate(planned)]
    text = np.repeat(np.arange(N_TEXTS), [len(r) for r in ranks])
    return Corpus(np.concatenate(ranks), np.concatenate(planned), text, np.concatenate(dropped, axis=1))


def squared_deviations(found: Corpus, groups: np.ndarray) -> float:
    """p-value of Σ z² over groups of units, with z a group's realised less its planned drops over their spread."""
    planned = N_COPIES * np.bincount(groups, weights=found.planned)
    variance = N_COPIES * np.bincount(groups, weights=found.planned * (1 - found.planned))
    realised = np.bincount(groups, weights=found.dropped.sum(axis=0))
    used = variance > 0
    z = (realised - planned)[used] / np.sqrt(variance[used])
    return float(chi2.sf((z**2).sum(), used.sum()))


def by_text(found: Corpus) -> float:
    return squared_deviations(found, found.text * N_BUCKETS // N_TEXTS)


def by_rank(found: Corpus) -> float:
    return squared_deviations(found, found.ranks)


@pytest.fixture(scope="module")
def drawn() -> Corpus:
    return corpus()


def test_realised_drops_are_the_planned_ones_in_every_part_of_the_corpus_and_at_every_rank(drawn):
    assert drawn.dropped.size > 1_000_000
    assert by_text(drawn) > FALSE_ALARM
    assert by_rank(drawn) > FALSE_ALARM
    assert not drawn.dropped[:, drawn.ranks == 0].any()


@pytest.mark.parametrize("bias", [0.01, -0.01])
def test_a_bias_of_one_percent_is_found(bias):
    def biased(p: np.ndarray, **key: object) -> np.ndarray:
        return draw(np.where(p > 0, np.clip(p + bias, 0, 1), 0), **key)

    found = corpus(biased)
    assert by_text(found) < FALSE_ALARM / 1000
    assert by_rank(found) < FALSE_ALARM / 1000


def test_probabilities_in_another_order_are_found_by_rank_though_the_rate_is_right():
    def reversed_(p: np.ndarray, **key: object) -> np.ndarray:
        return draw(p[::-1], **key)

    found = corpus(reversed_)
    assert by_rank(found) < FALSE_ALARM / 1000


def largest_correlation(found: Corpus) -> float:
    """p-value of the largest correlation between two copies of a unit, and two units at up to 8 places' distance."""
    x = found.residuals
    n = x.shape[1]
    between_copies = (x @ x.T / n)[np.triu_indices(N_COPIES, 1)] * np.sqrt(n)
    between_units = [(x[:, lag:] * x[:, :-lag]).mean() * np.sqrt(x[:, lag:].size) for lag in range(1, 9)]
    next_copy = [(x[1:, lag:] * x[:-1, :-lag]).mean() * np.sqrt(x[1:, lag:].size) for lag in range(1, 9)]
    z = np.abs([*between_copies, *between_units, *next_copy])
    return float(min(1, len(z) * 2 * norm.sf(z.max())))


def test_units_and_copies_are_independent(drawn):
    assert largest_correlation(drawn) > FALSE_ALARM


def test_copies_that_share_a_key_are_found():
    def shared(p: np.ndarray, *, copies: range, **key: object) -> np.ndarray:
        return draw(p, copies=[copy // 2 for copy in copies], **key)

    assert largest_correlation(corpus(shared)) < FALSE_ALARM / 1000


def test_units_that_share_a_number_are_found():
    def shared(p: np.ndarray, **key: object) -> np.ndarray:
        half = draw(np.full(len(p), 0.5), **key)
        again = draw(p, **key)
        again[:, 1::8] = np.where(half[:, 0:-1:8], again[:, 1::8], again[:, 0:-1:8])
        return again

    assert largest_correlation(corpus(shared)) < FALSE_ALARM / 1000


def test_the_same_unit_of_different_texts_is_independent():
    p = np.full(64, 0.4)
    x = np.array([draw(p, seed=5, text_id=f"t{i}", copies=[1])[0] for i in range(4000)]) - 0.4
    z = (x[1:] * x[:-1]).sum() / (0.4 * 0.6) / np.sqrt(x[1:].size)
    assert 2 * norm.sf(abs(z)) > FALSE_ALARM
    per_text = x.sum(axis=1) / np.sqrt(64 * 0.24)
    assert chi2.sf((per_text**2).sum(), len(x)) > FALSE_ALARM
    assert chi2.cdf((per_text**2).sum(), len(x)) > FALSE_ALARM  # nor too even
