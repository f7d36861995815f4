"""Scores from one tokenizer's tokens onto another's, by the characters they share (METHOD 1.2).

    target[j] = Σ_k score[k] · |chars(k) ∩ chars(j)| / |chars(k)|        after scaling the text's scores to sum 1

The total is kept, and on equal tokens the projection is the identity. One departure: target tokens that share a
character (its bytes) share that character's part evenly, where the formula would give all of it to each. They are
one unit, and on equal tokens its mean score is unchanged.

That keeps totals: it suits shares of attention, and surprisal, whose sum over a text is -log p of the text. Logarithms
and entropies are no shares, and to split a name into three tokens must not make it a third of a clue: of these
`project_mean` takes the mean over the characters that two tokens share.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from elusive.clues.guides import ModelScores, Values
from elusive.tokenization import TokenizedText


def scaled_to_one(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """A text's scores with sum 1; NaN stays NaN."""
    total = np.nansum(scores, dtype=np.float64)
    return (scores / total).astype(np.float32) if total > 0 else scores


def project(scores: NDArray[np.float32], source: TokenizedText, target: TokenizedText) -> NDArray[np.float32]:
    """Spread each source token's score over the target tokens that share its characters.

    Tokens that share a character among themselves (the bytes of one character) share its score evenly.

    Args:
        scores: [source token]; NaN counts as no score.
        source: the tokens that were scored.
        target: the tokens to score.

    Returns:
        [target token]; NaN where no scored source token has a character in common.
    """
    per_char, covered = _per_character(scores / np.maximum(source.ends - source.starts, 1), source, target)
    sharers = np.zeros(len(per_char))
    for start, end in zip(target.starts, target.ends, strict=True):
        sharers[start:end] += 1
    share = np.divide(per_char, sharers, out=np.zeros(len(per_char)), where=sharers > 0)
    return np.array(
        [
            share[start:end].sum() if covered[start:end].any() else np.nan
            for start, end in zip(target.starts, target.ends, strict=True)
        ],
        dtype=np.float32,
    )


def project_mean(scores: NDArray[np.float32], source: TokenizedText, target: TokenizedText) -> NDArray[np.float32]:
    """The mean score of each target token's characters, each having the score of its source token.

    A character of several source tokens (its bytes) has the mean of theirs. On equal tokens that do not share
    characters this is the identity. Arguments and NaN as in `project`.
    """
    totals, covered = _per_character(scores, source, target)
    tokens, _ = _per_character(np.where(np.isnan(scores), np.nan, np.float32(1)), source, target)
    per_char = np.divide(totals, tokens, out=np.zeros(len(totals)), where=tokens > 0)
    return np.array(
        [
            per_char[start:end][covered[start:end]].mean() if covered[start:end].any() else np.nan
            for start, end in zip(target.starts, target.ends, strict=True)
        ],
        dtype=np.float32,
    )


def projected(scores: ModelScores, source: TokenizedText, target: TokenizedText, *, logarithms: bool) -> ModelScores:
    """A model's scores on another tokenizer's tokens.

    Args:
        scores: on the source's tokens.
        source: the tokens that were scored.
        target: the tokens to score.
        logarithms: whether received attention is to be compared by its logarithm, and is no share to be spread.
    """

    def place(values: Values | None, by: Callable[..., Values]) -> Values | None:
        return None if values is None else by(values, source, target)

    return ModelScores(
        received=place(scores.received, _project_geometric if logarithms else project),
        log_received=place(scores.log_received, project_mean),
        surprisal=place(scores.surprisal, project),
        entropy=place(scores.entropy, project_mean),
    )


def _project_geometric(scores: Values, source: TokenizedText, target: TokenizedText) -> Values:
    tiny = np.finfo(np.float32).tiny
    return np.exp(project_mean(np.log(np.maximum(scores, tiny)), source, target))


def _per_character(
    scores: NDArray[np.floating], source: TokenizedText, target: TokenizedText
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Σ of the scores of the source tokens that have a character, and whether any with a score has it."""
    n_chars = int(max(source.ends.max(initial=0), target.ends.max(initial=0)))
    per_char, covered = np.zeros(n_chars), np.zeros(n_chars, dtype=bool)
    for k in np.flatnonzero(~np.isnan(scores)):
        place = slice(source.starts[k], source.ends[k])
        per_char[place] += scores[k]
        covered[place] = True
    return per_char, covered
