"""Eq. 1 of the paper, the drop rate it gives over a corpus, and draws that depend on nothing but their key.

    p_drop(u) = α · (1 − exp(−β · r(u)))          r = rank from 0, so the first clue of a text is never dropped

α is the ceiling of the probability, β how fast it is reached. β acts on the absolute rank: on a text of 2,000 tokens
the paper's values leave random dropout at rate α for all but the first clues. So the rank can be taken relative to
the text's length, or β solved for a target rate.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elusive.choices import ALPHA, BETA
from elusive.errors import OptionError

_BINS = 2**14
RELATIVE_LEN = 64
"""A relative rank equals the absolute one on a text of this many units."""
_MIN_BETA, _MAX_BETA = 1e-300, 1e6


def drop_probability(ranks: ArrayLike, *, alpha: float = ALPHA, beta: float = BETA) -> NDArray[np.float64]:
    """The probability that a unit is dropped from a copy (Eq. 1).

    Args:
        ranks: from 0, largest contrast first; may be fractional (relative ranks).
        alpha: ceiling, 0 to 1.
        beta: rate, above 0; infinity drops all but rank 0 at α.

    Raises:
        OptionError: α or β out of range.
    """
    if not 0 <= alpha <= 1:
        raise OptionError(f"alpha is {alpha}; expected a probability, 0 to 1")
    if not beta > 0:
        raise OptionError(f"beta is {beta}; expected a number above 0")
    r = np.asarray(ranks, dtype=np.float64)
    if np.isinf(beta):
        return np.where(r > 0, alpha, 0.0)
    return -alpha * np.expm1(-beta * r)


def relative_rank(ranks: ArrayLike, *, n_units: int) -> NDArray[np.float64]:
    """Ranks as they would be on a text of 64 units."""
    return np.asarray(ranks, dtype=np.float64) * (RELATIVE_LEN / max(n_units, 1))


class RankHistogram:
    """How often each rank occurs among the droppable units of a corpus; all that a mean rate depends on."""

    def __init__(self) -> None:
        self._counts: dict[float, int] = {}

    def add(self, ranks: ArrayLike) -> None:
        """Count a text's droppable units; fractional (relative) ranks to the nearest 1/16,384."""
        ranks = np.round(np.asarray(ranks, dtype=np.float64) * _BINS) / _BINS
        for value, count in zip(*(part.tolist() for part in np.unique(ranks, return_counts=True)), strict=True):
            self._counts[value] = self._counts.get(value, 0) + count

    @property
    def n_units(self) -> int:
        """Droppable units counted so far."""
        return sum(self._counts.values())

    def mean_rate(self, *, alpha: float, beta: float) -> float:
        """Mean drop probability over all counted units; 0 where there are none."""
        if not self._counts:
            return 0.0
        ranks, counts = self._arrays()
        return float(np.average(drop_probability(ranks, alpha=alpha, beta=beta), weights=counts))

    def solve_beta(self, target: float, *, alpha: float) -> float:
        """The β for which the mean rate is `target`.

        Raises:
            OptionError: a rate that this α cannot reach on this corpus.
        """
        from scipy.optimize import brentq

        ceiling = self.mean_rate(alpha=alpha, beta=np.inf)
        if not 0 < target < ceiling:
            raise OptionError(
                f"the target rate {target:g} cannot be reached with alpha {alpha:g}: expected more than 0 and less "
                f"than {ceiling:.4g} (rank 0 of each text is never dropped); raise --alpha or lower --target-rate"
            )
        # In log β the rate climbs smoothly over many orders of magnitude.
        low, high = np.log(_MIN_BETA), np.log(_MAX_BETA)
        root = brentq(lambda x: self.mean_rate(alpha=alpha, beta=float(np.exp(x))) - target, low, high, xtol=1e-12)
        return float(np.exp(root))

    def _arrays(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        return np.array(list(self._counts)), np.array(list(self._counts.values()))


def draw(probabilities: NDArray[np.float64], *, seed: int, text_id: str, copies: Iterable[int]) -> NDArray[np.bool_]:
    """Which units each copy drops, each unit independently.

    Counter-based: Philox's key is a hash of seed, text id and copy, its counter the unit, so a draw depends on
    these alone, not on workers, order, batches or resume.

    Args:
        probabilities: drop probability of each unit, [unit].
        seed: of the run.
        text_id: of the source text.
        copies: numbers of the copies, from 1.

    Returns:
        [copy, unit].
    """
    numbers = list(copies)
    # To set the state of one Philox takes a tenth of the time of making another, which asks the system for entropy.
    philox = np.random.Philox(0)
    generator, state = np.random.Generator(philox), philox.state
    uniforms = np.empty((len(numbers), len(probabilities)))
    for row, copy in zip(uniforms, numbers, strict=True):
        key = blake2b(f"{seed}\0{copy}\0{text_id}".encode(), digest_size=16).digest()
        state["state"]["key"] = np.frombuffer(key, dtype="<u8")
        philox.state = state
        generator.random(out=row)
    return uniforms < probabilities
