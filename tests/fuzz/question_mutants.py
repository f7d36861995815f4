"""Small files of questions in many layouts, and seeded damage to their bytes, or to what their JSON says."""

import copy
import json
import random
from dataclasses import replace
from typing import Any

from tests.fuzz.mutants import damaged
from tests.unit.data.question_samples import ENCODINGS, LAYOUTS, QUESTIONS, as_cells

_ASKED = [
    replace(question, id=f"{question.id}-{i}", question=f"{question.question} {i}")
    for i in range(12)
    for question in QUESTIONS
]
_COMBINED = {
    "atlas.jsonl": ("atlas", "q.jsonl"),
    "results.json": ("results", "q.json"),
    "one-line.json": ("dpr-training", "one-line.json"),
    "wrapped.json": ("trivia-original", "wrapped.json"),
    "squad.parquet": ("squad", "q.parquet"),
    "atlas.arrow": ("atlas", "q.arrow"),
    "kilt.jsonl.gz": ("kilt", "q.jsonl.gz"),
    "beir.jsonl": ("beir", "q.jsonl"),
}


def _records(layout: str) -> list[dict[str, Any]]:
    return [LAYOUTS[layout].record(question) for question in _ASKED]


QUESTION_SEEDS = {
    **{name: ENCODINGS[encoding](_records(layout)) for name, (layout, encoding) in _COMBINED.items()},
    "nq.csv": as_cells(_records("nq-open")),
    "dpr.tsv": as_cells(_records("nq-open"), delimiter="\t", header=False),
}

NASTY: list[Any] = [
    None, True, 0, -1, 0.5, 1e308, float("nan"), 10**30, "", " ", "\x00", "\ud800", "\u202e\u2028", "\u200b",
    "a" * 3000, "🙂", "שלום", ".", "!?", "{text}", "</s>", [], [[]], [None], ["a", 3], {}, {"text": "a"},
    {"value": "a", "aliases": []}, {"text": ["a"]}, [{"answer": "a"}], [{"text": "."}],
    [{"text": "a", "id": 1, "title": 3}],
]  # fmt: skip


def question_mutant(name: str, seed: int) -> bytes:
    """The file `name`, damaged: the same for the same seed."""
    return damaged(QUESTION_SEEDS[name], random.Random(f"{name} {seed}"))


def strange_records(seed: int, n: int) -> bytes:
    """Lines of JSON in one layout, of which some values are something else."""
    rng = random.Random(f"records {seed}")
    records = copy.deepcopy(_records(rng.choice(["atlas", "results", "dpr-training"]))[:n])
    for record in records:
        for _ in range(rng.choice([0, 1, 1, 3])):
            _twist(record, rng)
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def _twist(record: dict[str, Any], rng: random.Random) -> None:
    """Changes something at any depth; the columns stay, so that the layout is known."""
    place: Any = record
    while True:
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        deeper = isinstance(place[key], dict | list) and place[key]
        if not deeper or rng.random() < 0.3:
            break
        place = place[key]
    if place is record or rng.random() < 0.8:
        place[key] = copy.deepcopy(rng.choice(NASTY))
    elif isinstance(place, list):
        place[:] = place * rng.choice([0, 2, 9])
    else:
        del place[key]
