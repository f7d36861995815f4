"""One text, from two models' scores to what each copy drops.

`find_clues` says which units of a text are elusive; a `DropPlan` turns their ranks into probabilities; `copies` draws.
Everything here is a pure function of its arguments.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elusive.choices import ALPHA, BETA, MASK, DropMode, UnitKind
from elusive.clues.contrast import rank
from elusive.clues.dropout import draw, drop_probability, relative_rank
from elusive.clues.drops import Span, without
from elusive.clues.units import Units, units_of
from elusive.tokenization import TokenizedText


@dataclass(frozen=True, eq=False)
class TextClues:
    """Which units of a text are elusive.

    Attributes:
        units: the text's units.
        ranks: rank of each unit among the scored ones, largest first, from 0; -1 without a score, [unit].
        droppable: scored and not protected, [unit].
    """

    units: Units
    ranks: NDArray[np.int32]
    droppable: NDArray[np.bool_]

    @property
    def n_scored(self) -> int:
        """How many units have a score."""
        return int((self.ranks >= 0).sum())


def find_clues(
    text: str,
    tokens: TokenizedText,
    values: NDArray[np.float32] | None,
    *,
    unit: UnitKind = "token",
    protect: Iterable[re.Pattern[str]] = (),
) -> TextClues:
    """Group a text's tokens into units and rank them.

    Args:
        text: the text.
        tokens: its tokens.
        values: what the guide ranks by, [token]; NaN where undefined. None, for the guide `random`, counts every unit
            as scored but the last, which has no follower, so that it drops from the same units as guides of attention;
            ranks are then positions and mean nothing.
        unit: what is dropped as one.
        protect: never drop what matches one of these.
    """
    units = units_of(text, tokens, kind=unit, protect=protect)
    if values is None:
        ranks = np.arange(len(units), dtype=np.int32)
        ranks[units.of_token[:-1].max(initial=-1) + 1 :] = -1
    else:
        ranks = rank(units.mean(values))
    return TextClues(units, ranks, (ranks >= 0) & ~units.protected)


@dataclass(frozen=True, kw_only=True)
class DropPlan:
    """How ranks become probabilities, and draws become copies.

    Attributes:
        alpha: ceiling of the probability (Eq. 1).
        beta: how fast it is reached; ignored by the guide `random`, which drops uniformly at α.
        relative: take ranks relative to the text's length.
        uniform: drop every droppable unit at α.
        mode: what a drop leaves behind.
        mask: the string of mode `mask`.
        seed: of the draws.
    """

    alpha: float = ALPHA
    beta: float = BETA
    relative: bool = False
    uniform: bool = False
    mode: DropMode = "delete"
    mask: str = MASK
    seed: int = 0

    def effective_ranks(self, clues: TextClues) -> NDArray[np.float64]:
        """The ranks of the droppable units as Eq. 1 takes them."""
        ranks = clues.ranks[clues.droppable]
        return relative_rank(ranks, n_units=clues.n_scored) if self.relative else ranks.astype(np.float64)

    def probabilities(self, clues: TextClues) -> NDArray[np.float64]:
        """The drop probability of every unit, 0 for what is never dropped, [unit].

        Rounded to what the clues' files hold, so that a copy drawn from those is the copy that was written.
        """
        p = np.zeros(len(clues.units), dtype=np.float32)
        p[clues.droppable] = (
            self.alpha
            if self.uniform
            else drop_probability(self.effective_ranks(clues), alpha=self.alpha, beta=self.beta)
        )
        return p.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Copy:
    """One token-dropout copy of a text; `number` counts from 1."""

    number: int
    text: str
    dropped: tuple[Span, ...]


def copies(
    text: str,
    units: Units,
    probabilities: NDArray[np.float64],
    *,
    plan: DropPlan,
    text_id: str,
    numbers: Iterable[int],
) -> Iterator[Copy]:
    """Draw and cut copies of a text."""
    numbers = list(numbers)
    for number, dropped in zip(
        numbers, draw(probabilities, seed=plan.seed, text_id=text_id, copies=numbers), strict=True
    ):
        spans = tuple(zip(units.starts[dropped].tolist(), units.ends[dropped].tolist(), strict=True))
        yield Copy(number, without(text, spans, mode=plan.mode, mask=plan.mask), spans)
