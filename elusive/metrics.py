"""What answers and rankings are measured by: exact match, F1, hits, reciprocal rank, nDCG.

Pure functions of strings and ranks, in the definitions that published figures use: answers as SQuAD compares
them, hits as DPR counts them, on tokens and not on substrings ("Art" is not in "party"). Both take what stands between
spaces for a word, which in Chinese, Japanese or Thai is a sentence: there each character is a word, as in the
evaluations of these languages. Text in other scripts is measured as published.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log2
from typing import Final

from elusive.unspaced import is_unspaced, spaced_out

_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


def normalised_answer(answer: str) -> str:
    """An answer as SQuAD compares it: lower case, without ASCII punctuation, articles and extra spaces."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answers: Iterable[str]) -> float:
    """1.0 where the prediction is one of the answers, as SQuAD compares them."""
    return float(_answer_words(prediction) in [_answer_words(answer) for answer in answers])


def f1(prediction: str, answers: Iterable[str]) -> float:
    """The best harmonic mean of precision and recall over the words of any answer, as SQuAD counts them.

    Where one side has no words left, it is 1 if neither has, else 0 (SQuAD 2.0).
    """
    return max((_f1(_answer_words(prediction), _answer_words(answer)) for answer in answers), default=0.0)


def _answer_words(answer: str) -> list[str]:
    """The words of an answer; in a script without spaces its characters, without punctuation of any script."""
    if is_unspaced(answer):
        composed = unicodedata.normalize("NFC", answer)
        answer = spaced_out("".join(c for c in composed if unicodedata.category(c)[0] != "P"))
    return normalised_answer(answer).split()


def _f1(predicted: Sequence[str], expected: Sequence[str]) -> float:
    if not predicted or not expected:
        return float(predicted == expected)
    shared = sum((Counter(predicted) & Counter(expected)).values())
    return 2 * shared / (len(predicted) + len(expected))


def answer_tokens(text: str) -> tuple[str, ...]:
    """A text as DPR compares it: lower case, decomposed, in runs of letters, digits and marks, or single other signs.

    Spaces and control characters separate, and so does each letter of a script without spaces: with the marks on it,
    it is a token. So whatever DPR's own tokens find there is found, and what stands within a sentence besides.
    """
    tokens: list[str] = []
    inside_word = False
    for character in spaced_out(unicodedata.normalize("NFD", text)):
        kind = unicodedata.category(character)[0]
        is_word = kind in "LNM"
        if is_word and inside_word:
            tokens[-1] += character
        elif kind not in "ZC":
            tokens.append(character)
        inside_word = is_word
    return tuple(token.lower() for token in tokens)


def has_answer(passage: str, answers: Iterable[str]) -> bool:
    """Whether any answer's tokens stand in the passage, one after the other (DPR).

    An answer without tokens is in no passage; DPR's own loop finds it in every one.
    """
    haystack = _joined(answer_tokens(passage))
    return any(_joined(tokens) in haystack for answer in answers if (tokens := answer_tokens(answer)))


def _joined(tokens: tuple[str, ...]) -> str:
    """Tokens between separators that no token holds, so that a search for a run of them is one for a substring."""
    return "\0" + "\0".join(tokens) + "\0"


def hit_at(k: int, relevant: Sequence[bool]) -> float:
    """1.0 where one of the first k results is relevant (HR@k; recall@k in the papers on retrieval for readers)."""
    return float(any(relevant[:k]))


def recall_at(k: int, relevant: Sequence[bool], *, n_relevant: int) -> float:
    """The share of all relevant passages that is among the first k results; 0 where there are none, as in trec_eval.

    Args:
        k: how many results count.
        relevant: of the results, in their order.
        n_relevant: how many relevant ones there are, found or not.
    """
    return sum(relevant[:k]) / n_relevant if n_relevant else 0.0


def reciprocal_rank(relevant: Sequence[bool]) -> float:
    """1 / rank of the first relevant result, counted from 1; 0 where there is none."""
    return next((1 / rank for rank, hit in enumerate(relevant, 1) if hit), 0.0)


def ndcg_at(k: int, gains: Sequence[float], *, all_gains: Sequence[float] | None = None) -> float:
    """Discounted gain of the first k results, of the best that could be (linear gains, discount log2(rank + 1)).

    Args:
        k: how many results count.
        gains: of the results, in their order.
        all_gains: of all that could have been found; the results themselves unless told.

    Returns:
        0 where nothing could have been gained.
    """
    best = _discounted(sorted(gains if all_gains is None else all_gains, reverse=True)[:k])
    return _discounted(gains[:k]) / best if best else 0.0


def _discounted(gains: Iterable[float]) -> float:
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, 1))
