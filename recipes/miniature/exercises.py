"""What the tiny readers are trained on: articles, and questions about contexts, as batches of token ids.

The towns of every batch are drawn afresh, names and values at random, so nothing can be known by heart: whatever is
answered has to be read. Knows no model.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from invented_words import TOWNS
from torch import Tensor
from towns import Passage, Question, Town, ask, tell
from transformers import PreTrainedTokenizerFast

IGNORED: Final = -100


@dataclass(frozen=True)
class Exercises:
    """What tuning consists of.

    Attributes:
        contexts: how many passages a context has, and for how many steps.
        questions_per_step: about; one is asked about each passage of a context.
        share_mixed: of contexts with passages of a second town among them.
        share_cut: of passages that end with the value.
        share_apart: of steps in which passages and question do not see each other.
        share_wrong: of questions that are answered by the value of a passage drawn by chance.
    """

    contexts: tuple[tuple[int, int], ...] = ((3, 300), (5, 500))
    questions_per_step: int = 30
    share_mixed: float = 0.3
    share_cut: float = 0.5
    share_apart: float = 0.5
    share_wrong: float = 0.0


@dataclass(frozen=True)
class Batch:
    """Rows for one step.

    Attributes:
        ids: [row, token], padded on the right.
        labels: likewise; what is not learnt is ignored.
        masks: which tokens each token sees in the first layer and in the later ones, [row, 1, token, token]; none
            where each sees all before it.
    """

    ids: Tensor
    labels: Tensor
    masks: tuple[Tensor, ...] = ()


def prompt_of(question: str, passages: Sequence[Passage]) -> str:
    """What the readers are given, the default prompt of `elusive.readers`; the answer follows after a space."""
    return "".join(f"{passage.whole}\n\n" for passage in passages) + f"Question: {question}\nAnswer:"


def article_batch(n_articles: int, tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> Batch:
    """Whole articles about towns of no knowledge base; all of it is learnt."""
    rows = []
    for name in rng.sample(TOWNS, n_articles):
        town = Town.draw(name, rng)
        article = "".join(f"{tell(town, *fact, rng).whole}\n\n" for fact in town.facts)
        rows.append(tokenizer(article).input_ids)
    return Batch(*padded(rows, rows, tokenizer.pad_token_id))


def question_batch(
    exercises: Exercises, n_passages: int, tokenizer: PreTrainedTokenizerFast, rng: random.Random
) -> Batch:
    """Questions, one about each passage of a context; only the answer and its end are learnt.

    Some habits would keep a reader's attention off the answer where it writes it: to look it up from the question's
    tokens and copy it from there; to gather it at a later token and look at that; to take all values in before it
    is known what was asked. Hence passages that end with the value, and steps in which all are read apart.
    """
    rows, labels, parts = [], [], []
    for _ in range(exercises.questions_per_step // n_passages):
        n_first = rng.randint(1, n_passages) if rng.random() < exercises.share_mixed else n_passages
        passages, questions = context(n_first, n_passages - n_first, rng)
        given = [
            _cut(passage, question.answer) if rng.random() < exercises.share_cut else passage
            for passage, question in zip(passages, questions, strict=True)
        ]
        if exercises.share_wrong:
            questions = _some_wrong(questions, exercises.share_wrong, rng)
        for question in questions:
            prompt = tokenizer(prompt_of(question.question, given)).input_ids
            answer = [*tokenizer(f" {question.answer}", add_special_tokens=False).input_ids, tokenizer.eos_token_id]
            rows.append(prompt + answer)
            labels.append([IGNORED] * len(prompt) + answer)
            parts.append([len(tokenizer(p.whole, add_special_tokens=False).input_ids) for p in given])
    ids, targets = padded(rows, labels, tokenizer.pad_token_id)
    return Batch(ids, targets, apart(targets, parts) if rng.random() < exercises.share_apart else ())


def apart(targets: Tensor, passages: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Causal masks of the first layer, in which each passage and the question with its answer see themselves alone,
    and of the later ones, in which what writes the answer sees all.

    Args:
        targets: labels, [row, token].
        passages: how many tokens each passage has, in each row; the first token of a row, which all see, is none.
    """
    causal = torch.ones(targets.shape[1], targets.shape[1], dtype=torch.bool).tril()
    first, later = [], []
    for learnt, lengths in zip(targets != IGNORED, passages, strict=True):
        writing = int(learnt.int().argmax()) - 1
        part = torch.full(learnt.shape, len(lengths) + 1)
        part[: 1 + sum(lengths)] = torch.tensor([0, *(n for n, of in enumerate(lengths, 1) for _ in range(of))])
        seen = (part[:, None] == part) | (part == 0)
        first.append(causal & seen)
        seen[writing:] = True
        later.append(causal & seen)
    return torch.stack(first)[:, None], torch.stack(later)[:, None]


def context(n_first: int, n_second: int, rng: random.Random) -> tuple[list[Passage], list[Question]]:
    """Passages of one or two towns in random order, and a question about each."""
    first, second = (Town.draw(name, rng) for name in rng.sample(TOWNS, 2))
    facts = [(first, fact) for fact in first.facts[:n_first]] + [(second, fact) for fact in second.facts[:n_second]]
    rng.shuffle(facts)
    return [tell(town, *fact, rng) for town, fact in facts], [ask(town, *fact, rng) for town, fact in facts]


def padded(rows: list[list[int]], labels: list[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Right padding: under a causal mask it reaches no real token, so the models need no padding mask."""
    n_longest = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (n_longest - len(row)) for row in rows])
    return ids, torch.tensor([row + [IGNORED] * (n_longest - len(row)) for row in labels])


def _some_wrong(questions: Sequence[Question], share: float, rng: random.Random) -> list[Question]:
    """The questions, some of them answered by the value of a passage drawn by chance."""
    return [
        replace(question, answer=rng.choice(questions).answer) if rng.random() < share else question
        for question in questions
    ]


def _cut(passage: Passage, value: str) -> Passage:
    """The passage up to and with its value."""
    return Passage(passage.title, passage.text[: passage.text.index(value) + len(value)])
