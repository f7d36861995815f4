"""Makes the samples that `tiny-biographies` learns and asks: new people for `tiny:large`, and what it knows already.

    python recipes/tiny_family/people.py [--out elusive/embedded/people] [--seed 0]

Seconds. Each file is jsonl in gzip, rows `id` and `text`, names and values in inline tags (`<name>…</name>`):

    choose, 0, 1, 2   80 people each, whom no model has met; of one world with those whom `tiny:large` was trained on
    N-short           the same people, six facts and no fillers
    N-rewritten       the texts of N, and each person written about three times more
    known             120 people whose texts `tiny:large` was trained on, and who were not asked about; new texts
    replay            one text about each of the 600 that it was trained on, and 600 of their questions, without tags
"""

import argparse
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from biographies import FIELDS, Facts, Person, World, ask, draw_people, write_text
from make import Cast

HERE: Final = Path(__file__).resolve().parent
LOTS: Final = ("choose", "0", "1", "2")
N_PEOPLE: Final = 80
N_REWRITTEN: Final = 3
_DRAWN: Final = 400
"""Of whom those whose names are taken are left out."""

Row = dict[str, str]


def tagged(person: Person) -> Person:
    """The same person with tags around name and values, as templates then print them."""
    facts = Facts(**{field: _in_tag(field, value) for field, value in asdict(person.facts).items()})
    return replace(person, name=_in_tag("name", person.name), facts=facts)


def _in_tag(tag: str, value: str) -> str:
    return f"<{tag}>{value}</{tag}>"


def new_people(cast: Cast, seed: int) -> dict[str, list[Person]]:
    """Lots of people who share no name with each other or with the cast, in the world of the cast."""
    world = World.draw(random.Random(seed))
    taken = {person.name for person in [*cast.trained.people, *cast.sampled]}
    drawn = draw_people(world, _DRAWN, random.Random(f"new people {seed}"))
    people = [person for person in drawn if person.name not in taken]
    return {lot: people[i * N_PEOPLE : (i + 1) * N_PEOPLE] for i, lot in enumerate(LOTS)}


def texts(people: Sequence[Person], rng: random.Random, *, n_fillers: tuple[int, int] = (5, 6)) -> list[Row]:
    """One tagged text about each."""
    return [
        {"id": f"person-{index:03d}", "text": write_text(tagged(person), rng, n_fillers=n_fillers)}
        for index, person in enumerate(people)
    ]


def files(seed: int) -> Iterator[tuple[str, list[Row]]]:
    """Name and rows of every file."""
    cast = Cast.draw(seed)
    for lot, people in new_people(cast, seed).items():
        rng = random.Random(f"texts {seed} {lot}")
        once = texts(people, rng)
        yield lot, once
        if lot != "choose":
            yield f"{lot}-short", texts(people, rng, n_fillers=(0, 0))
            again = [
                {"id": f"{row['id']}-{n}", "text": row["text"]}
                for n in range(1, N_REWRITTEN + 1)
                for row in texts(people, rng)
            ]
            yield f"{lot}-rewritten", once + again
    rng = random.Random(f"known {seed}")
    yield "known", texts(cast.trained.unquestioned, rng)
    yield "replay", replay(cast, rng)


def replay(cast: Cast, rng: random.Random) -> list[Row]:
    """What `tiny:large` was trained on, texts and questions, a row each."""
    people = cast.trained.people
    written = [write_text(person, rng) for person in people]
    asked = [ask(person, field, rng) for person in people[: cast.trained.n_questioned] for field in FIELDS]
    written += [f"{question.prompt} {question.answer}\n" for question in rng.sample(asked, len(people))]
    return [{"id": f"replay-{index:04d}", "text": text} for index, text in enumerate(written)]


def write(path: Path, rows: Sequence[Row]) -> None:
    """A file whose bytes depend on the rows alone."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(lines.encode(), compresslevel=9, mtime=0))


def main() -> None:
    """Writes all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "elusive" / "embedded" / "people")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name, rows in files(arguments.seed):
        write(arguments.out / f"{name}.jsonl.gz", rows)


if __name__ == "__main__":
    main()
