"""What was measured: figures of answers, of retrieval and of other texts; every interval is drawn over groups."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import TypeAdapter

from elusive.evaluation.biographies import FieldQuestion
from elusive.evaluation.judged import measures_of, relevant_of
from elusive.metrics import exact_match, f1, has_answer, hit_at
from elusive.statistics import Estimate, over_groups, over_sums

if TYPE_CHECKING:  # it brings torch, which a comparison of answers does without
    from elusive.evaluation.perplexity import TextLikelihood

ANSWERS: Final = "answers.jsonl"
"""The file of an evaluation that has an `Answer` in each line."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One question and what was made of it, as `answers.jsonl` has it.

    Attributes:
        id, group, field, question, answers: of the question.
        prediction: what the model wrote; None where no model was asked.
        em, f1: of the prediction.
        hits: by k, whether one of the first k passages holds an answer, or is judged relevant where passages are
            judged; None where nothing was retrieved.
        measures: of the ranking, where passages are judged (`elusive.evaluation.judged`); None elsewhere.
    """

    id: str
    group: str
    field: str | None
    question: str
    answers: tuple[str, ...]
    prediction: str | None
    em: float | None
    f1: float | None
    hits: Mapping[str, bool] | None = None
    measures: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Exact match and F1 of some answers."""

    exact_match: Estimate
    f1: Estimate


@dataclass(frozen=True, kw_only=True)
class Forgetting:
    """How unlikely a model finds other texts, all their tokens together; intervals are over texts.

    Attributes:
        perplexity: exp of `nll_per_token`.
        nll_per_token, nll_per_char: -log p, in nats; the latter alone compares models of different tokenizers.
        tokens, chars, texts: how many.
    """

    perplexity: float
    nll_per_token: Estimate
    nll_per_char: Estimate
    tokens: int
    chars: int
    texts: int


def marked(asked: FieldQuestion, *, prediction: str | None, cuts: Sequence[int]) -> Answer:
    """A question with what was predicted and found; its passages are what was found, best first."""
    question, relevance = asked.question, asked.relevance
    if relevance is None:
        holds = [has_answer(passage.text, question.answers) for passage in question.passages]
    else:
        holds = relevant_of(question.passages, relevance)
    return Answer(
        id=question.id,
        group=asked.group,
        field=asked.field,
        question=question.question,
        answers=question.answers,
        prediction=prediction,
        em=None if prediction is None else exact_match(prediction, question.answers),
        f1=None if prediction is None else f1(prediction, question.answers),
        hits={str(k): bool(hit_at(k, holds)) for k in cuts} if cuts else None,
        measures=None if relevance is None else measures_of(question.passages, relevance, cuts=cuts),
    )


def answer_lines(answers: Iterable[Answer]) -> str:
    """The content of `answers.jsonl`: hits and measures only where something was retrieved, and judged."""
    rows = (asdict(answer) for answer in answers)
    optional = ("hits", "measures")
    kept = ({name: value for name, value in row.items() if value is not None or name not in optional} for row in rows)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept)


def read_answers(file: Path) -> tuple[Answer, ...]:
    """The answers of such a file.

    Raises:
        OSError: it cannot be read.
        ValueError: a row is no answer.
    """
    answer = TypeAdapter(Answer)
    with file.open(encoding="utf-8") as lines:
        return tuple(answer.validate_json(line) for line in lines)


def scores(answers: Sequence[Answer], *, seed: int) -> Scores | None:
    """Of all answers; None where no model was asked."""
    if any(answer.em is None or answer.f1 is None for answer in answers):
        return None
    groups = [answer.group for answer in answers]
    return Scores(
        exact_match=over_groups([float(answer.em or 0) for answer in answers], groups, seed=seed),
        f1=over_groups([float(answer.f1 or 0) for answer in answers], groups, seed=seed),
    )


def scores_by_field(answers: Sequence[Answer], *, seed: int) -> dict[str, Scores]:
    """Of the answers on each field, in the order in which fields first come."""
    fields = dict.fromkeys(answer.field for answer in answers if answer.field is not None)
    found = {field: scores([a for a in answers if a.field == field], seed=seed) for field in fields}
    return {field: one for field, one in found.items() if one is not None}


def retrieval_rates(answers: Sequence[Answer], *, cuts: Sequence[int], seed: int) -> dict[str, Estimate]:
    """HR@k by name, and where passages are judged the measures of the rankings."""
    values = {f"HR@{k}": [float((answer.hits or {})[str(k)]) for answer in answers] for k in cuts}
    of_all = [answer.measures for answer in answers if answer.measures is not None]
    if len(of_all) == len(answers):
        values |= {name: [measures[name] for measures in of_all] for name in of_all[0]}
    groups = [answer.group for answer in answers]
    return {name: over_groups(found, groups, seed=seed) for name, found in values.items()}


def forgetting(texts: "Sequence[TextLikelihood]", *, seed: int) -> Forgetting:
    """Of some texts together."""
    nll = np.array([text.nll for text in texts])
    tokens, chars = (np.array([getattr(text, name) for text in texts]) for name in ("n_tokens", "n_chars"))
    per_token, per_char = over_sums(nll, tokens, seed=seed), over_sums(nll, chars, seed=seed)
    assert per_token.mean is not None, "a corpus has a text"
    return Forgetting(
        perplexity=exp(per_token.mean),
        nll_per_token=per_token,
        nll_per_char=per_char,
        tokens=int(tokens.sum()),
        chars=int(chars.sum()),
        texts=len(texts),
    )
