"""One text, from two models' scores to what each copy drops.

`find_clues` says which units of a text are elusive; a `DropPlan` turns their ranks into probabilities; `copies` draws.
Everything here is a pure function of its arguments.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elusive.choices import ALPHA, BETA, MASK, ContrastKind, DropMode, Guide, UnitKind
from elusive.clues.alignment import project, scaled_to_one
from elusive.clues.contrast import contrast, rank
from elusive.clues.dropout import draw, drop_probability, relative_rank
from elusive.clues.drops import Span, without
from elusive.clues.units import Units, units_of
from elusive.tokenization import TokenizedText


@dataclass(frozen=True, eq=False)
class TokenScores:
    """Both models' scores of one text, on the large model's tokens.

    Attributes:
        large: received attention in the large model, [token]; NaN where undefined.
        small: in the small model.
        contrast: large against small.
        aligned: whether the small model's tokens were others; both scores are then scaled to sum 1.
    """

    large: NDArray[np.float32]
    small: NDArray[np.float32]
    contrast: NDArray[np.float32]
    aligned: bool


def unscored(n_tokens: int) -> TokenScores:
    """The scores of a text that no model has read, as the guide `random` needs none."""
    nothing = np.full(n_tokens, np.nan, dtype=np.float32)
    return TokenScores(nothing, nothing, nothing, aligned=False)


def contrast_tokens(
    large: NDArray[np.float32],
    small: NDArray[np.float32],
    *,
    tokens: TokenizedText,
    small_tokens: TokenizedText,
    kind: ContrastKind = "difference",
) -> TokenScores:
    """Contrast two models' scores of a text, on the large model's tokens.

    Unlike tokens are aligned by their characters, and then both scores are scaled to sum 1.
    """
    aligned = not np.array_equal(tokens.ids, small_tokens.ids)
    if aligned:
        large, small = scaled_to_one(large), project(scaled_to_one(small), small_tokens, tokens)
    return TokenScores(large, small, contrast(large, small, kind=kind), aligned)


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
    scores: TokenScores,
    *,
    guide: Guide = "contrast",
    unit: UnitKind = "token",
    protect: Iterable[re.Pattern[str]] = (),
) -> TextClues:
    """Group a text's tokens into units and rank them.

    The guide `random` needs no scores: every unit counts as scored but the last, which has no follower, so that all
    guides drop from the same units. Its ranks are positions and mean nothing.
    """
    units = units_of(text, tokens, kind=unit, protect=protect)
    if guide == "random":
        ranks = np.arange(len(units), dtype=np.int32)
        ranks[units.of_token[:-1].max(initial=-1) + 1 :] = -1
    else:
        by_guide = {
            "contrast": scores.contrast,
            "attention:large": scores.large,
            "attention:small": scores.small,
        }
        ranks = rank(units.mean(by_guide[guide]))
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
