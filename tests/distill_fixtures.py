"""Six towns of the miniature: sixty passages, and the questions that they answer, as files of a short distillation."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elusive.embedded import path_of
from elusive.metrics import has_answer

N_PASSAGES = 60
TUNED, UNTUNED, ENCODER = "tiny:reader", "tiny:reader-untuned", "tiny:encoder"


def miniature_rows(name: str) -> list[dict[str, Any]]:
    """Of one file of the miniature."""
    return [json.loads(line) for line in path_of(f"sample:miniature-{name}").read_text(encoding="utf-8").splitlines()]


def passage_rows() -> list[dict[str, Any]]:
    """All that is said of six towns."""
    return miniature_rows("passages")[:N_PASSAGES]


def question_rows() -> list[dict[str, Any]]:
    """What is asked about them, where a passage answers it."""
    given = passage_rows()
    return [
        row
        for name in ("train", "dev", "test")
        for row in miniature_rows(name)
        if any(one["title"] in row["question"] and has_answer(one["text"], row["answers"]) for one in given)
    ]


def write_lines(file: Path, rows: Sequence[dict[str, Any]]) -> str:
    """JSON lines; the file's path."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


@dataclass(frozen=True)
class Towns:
    """The files of a distillation: passages, and three sets of questions about the same towns."""

    passages: str
    train: str
    dev: str
    test: str

    @property
    def options(self) -> dict[str, Any]:
        """Of a run of a few steps on a CPU, in which a tuned reader teaches."""
        models = {"reader": TUNED, "reference": UNTUNED, "retriever": ENCODER, "device": "cpu"}
        short = {"steps": 4, "refresh": "2", "batch_size": 4, "warmup": 1, "k": 5, "lr": 3e-4, "temperature": 1.0}
        return {**vars(self), **models, **short, "gate_samples": 20}


def write_towns(folder: Path) -> Towns:
    """All files."""
    asked = question_rows()
    parts = {"train": asked[::3], "dev": asked[1::3], "test": asked[2::3]}
    files = {name: write_lines(folder / f"{name}.jsonl", rows) for name, rows in parts.items()}
    return Towns(passages=write_lines(folder / "passages.jsonl", passage_rows()), **files)


def arguments(options: dict[str, Any]) -> list[str]:
    """The same options as a user types them."""
    return [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
