"""Folders as evaluate, pretrain and augment leave them, without a model: answers with a known share of right ones."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elusive.data.run_folder import open_run
from elusive.data.sealed import write_sealed

FIELDS = ("city", "employer", "born")

Row = dict[str, Any]


def finished_run(folder: Path, options: Mapping[str, Any], result: Mapping[str, Any], *, answers: str = "") -> Path:
    """A finished run of any job; with `answers`, these in their file, sealed."""
    with open_run(folder, options, products=("answers.jsonl",)) as run:
        if answers:
            (folder / "answers.jsonl").write_text(answers, encoding="utf-8")
            parts = run.work / "parts"
            parts.mkdir(parents=True)
            write_sealed(parts / "products.json", {}, files=[folder / "answers.jsonl"])
        run.finish({"result": dict(result)})
    return folder


def asked(n_people: int, is_right: Callable[[int, str], float], *, seed: int) -> list[Row]:
    """The rows of `n_people` people of a seed, a question for each field."""
    return [
        {
            "id": f"{seed}-{person}-{field}",
            "group": f"{seed}-{person}",
            "field": field,
            "question": f"What is the {field} of person {seed}-{person}?",
            "answers": ["Orsk"],
            "prediction": "Orsk" if is_right(person, field) else "Lisk",
            "em": float(is_right(person, field)),
            "f1": float(is_right(person, field)),
        }
        for person in range(n_people)
        for field in FIELDS
    ]


def evaluation(
    folder: Path, rows: Iterable[Row], *, perplexities: Mapping[str, float] | None = None, **options: Any
) -> Path:
    """A finished folder of `elusive evaluate`."""
    rows = list(rows)
    return finished_run(
        folder,
        {"model": "tiny:large", "adapter": None, "shots": 5, **options},
        {
            "questions": len(rows),
            "forgetting": {name: {"perplexity": value} for name, value in (perplexities or {}).items()},
        },
        answers="".join(json.dumps(row) + "\n" for row in rows),
    )


def trained(root: Path, name: str, *, steps: int, drop_rate: float | None, seed: int = 0, **augment: Any) -> Path:
    """A finished folder of `elusive pretrain`, on one of augment where there is a drop rate; its adapter."""
    data = root / f"{name}-data"
    if drop_rate is None:
        data.mkdir(parents=True)
    else:
        finished_run(
            data, {"corpus": f"people-{seed}", "seed": seed, **augment}, {"drop_rate": {"realised": drop_rate}}
        )
    folder = root / f"{name}-trained"
    finished_run(folder, {"data": str(data), "model": "tiny:large", "seed": seed, "lr": 1e-3}, {"steps": steps})
    (folder / "adapter").mkdir()
    return folder / "adapter"


def experiment(
    root: Path,
    rates: Mapping[str, float],
    *,
    n_seeds: int = 3,
    n_people: int = 40,
    steps: Mapping[str, int] | None = None,
    drop_rates: Mapping[str, float | None] | None = None,
    augment: Mapping[str, Mapping[str, Any]] | None = None,
    perplexities: Mapping[str, float] | None = None,
) -> dict[str, str]:
    """Arms that know so large a share of the facts; patterns of their folders by name.

    What makes a fact hard is the same in every arm, so that a higher rate knows all that a lower one knows.
    """
    for seed in range(n_seeds):
        hardness = np.random.default_rng(seed).random((n_people, len(FIELDS)))
        for name, rate in rates.items():

            def is_right(person: int, field: str, *, rate: float = rate, hard: Any = hardness) -> float:
                return float(hard[person, FIELDS.index(field)] < rate)

            options: dict[str, Any] = {}
            if steps and name in steps:
                adapter = trained(
                    root / "runs",
                    f"{name}-{seed}",
                    steps=steps[name],
                    drop_rate=(drop_rates or {}).get(name),
                    seed=seed,
                    **(augment or {}).get(name, {}),
                )
                options["adapter"] = str(adapter)
            evaluation(
                root / "arms" / f"{name}-{seed}",
                asked(n_people, is_right, seed=seed),
                perplexities=perplexities,
                **options,
            )
    return {name: str(root / "arms" / f"{name}-[0-9]") for name in rates}


def patterns(arms: Mapping[str, str]) -> Sequence[str]:
    """Arms as flags of the command line."""
    return [word for name, pattern in arms.items() for word in ("--arm", f"{name}={pattern}")]
