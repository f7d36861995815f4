"""What ranks the tokens of a text: one function a guide, largest value kept. Pure functions of two models' scores.

    surprisal:small        -log p(token) in the small model: what it does not know yet. Needs no attention
    surprisal:large        the same in the large model
    surprisal:difference   small minus large: what the large model knows better
    entropy                entropy of the small model's prediction; predictable places go first (EntroDrop, 2512.23422)
    contrast               received attention, large against small (Gao et al., AAAI 2025); kinds in `contrast`
    attention:large        received attention in one model
    attention:small
    surprisal+contrast     ranks of surprisal:small and of contrast, averaged
    random                 nothing: every unit is dropped alike

A guide names what it needs, so that nothing else is computed: `surprisal:small` takes one forward pass of one model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elusive.choices import ContrastKind, Guide
from elusive.clues.contrast import contrast, scaled_ranks

Values: TypeAlias = NDArray[np.float32]
Role: TypeAlias = Literal["large", "small"]
Quantity: TypeAlias = Literal["attention", "predictions"]
Need: TypeAlias = tuple[Role, Quantity]


@dataclass(frozen=True, eq=False)
class ModelScores:
    """One model's scores of a text, on the tokens that are ranked; None for what no guide needed.

    Attributes:
        received: received attention, [token]; NaN where undefined.
        log_received: mean over layers of its logarithm, likewise.
        surprisal: -log p of each token, in nats, [token].
        entropy: of the distribution that it was predicted from, in nats, [token].
    """

    received: Values | None = None
    log_received: Values | None = None
    surprisal: Values | None = None
    entropy: Values | None = None


@dataclass(frozen=True, eq=False)
class TokenScores:
    """Both models' scores of one text, on the tokens that are ranked.

    Attributes:
        large: of the large model.
        small: of the small model.
        aligned: whether the models' tokens differ, and one model's scores were projected onto the other's tokens.
        sinks: tokens that are attention sinks of either model, [token]; they have no value in guides of attention.
    """

    large: ModelScores = field(default_factory=ModelScores)
    small: ModelScores = field(default_factory=ModelScores)
    aligned: bool = False
    sinks: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Part:
    """One model's score that a guide is made of: a field of `ModelScores`."""

    role: Role
    field: Literal["received", "surprisal", "entropy"]

    @property
    def need(self) -> Need:
        """What has to be computed for it."""
        return self.role, "attention" if self.field == "received" else "predictions"

    def of(self, scores: TokenScores) -> Values:
        """Its values, [token]."""
        return _of(getattr(getattr(scores, self.role), self.field))


@dataclass(frozen=True)
class _Guide:
    parts: tuple[Part, ...]
    value: Callable[[TokenScores, ContrastKind], Values]


def parts_of(guide: Guide) -> tuple[Part, ...]:
    """The scores that a guide is made of."""
    return _GUIDES[guide].parts


def needs_of(*guides: Guide | None) -> frozenset[Need]:
    """What has to be computed for some guides; None is no guide."""
    return frozenset(part.need for guide in guides if guide for part in parts_of(guide))


def guide_values(guide: Guide, scores: TokenScores, *, kind: ContrastKind = "difference") -> Values | None:
    """What a guide ranks the tokens of a text by.

    Args:
        guide: which one.
        scores: of the text; those that the guide needs.
        kind: how received attention is compared, for guides that contrast it.

    Returns:
        [token], NaN where undefined; None for the guide `random`.

    Example:
        >>> small = ModelScores(surprisal=np.array([0.5, 7.25], dtype=np.float32))
        >>> guide_values("surprisal:small", TokenScores(small=small)).tolist()
        [0.5, 7.25]
    """
    if guide == "random":
        return None
    values = _GUIDES[guide].value(scores, kind)
    uses_attention = any(part.field == "received" for part in parts_of(guide))
    if scores.sinks is not None and uses_attention:
        values = np.where(scores.sinks, np.float32(np.nan), values)
    return values.astype(np.float32)


def _contrast(scores: TokenScores, kind: ContrastKind) -> Values:
    if kind == "geometric":
        return _of(scores.large.log_received) - _of(scores.small.log_received)
    return contrast(_of(scores.large.received), _of(scores.small.received), kind=kind)


def _surprisal_and_contrast(scores: TokenScores, kind: ContrastKind) -> Values:
    ranks = scaled_ranks(_of(scores.small.surprisal)) + scaled_ranks(_contrast(scores, kind))
    return (ranks / 2).astype(np.float32)


def _of(values: Values | None) -> Values:
    assert values is not None, "what a guide needs is scored before it is asked"
    return values


def _single(part: Part) -> _Guide:
    return _Guide((part,), lambda scores, _kind: part.of(scores))


_LARGE_RECEIVED: Final = Part("large", "received")
_SMALL_RECEIVED: Final = Part("small", "received")
_LARGE_SURPRISAL: Final = Part("large", "surprisal")
_SMALL_SURPRISAL: Final = Part("small", "surprisal")

_GUIDES: Final[Mapping[Guide, _Guide]] = {
    "surprisal:small": _single(_SMALL_SURPRISAL),
    "surprisal:large": _single(_LARGE_SURPRISAL),
    "surprisal:difference": _Guide(
        (_LARGE_SURPRISAL, _SMALL_SURPRISAL),
        lambda scores, _kind: _SMALL_SURPRISAL.of(scores) - _LARGE_SURPRISAL.of(scores),
    ),
    "entropy": _single(Part("small", "entropy")),
    "contrast": _Guide((_LARGE_RECEIVED, _SMALL_RECEIVED), _contrast),
    "attention:large": _single(_LARGE_RECEIVED),
    "attention:small": _single(_SMALL_RECEIVED),
    "surprisal+contrast": _Guide((_SMALL_SURPRISAL, _LARGE_RECEIVED, _SMALL_RECEIVED), _surprisal_and_contrast),
    "random": _Guide((), lambda _scores, _kind: np.empty(0, dtype=np.float32)),
}
