"""A few texts of a corpus, ready to be shown: their heat maps, strongest clues, and copies beside the original.

Texts are shown from their beginning, about a hundred tokens of each; the scales of the heat maps are of the whole text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elusive.choices import Guide
from elusive.clues.guides import parts_of
from elusive.clues.scored_corpus import ScoredCorpus, ScoredText
from elusive.clues.text_clues import Copy, DropPlan, copies
from elusive.report.glyphs import MAX_PIECE, direction, shortened, visible_piece
from elusive.report.shades import shade, top_of

MAX_TOKENS, MAX_CHARS, MAX_ID = 100, 1500, 80
_N_CLUES, _N_COPIES = 8, 3
_FIELDS: Final = {"received": "attention", "surprisal": "surprisal", "entropy": "entropy"}


@dataclass(frozen=True)
class Cell:
    """A unit in a heat map: how it is written, whether a space stands before it, its shade, a number under it."""

    shown: str
    spaced: bool
    shade: str
    note: str


@dataclass(frozen=True)
class HeatMap:
    """A text shaded by a score: `top` is the value of the strongest shade."""

    title: str
    diverging: bool
    top: str
    cells: tuple[Cell, ...]
    noted: bool


@dataclass(frozen=True)
class Clue:
    """One of a text's strongest units: its place among all of them, and its values as they are printed."""

    rank: int
    place: int
    shown: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """Part of a copy: characters that were kept, or dropped and perhaps replaced."""

    text: str
    dropped: bool
    instead: str = ""


@dataclass(frozen=True)
class ShownCopy:
    """A copy: its number, units dropped of all that could be (of the whole text), and the beginning of it."""

    number: int
    dropped: int
    runs: tuple[Run, ...]


@dataclass(frozen=True, eq=False)
class Sample:
    """A text as the page shows it.

    Attributes:
        id: of the text, perhaps shortened.
        n_tokens, n_units, n_droppable: of the whole text.
        cut: whether only its beginning is shown.
        direction: `ltr` or `rtl`.
        original: the text, as far as it is shown.
        maps: the scores that the guide is made of, and what it makes of them; empty where no model was read.
        columns: headings of the clues' values.
        clues: the strongest units.
        copies: the first few; where none are written, what the first epochs of `pretrain --fresh` show.
        falling: the guide's score by rank, [rank]; for the plot.
    """

    id: str
    n_tokens: int
    n_units: int
    n_droppable: int
    cut: bool
    direction: str
    original: str
    maps: tuple[HeatMap, ...]
    columns: tuple[str, ...]
    clues: tuple[Clue, ...]
    copies: tuple[ShownCopy, ...]
    falling: NDArray[np.float64]


