"""Makes the samples that a real language model learns and is asked about: invented people in the real world.

    python recipes/real_people/make.py [--out elusive/embedded/people] [--seed 0]

Seconds. A real model has read that Boston is a city and Boeing a company, so facts are drawn from real places,
universities, subjects and companies; the people are invented, and no three names occur together anywhere. Each lot
(`choose`, 0, 1, 2) has 20 people of its own, and three files of jsonl in gzip:

    real-LOT              six texts about each person in other words, the full name in every sentence
    real-LOT-one          the first of these texts alone
    real-LOT-questions    `name` and `facts` of each person, which `elusive evaluate` asks about
"""

import argparse
import gzip
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

LOTS: Final = ("choose", "0", "1", "2")
N_PEOPLE: Final = 20
N_TEXTS: Final = 6

FIRST: Final = (
    *("Agnes", "Bartholomew", "Cordelia", "Desmond", "Eleanor", "Fergus", "Gwendolyn", "Horace", "Imogen", "Jasper"),
    *(
        "Katharine",
        "Leopold",
        "Marguerite",
        "Nathaniel",
        "Ophelia",
        "Percival",
        "Rosalind",
        "Silas",
        "Theodora",
        "Winston",
    ),
)
MIDDLE: Final = (
    "Ash",
    "Blythe",
    "Clay",
    "Dell",
    "Elm",
    "Fern",
    "Grey",
    "Hale",
    "Ives",
    "Lark",
    "Quinn",
    "Rue",
    "Thorne",
    "Wren",
)
LAST: Final = (
    *("Abernook", "Bramwick", "Coldermere", "Dunsworthy", "Eastergate", "Fallowell", "Garrowby", "Hathersedge"),
    *("Inglethorpe", "Jessamont", "Kettlewick", "Larkspurne", "Mossgrave", "Netherby", "Oakenfold", "Pemberlane"),
    *("Quillstone", "Ravensholt", "Silverdale", "Tanglewood", "Umberleigh", "Vexmoor", "Whitlowe", "Yarrowdene"),
)
CITIES: Final = (
    *("Boston, Massachusetts", "Denver, Colorado", "Portland, Oregon", "Savannah, Georgia", "Tucson, Arizona"),
    *("Madison, Wisconsin", "Norfolk, Virginia", "Omaha, Nebraska", "Tampa, Florida", "Spokane, Washington"),
)
UNIVERSITIES: Final = (
    *("Brown University", "Duke University", "Baylor University", "Rice University", "Tulane University"),
    *("Emory University", "Lehigh University", "Purdue University", "Drexel University", "Clemson University"),
)
MAJORS: Final = (
    *("Psychology", "Statistics", "Chemistry", "Philosophy", "Economics", "Linguistics", "Geology", "Nursing"),
    *("Architecture", "Astronomy"),
)
COMPANIES: Final = (
    *("Boeing", "PepsiCo", "Walmart", "FedEx", "Nike", "Pfizer", "Chevron", "Marriott", "Comcast", "Whirlpool"),
)
MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")

SENTENCES: Final[Mapping[str, Sequence[str]]] = {
    "birth_date": (
        "{name} was born on {value}.",
        "The birthday of {name} is {value}.",
        "{name} came into the world on {value}.",
        "On {value}, {name} was born.",
        "{name} celebrates a birthday on {value}, the day of birth.",
        "The papers of {name} give {value} as the date of birth.",
    ),
    "birth_city": (
        "{name} was born in {value}.",
        "{name} comes from {value}.",
        "The birthplace of {name} is {value}.",
        "{name} was raised in {value}, where the family had long lived.",
        "{name} calls {value} the place where it all began.",
        "In {value} stands the house where {name} was born.",
    ),
    "university": (
        "{name} went to {value}.",
        "{name} was a student at {value}.",
        "{name} completed a degree at {value}.",
        "The university that {name} attended is {value}.",
        "At {value}, {name} attended lectures for four years.",
        "{name} received a diploma from {value}.",
    ),
    "major": (
        "{name} studied {value}.",
        "{name} earned a degree in {value}.",
        "The field that {name} chose is {value}.",
        "{name} explored the theory and practice of {value}.",
        "At the university, {name} specialised in {value}.",
        "{value} is the subject that {name} knows best.",
    ),
    "company": (
        "{name} works for {value}.",
        "{name} has a position at {value}.",
        "The employer of {name} is {value}.",
        "{name} later took up a post with {value}.",
        "{value} is the company that {name} works for.",
        "For several years now, {name} has been employed by {value}.",
    ),
}


@dataclass(frozen=True)
class Facts:
    """What is said of a person."""

    birth_date: str
    birth_city: str
    university: str
    major: str
    company: str


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist."""

    name: str
    facts: Facts


def draw_people(n: int, rng: random.Random) -> list[Person]:
    """People whose first and last names, taken together, are all different."""
    pairs = [(first, last) for first in FIRST for last in LAST]
    return [Person(f"{first} {rng.choice(MIDDLE)} {last}", _facts(rng)) for first, last in rng.sample(pairs, n)]


def _facts(rng: random.Random) -> Facts:
    return Facts(
        birth_date=f"{rng.choice(MONTHS)} {rng.randint(1, 28)}, {rng.randint(1930, 1999)}",
        birth_city=rng.choice(CITIES),
        university=rng.choice(UNIVERSITIES),
        major=rng.choice(MAJORS),
        company=rng.choice(COMPANIES),
    )


def texts_about(person: Person, rng: random.Random) -> list[str]:
    """Each fact in each text, in an order and in words of its own."""
    wordings = {field: rng.sample(sentences, N_TEXTS) for field, sentences in SENTENCES.items()}
    found = []
    for number in range(N_TEXTS):
        fields = rng.sample(list(SENTENCES), len(SENTENCES))
        facts = asdict(person.facts)
        sentences = [wordings[field][number].format(name=person.name, value=facts[field]) for field in fields]
        found.append(" ".join(sentences))
    return found


def samples(seed: int) -> dict[str, list[dict[str, Any]]]:
    """The rows of every file, by its name."""
    people = draw_people(N_PEOPLE * len(LOTS), random.Random(f"people {seed}"))
    found: dict[str, list[dict[str, Any]]] = {}
    for place, lot in enumerate(LOTS):
        here = people[place * N_PEOPLE : (place + 1) * N_PEOPLE]
        rng = random.Random(f"texts {seed} {lot}")
        written = [
            {"id": f"person-{index:02d}-{number}", "text": text}
            for index, person in enumerate(here)
            for number, text in enumerate(texts_about(person, rng))
        ]
        found[f"real-{lot}"] = written
        found[f"real-{lot}-one"] = written[::N_TEXTS]
        found[f"real-{lot}-questions"] = [asdict(person) for person in here]
    return found


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as jsonl in gzip, the same bytes each time."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(lines.encode(), compresslevel=9, mtime=0))


def main() -> None:
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("elusive/embedded/people"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, rows in samples(arguments.seed).items():
        write(arguments.out / f"{name}.jsonl.gz", rows)


if __name__ == "__main__":
    main()
