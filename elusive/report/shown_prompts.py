"""The prompts of `elusive score-reader`, ready to be shown: passages apart, each token shaded by its score.

Scores are shown as lifts: times what a passage token of this prompt gets on average. So the readers of one question
share a scale.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from elusive.indicators.examples import Example, ReaderExamples, ShownPrompt
from elusive.report.glyphs import direction, shortened, visible_piece
from elusive.report.shades import shade, top_of

_N_QUESTIONS, _N_PROMPTS = 3, 9
"""Of all readers; four readers have two questions each."""
MAX_TOKENS, MAX_PASSAGES = 400, 10
"""Of a prompt, over all its passages."""
_MAX_TEXT, _MAX_ANSWER = 300, 120
_MIN_TOP: Final = 3.0
"""Lift of the strongest shade at least, so that even attention is pale."""


@dataclass(frozen=True)
class ShownToken:
    """A token: how it is written, whether a space stands before it, its shade, whether it is near the answer."""

    shown: str
    spaced: bool
    shade: str
    near: bool


@dataclass(frozen=True)
class ShownPassage:
    """A passage in a prompt.

    Attributes:
        number: in the question, from 1.
        place: in the prompt, from 1.
        share: of the scores of all passage tokens.
        holds: whether it holds an answer; None where that is not known.
        direction: `ltr` or `rtl`.
        tokens: that are shown.
        before, after: how many are left out on either side.
    """

    number: int
    place: int
    share: float
    holds: bool | None
    direction: str
    tokens: tuple[ShownToken, ...]
    before: int
    after: int


@dataclass(frozen=True)
class ShownReading:
    """What one reader attends to; `answer` is its own, `left_out` counts the passages that are not shown."""

    reader: str
    answer: str | None
    passages: tuple[ShownPassage, ...]
    left_out: int


@dataclass(frozen=True)
class ShownQuestion:
    """A question, and what each reader attends to: `top` is the lift of the strongest shade."""

    question: str
    direction: str
    gold: str
    top: str
    readings: tuple[ShownReading, ...]


def shown_questions(readers: Sequence[ReaderExamples]) -> tuple[ShownQuestion, ...]:
    """The first few questions of which prompts were kept, those that most readers have."""
    by_reader = [{prompt.id: prompt for prompt in reader.prompts} for reader in readers]
    kept = list(dict.fromkeys(id_ for prompts in by_reader for id_ in prompts))
    kept.sort(key=lambda id_: -sum(id_ in prompts for prompts in by_reader))
    return tuple(
        _question([(r, prompts[id_]) for r, prompts in zip(readers, by_reader, strict=True) if id_ in prompts])
        for id_ in kept[: min(_N_QUESTIONS, _N_PROMPTS // len(readers))]
    )


def _question(read: Sequence[tuple[ReaderExamples, ShownPrompt]]) -> ShownQuestion:
    lifts = [_lifts(prompt) for _, prompt in read]
    top = max(_MIN_TOP, top_of(np.concatenate(lifts)))
    first = read[0][1]
    return ShownQuestion(
        question=shortened(first.question, _MAX_TEXT),
        direction=direction(first.question),
        gold=shortened(first.gold, _MAX_ANSWER),
        top=f"{top:.2g}",
        readings=tuple(_reading(*one, lift, top) for one, lift in zip(read, lifts, strict=True)),
    )


def _lifts(prompt: ShownPrompt) -> NDArray[np.float64]:
    """Of each token; NaN of those that are of no passage."""
    scores, of_passage = np.array(prompt.scores, np.float64), np.array(prompt.passage) >= 0
    mean = scores[of_passage].mean() if of_passage.any() else 0.0
    return np.where(of_passage, scores / mean if mean > 0 else 0.0, np.nan)


def _reading(reader: ReaderExamples, prompt: ShownPrompt, lifts: NDArray[np.float64], top: float) -> ShownReading:
    passage = np.array(prompt.passage)
    places = list(dict.fromkeys(passage[passage >= 0].tolist()))
    sums = {number: float(lifts[passage == number].sum()) for number in places}
    shown = set(sorted(places, key=lambda number: -sums[number])[:MAX_PASSAGES])
    example = next((one for one in reader.examples if one.id == prompt.id), None)
    total = sum(sums.values())
    return ShownReading(
        reader=reader.reader,
        answer=None if prompt.answer is None else shortened(prompt.answer, _MAX_ANSWER),
        passages=tuple(
            _passage(
                prompt,
                lifts,
                top,
                number=number,
                place=places.index(number) + 1,
                share=sums[number] / total if total > 0 else 0.0,
                holds=_holds(example, number),
                n_tokens=MAX_TOKENS // len(shown),
            )
            for number in sorted(shown)
        ),
        left_out=len(places) - len(shown),
    )


def _holds(example: Example | None, number: int) -> bool | None:
    return example.holds[number] if example and number < len(example.holds) else None


def _passage(
    prompt: ShownPrompt,
    lifts: NDArray[np.float64],
    top: float,
    *,
    number: int,
    place: int,
    share: float,
    holds: bool | None,
    n_tokens: int,
) -> ShownPassage:
    tokens = np.flatnonzero(np.array(prompt.passage) == number)
    near = np.isin(tokens, prompt.near)
    start = _window(near, n_tokens)
    shown = tokens[start : start + n_tokens]
    return ShownPassage(
        number=number + 1,
        place=place,
        share=share,
        holds=holds,
        direction=direction("".join(prompt.pieces[t] for t in tokens.tolist())),
        tokens=tuple(_tokens(prompt, lifts, top, shown)),
        before=start,
        after=len(tokens) - start - len(shown),
    )


def _window(near: NDArray[np.bool_], length: int) -> int:
    """Where a part of so many tokens begins that has the most near ones, in their middle; else at the beginning."""
    if len(near) <= length or not near.any():
        return 0
    until = np.concatenate([[0], np.cumsum(near)])
    found = until[length:] - until[:-length]
    best = np.flatnonzero(found == found.max())
    return int(best[len(best) // 2])


def _tokens(
    prompt: ShownPrompt, lifts: NDArray[np.float64], top: float, shown: NDArray[np.intp]
) -> Iterator[ShownToken]:
    near, before = frozenset(prompt.near), -1
    for t in shown.tolist():
        piece = prompt.pieces[t]
        words = piece.strip()
        # White space alone is shown by its sign; around words it is a space.
        spaced = piece != piece.lstrip() or before != t - 1
        yield ShownToken(visible_piece(words or piece), spaced, shade(float(lifts[t]), top), t in near)
        before = t
