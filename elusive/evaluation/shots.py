"""The examples that stand before a closed-book question: of other people, on the same field.

Which ones depends on the seed, the question's id and the examples alone: not on the model, nor on what else is asked,
so that models and arms see the same prompts. Memory is the examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from elusive.data.questions import normalised_question
from elusive.errors import InputError
from elusive.evaluation.biographies import FieldQuestion


@dataclass(frozen=True, slots=True)
class Shot:
    """A question with the answer that is shown."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class _Example:
    group: str
    normalised: str
    shot: Shot


class ShotDraw:
    """Draws shots.

    Args:
        examples: what is drawn from, each with an answer.
        n: shots of a question.
        seed: of all draws.
        source: what messages call the examples.
    """

    def __init__(self, examples: Sequence[FieldQuestion], *, n: int, seed: int, source: str) -> None:
        self._n, self._seed, self._source = n, seed, source
        self._pools: dict[str | None, list[_Example]] = {None: []}
        for one in examples if n else ():
            question = one.question
            shot = Shot(question.question, str(question.target_answer))
            example = _Example(one.group, normalised_question(question.question), shot)
            for field in {one.field, None}:
                self._pools.setdefault(field, []).append(example)

    def of(self, asked: FieldQuestion) -> tuple[Shot, ...]:
        """The shots of a question; never of whom it is about, and never the question itself.

        Raises:
            InputError: there are too few.
        """
        pool = self._pool(asked.field)
        own = normalised_question(asked.question.question)
        draw = Random(f"{self._seed}\0{asked.question.id}")
        seen: set[int] = set()
        shots: list[Shot] = []
        while len(shots) < self._n:
            if len(seen) == len(pool):
                examples = "1 example" if len(shots) == 1 else f"{len(shots)} examples"
                raise InputError(
                    f"{self._source} has {examples} for question {asked.question.id!r}, and --shots asks for "
                    f"{self._n}; lower it, or name other --examples"
                )
            place = draw.randrange(len(pool))
            if place not in seen and pool[place].group != asked.group and pool[place].normalised != own:
                shots.append(pool[place].shot)
            seen.add(place)
        return tuple(shots)

    def _pool(self, field: str | None) -> list[_Example]:
        """Examples on the same field; all of them where they have no fields."""
        return self._pools[None] if self._pools.keys() == {None} else self._pools.get(field, [])
