"""Invented towns, the passages about them and the questions on them: pure functions of a seeded generator.

A town has one fact of each relation and an article of as many passages, a sentence each under its name. Knows
nothing of tokens or models.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from invented_words import TOWNS
from phrasings import QUESTION_NOUNS, RELATIONS, Relation

N_TOWNS: Final = {"train": 140, "dev": 30, "test": 30}
N_RETRIEVED: Final = 5


@dataclass(frozen=True)
class Passage:
    """One fact, told."""

    title: str
    text: str

    @property
    def whole(self) -> str:
        """Title and text, as encoder and readers are given it."""
        return f"{self.title}\n{self.text}"


@dataclass(frozen=True)
class Question:
    """One fact, asked for."""

    question: str
    answer: str
    nouns: tuple[str, ...]


@dataclass(frozen=True)
class Town:
    """A name and a value for each relation, in the order of its article."""

    name: str
    facts: tuple[tuple[Relation, str], ...]

    @classmethod
    def draw(cls, name: str, rng: random.Random) -> "Town":
        """Values at random; nobody is both founder and mayor, so that each value answers one question."""
        while True:
            values = [rng.choice(relation.values) for relation in RELATIONS]
            if len(set(values)) == len(values):
                break
        facts = list(zip(RELATIONS, values, strict=True))
        rng.shuffle(facts)
        return cls(name, tuple(facts))


def tell(town: Town, relation: Relation, value: str, rng: random.Random) -> Passage:
    """The fact in one of its phrasings."""
    return Passage(town.name, rng.choice(relation.passages).format(v=value))


def ask(town: Town, relation: Relation, value: str, rng: random.Random) -> Question:
    """The question in one of its phrasings."""
    question = rng.choice(relation.questions).format(name=town.name)
    nouns = (word for word in re.findall(r"\w+", question) if word in QUESTION_NOUNS or word == town.name)
    return Question(question, value, tuple(dict.fromkeys(nouns)))


@dataclass(frozen=True)
class KnowledgeBase:
    """All passages, and the questions of each split; the splits have no town in common."""

    passages: tuple[Passage, ...]
    questions: dict[str, tuple[Question, ...]]

    @classmethod
    def draw(cls, seed: int) -> "KnowledgeBase":
        """Each name is one town's, and each fact is told once and asked for once."""
        rng = random.Random(seed)
        towns = [Town.draw(name, rng) for name in rng.sample(TOWNS, sum(N_TOWNS.values()))]
        passages = tuple(tell(town, *fact, rng) for town in towns for fact in town.facts)
        questions, first = {}, 0
        for split, n_towns in N_TOWNS.items():
            asked = [ask(town, *fact, rng) for town in towns[first : first + n_towns] for fact in town.facts]
            rng.shuffle(asked)
            questions[split] = tuple(asked)
            first += n_towns
        return cls(passages, questions)

    @property
    def articles(self) -> list[tuple[Passage, ...]]:
        """The passages by town."""
        n = len(RELATIONS)
        return [self.passages[first : first + n] for first in range(0, len(self.passages), n)]

    def passage_rows(self) -> list[dict[str, Any]]:
        """As shipped, in Atlas's layout."""
        return [_passage_row(number, passage) for number, passage in enumerate(self.passages)]

    def question_rows(self, split: str, retrieved: Sequence[Sequence[tuple[int, float]]]) -> list[dict[str, Any]]:
        """As shipped, in Atlas's layout; `retrieved` are places and scores of each question's passages, best first."""
        return [
            {
                "id": f"{split}-{number:04d}",
                "question": question.question,
                "answers": [question.answer],
                "target": question.answer,
                "nouns": list(question.nouns),
                "passages": [_passage_row(place, self.passages[place]) | {"score": score} for place, score in found],
            }
            for number, (question, found) in enumerate(zip(self.questions[split], retrieved, strict=True))
        ]


def _passage_row(number: int, passage: Passage) -> dict[str, Any]:
    return {"id": f"{number:04d}", "title": passage.title, "text": passage.text}