def spread(corpus: ScoredCorpus, n: int) -> Iterator[ScoredText]:
    """Up to `n` texts, spread evenly over the corpus, the first one among them; the same ones each time."""
    places = [divmod(k * corpus.staged.n_chunks, n) for k in range(n)]
    for chunk, group in groupby(places, key=lambda place: place[0]):
        texts = list(corpus.texts([chunk]))
        for at in dict.fromkeys(within * len(texts) // n for _, within in group):
            yield texts[at]


def sample(scored: ScoredText, plan: DropPlan, *, corpus: ScoredCorpus, n_copies: int) -> Sample:
    """A text as the page shows it."""
    text, units = scored.text.text, scored.clues.units
    p = plan.probabilities(scored.clues)
    n_shown = int(units.of_token[:MAX_TOKENS][-1]) + 1 if len(units) else 0
    end = min(int(units.ends[n_shown - 1]) if n_shown < len(units) else len(text), MAX_CHARS)
    n_shown = min(n_shown, int(np.searchsorted(units.starts, end)))
    scores = _scores(scored, corpus.settings.guide)
    numbers = range(1, min(_N_COPIES, n_copies or _N_COPIES) + 1)
    made = copies(text, units, p, plan=plan, text_id=scored.text.id, numbers=numbers)
    return Sample(
        id=shortened(scored.text.id, MAX_ID),
        n_tokens=len(scored.tokens),
        n_units=len(units),
        n_droppable=int(scored.clues.droppable.sum()),
        cut=end < len(text),
        direction=direction(text[:end]),
        original=text[:end],
        maps=tuple(_maps(scored, scores, p, n_shown=n_shown)),
        columns=tuple(one.name for one in scores),
        clues=tuple(_clues(scored, scores, p)),
        copies=tuple(ShownCopy(c.number, len(c.dropped), tuple(_runs(text[:end], c, plan))) for c in made),
        falling=_falling(scored, scores[0].values) if scores else np.empty(0),
    )


@dataclass(frozen=True, eq=False)
class _Score:
    """A score of a text's units, [unit]: its name in a table, and its scale, which several scores may share."""

    name: str
    values: NDArray[np.float64]
    scale: str
    diverging: bool = False


def _scores(scored: ScoredText, guide: Guide) -> list[_Score]:
    """What the guide ranks by, first, and the scores that it is made of where these are several."""
    if scored.values is None:
        return []
    parts = parts_of(guide)
    made_of = [
        _Score(f"{_FIELDS[part.field]}, {part.role}", scored.clues.units.mean(part.of(scored.scores)), part.field)
        for part in parts
    ]
    if len(parts) == 1:
        return made_of
    diverging = guide in ("contrast", "surprisal:difference")
    return [_Score(guide, scored.clues.units.mean(scored.values), "guide", diverging), *made_of]


def _falling(scored: ScoredText, score: NDArray[np.float64]) -> NDArray[np.float64]:
    ranked = scored.clues.ranks >= 0
    return score[ranked][np.argsort(scored.clues.ranks[ranked])]


def _maps(scored: ScoredText, scores: Sequence[_Score], p: NDArray[np.float64], *, n_shown: int) -> Iterator[HeatMap]:
    notes = [
        f"{value:.2f}".removeprefix("0") if may else "–" for value, may in zip(p, scored.clues.droppable, strict=True)
    ]
    for place, one in enumerate(scores):
        values, guides = one.values, place == 0
        on_scale = [other.values for other in scores if other.scale == one.scale]
        if guides:  # what is never dropped would else be the loudest
            values = np.where(scored.clues.droppable, values, np.nan)
            on_scale = [values]
        top = top_of(np.concatenate(on_scale))
        yield HeatMap(
            title=one.name.capitalize(),
            diverging=one.diverging,
            top=f"{top:.2g}",
            cells=tuple(_cells(scored, values[:n_shown], top, notes if guides else None)),
            noted=guides,
        )


def _cells(scored: ScoredText, values: NDArray[np.float64], top: float, notes: Sequence[str] | None) -> Iterator[Cell]:
    text, units = scored.text.text, scored.clues.units
    for u, value in enumerate(values.tolist()):
        piece = text[units.starts[u] : units.ends[u]]
        before = text[units.ends[u - 1] : units.starts[u]] if u else ""
        spaced = piece.startswith(" ") or before.isspace()
        yield Cell(visible_piece(piece), spaced, shade(value, top), notes[u] if notes else "")


def _clues(scored: ScoredText, scores: Sequence[_Score], p: NDArray[np.float64]) -> Iterator[Clue]:
    text, units, ranks = scored.text.text, scored.clues.units, scored.clues.ranks
    if not scores:
        return
    droppable = np.flatnonzero(scored.clues.droppable)
    for u in droppable[np.argsort(ranks[droppable])][:_N_CLUES].tolist():
        values = (*(f"{one.values[u]:{'+' if one.diverging else ''}.3g}" for one in scores), f"{p[u]:.3f}")
        yield Clue(int(ranks[u]), u + 1, visible_piece(text[units.starts[u] : units.ends[u]]), values)


def _runs(text: str, copy: Copy, plan: DropPlan) -> Iterator[Run]:
    """A copy as runs of its source, which is cut where the page cuts it."""
    mask = shortened(plan.mask, MAX_PIECE) if plan.mode == "mask" else ""
    position = 0
    for start, end in copy.dropped:
        if start >= len(text):
            break
        if start > position:
            yield Run(text[position:start], dropped=False)
        yield Run(text[start:end], dropped=True, instead=mask)
        position = min(end, len(text))
    if position < len(text):
        yield Run(text[position:], dropped=False)
