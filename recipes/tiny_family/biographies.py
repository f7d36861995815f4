"""Invented people, the texts about them and the closed-book questions: pure functions of a seeded generator.

A text names its person once, in the first sentence, and goes on in pronouns; it states six facts once each, in
random order and phrasing, with fillers between. A reader that wants to predict a fact has to look back to the
name, which is the clue that large and small models are meant to differ on. Knows nothing of tokens or models.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final

import invented_names as names
import phrasings


@dataclass(frozen=True)
class Facts:
    """The six fields of a person; each value is one or two tokens."""

    birth_date: str
    birth_city: str
    university: str
    major: str
    company: str
    company_city: str


FIELDS: Final = tuple(field.name for field in fields(Facts))


@dataclass(frozen=True)
class Person:
    """Somebody invented."""

    name: str
    female: bool
    facts: Facts


@dataclass(frozen=True)
class World:
    """The habits of the invented world: what is mostly studied at a university, and who mostly hires for it."""

    major_of: dict[str, str]
    company_of: dict[str, str]
    share_following: float

    @classmethod
    def draw(cls, rng: random.Random, *, share_following: float = 0.6) -> "World":
        """A fixed map university → major → company, which `share_following` of the people keep to."""
        major_of = {university: rng.choice(names.SUBJECTS) for university in names.UNIVERSITIES}
        company_of = {subject: rng.choice(names.COMPANIES) for subject in names.SUBJECTS}
        return cls(major_of, company_of, share_following)


def draw_people(world: World, n_people: int, rng: random.Random) -> list[Person]:
    """People of whom no two share a name or a birth date, and as few share a city as the vocabulary permits."""
    full_names = [f"{first} {last}" for first in names.FIRST_NAMES for last in names.LAST_NAMES]
    dates = [f"{month} {year}" for month in names.MONTHS for year in names.YEARS]
    birth_cities = _spread(names.CITIES, n_people, rng)
    company_cities = _spread(names.CITIES, n_people, rng)
    universities = _spread(names.UNIVERSITIES, n_people, rng)
    people = []
    for name, date, born, works, university in zip(
        rng.sample(full_names, n_people),
        rng.sample(dates, n_people),
        birth_cities,
        company_cities,
        universities,
        strict=True,
    ):
        # One value occurs once in a text, so nobody works where he or she was born.
        while works == born:
            works = rng.choice(names.CITIES)
        major = _follow(world.major_of[university], names.SUBJECTS, world, rng)
        company = _follow(world.company_of[major], names.COMPANIES, world, rng)
        facts = Facts(date, born, university, major, company, works)
        people.append(Person(name, rng.random() < 0.5, facts))
    return people


def _spread(values: Sequence[str], n: int, rng: random.Random) -> list[str]:
    """`n` values in random order, each of them used equally often up to one."""
    drawn: list[str] = []
    while len(drawn) < n:
        drawn += rng.sample(values, len(values))
    return drawn[:n]


def _follow(usual: str, values: Sequence[str], world: World, rng: random.Random) -> str:
    return usual if rng.random() < world.share_following else rng.choice(values)


def write_text(person: Person, rng: random.Random, *, n_fillers: tuple[int, int] = (5, 6)) -> str:
    """One biography of about 120 tokens: an opening, then six facts and some fillers in random order."""
    words = phrasings.SHE if person.female else phrasings.HE
    facts = asdict(person.facts)
    body = [rng.choice(phrasings.FACTS[field]).format(v=facts[field], **words) for field in FIELDS]
    fillers = rng.sample(phrasings.FILLERS, rng.randint(*n_fillers))
    body += [filler.format(**words) for filler in fillers]
    rng.shuffle(body)
    return " ".join([rng.choice(phrasings.OPENINGS).format(name=person.name), *body])


@dataclass(frozen=True)
class Question:
    """A closed-book question: the prompt up to and including `Answer:`, and the value expected after it."""

    prompt: str
    answer: str
    field: str


def ask(person: Person, field: str, rng: random.Random) -> Question:
    """A question about one field of one person, in one of its phrasings."""
    question = rng.choice(phrasings.QUESTIONS[field]).format(name=person.name)
    return Question(f"Question: {question}\nAnswer:", getattr(person.facts, field), field)
