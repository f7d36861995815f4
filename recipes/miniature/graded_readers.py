"""Readers of graded quality: the miniature's reader kept at several steps of its tuning, in five lines of training.

    python recipes/miniature/graded_readers.py --out /tmp/graded [LINE ...]

Each line has a seed of its own, so it begins with an untuned reader of its own (step 0), and differs from the shipped
recipe in what `LINES` says. A reader is an ordinary model folder, `LINE/step-N`. Two CPU minutes a line; a line whose
last reader lies there is not trained again.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
import word_tokenizers
from make import save
from reader import CONTEXT, READER, train_untuned, tune


@dataclass(frozen=True)
class Line:
    """One training run.

    Attributes:
        seed: of weights, articles and questions.
        changed: fields of `Exercises` that are not the shipped recipe's.
        steps: at which its reader is kept.
    """

    seed: int
    changed: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[int, ...] = (200, 300, 800)


LINES: Final[Mapping[str, Line]] = {
    "shipped-0": Line(0, steps=(150, 200, 300, 800)),
    "shipped-1": Line(1),
    "never-apart": Line(2, {"share_apart": 0.0}),
    "never-cut": Line(3, {"share_cut": 0.0}),
    "half-wrong": Line(4, {"share_wrong": 0.5}),
}


def train(line: Line, folder: Path) -> None:
    """All readers of a line, each written as soon as it is there."""
    recipe = replace(READER, exercises=replace(READER.exercises, **line.changed))
    tokenizer = word_tokenizers.reader_tokenizer(CONTEXT)
    model = train_untuned(recipe, tokenizer, seed=line.seed)
    save(folder / "step-0", model, tokenizer)

    def keep(step: int) -> None:
        if step in line.steps:
            save(folder / f"step-{step}", model, tokenizer)

    tune(model, recipe, tokenizer, seed=line.seed, after_step=keep)


def main() -> None:
    """Train the lines that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="*", metavar="LINE", choices=[*LINES, []], help=", ".join(LINES))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.lines or LINES:
        folder = arguments.out / name
        if not (folder / f"step-{LINES[name].steps[-1]}" / "model.safetensors").exists():
            train(LINES[name], folder)


if __name__ == "__main__":
    main()
