"""The shape of the paper's Tables 1 and 2, from what `elusive recipes run tiny-rag` left in its folder.

    python benchmarks/tiny_rag.py RUN_FOLDER --out benchmarks/results/tiny_rag.json
    python benchmarks/tiny_rag.py RUN_FOLDER --check

Table 1: HR@1, @5, @20 of the retriever, exact match and F1 of a reader given its first five passages, on test. A figure
is the mean over seeds of each question, and its 95 % interval draws questions again: paired where two arms are
compared, and each question with all its seeds. The seeds by themselves stand beside it; that there are three of them
is in no interval. `end` is HR@5 on dev of the last retriever, which nothing was chosen by, seed by seed.

Table 2: the indicators of the readers, on dev, with the passages of the initial retriever.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from agreement import add_choices, written_or_compared
from numpy.typing import NDArray
from scoring import machine

from elusive.statistics import over_examples, paired_difference

COMMITTED: Final = Path(__file__).resolve().parent / "results" / "tiny_rag.json"
SEEDS: Final = (0, 1, 2)
HITS: Final = ("HR@1", "HR@5", "HR@20")
FIGURES: Final = (*HITS, "EM", "F1")
INDICATORS: Final = (
    ("answer", "lift", "p95"),
    ("answer", "spearman", "p95"),
    ("question", "lift", "p90"),
    ("question", "spearman", "p90"),
)


@dataclass(frozen=True)
class Arm:
    """A row of Table 1.

    Attributes:
        name: what the table calls it.
        answers: folder of `elusive evaluate`, with `{seed}` where there are several.
        run: folder of `elusive distill`, likewise; None where nothing was trained.
    """

    name: str
    answers: str
    run: str | None = None

    @property
    def seeds(self) -> Sequence[int]:
        """Of its runs."""
        return SEEDS if "{seed}" in self.answers else SEEDS[:1]


INITIAL, FINE_TUNED = "initial retriever", "fine-tuned, step 2"
ARMS: Final = (
    Arm(INITIAL, "initial"),
    Arm("initial retriever, reader not tuned", "initial-untuned"),
    Arm("off-the-shelf, its own reader", "off-the-shelf-own-{seed}", "off-the-shelf-{seed}"),
    Arm("off-the-shelf", "off-the-shelf-{seed}", "off-the-shelf-{seed}"),
    Arm(FINE_TUNED, "attention-0.1-{seed}", "attention-0.1-{seed}"),
    Arm("fine-tuned, step 2, no trust region", "attention-0-{seed}", "attention-0-{seed}"),
    Arm("perplexity", "perplexity-{seed}", "perplexity-{seed}"),
)


def collected(folder: Path) -> dict[str, Any]:
    """Both tables."""
    answers = {
        arm.name: [answers_of(folder / "answers" / arm.answers.format(seed=s)) for s in arm.seeds] for arm in ARMS
    }
    return {
        "table 1": [row_of(arm, answers, folder / "runs") for arm in ARMS],
        "table 2": readers_of(folder / "readers"),
    }


def answers_of(folder: Path) -> dict[str, dict[str, float]]:
    """The figures of each question, by its id."""
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    return {
        row["id"]: {f"HR@{k}": float(hit) for k, hit in row["hits"].items()} | {"EM": row["em"], "F1": row["f1"]}
        for row in rows
    }


def row_of(arm: Arm, answers: Mapping[str, Sequence[Mapping[str, Any]]], runs: Path) -> dict[str, Any]:
    """A row of Table 1, also as differences to the initial retriever and to the fine-tuned one."""
    questions = list(answers[INITIAL][0])
    row: dict[str, Any] = {"name": arm.name}
    for figure in FIGURES:
        by_seed = seeds_of(answers[arm.name], questions, figure)
        row[figure] = asdict(over_examples(by_seed.mean(0))) | {"seeds": by_seed.mean(1).tolist()}
        for column, other in (("over initial", INITIAL), ("over fine-tuned", FINE_TUNED)):
            theirs = seeds_of(answers[other], questions, figure)
            row.setdefault(column, {})[figure] = asdict(paired_difference(by_seed.mean(0), theirs.mean(0)))
    return row | (ends_of(arm, runs) if arm.run else {})


def seeds_of(answers: Sequence[Mapping[str, Any]], questions: Sequence[str], figure: str) -> NDArray[np.float64]:
    """A figure, [seed, question].

    Raises:
        ValueError: other questions than those of the initial retriever.
    """
    if any(one.keys() != set(questions) for one in answers):
        raise ValueError("the runs were not asked the same questions; make the folder anew")
    return np.array([[one[question][figure] for question in questions] for one in answers])


def ends_of(arm: Arm, runs: Path) -> dict[str, Any]:
    """How the training of an arm ended, seed by seed."""
    results = [json.loads((runs / str(arm.run).format(seed=s) / "run.json").read_text())["result"] for s in arm.seeds]
    return {
        "end": [result["hr"]["5"]["end"] for result in results],
        "best step": [result["best_step"] for result in results],
        "steps": [result["steps"] for result in results],
        "verdict": [result["gate"]["word"] for result in results],
        "train seconds": [round(result["seconds"]["train"], 1) for result in results],
    }


def readers_of(folder: Path) -> list[dict[str, Any]]:
    """Table 2: a row for each reader; the reference stands in each run, and is taken once."""
    rows = []
    for run in ["tuned", *(f"off-the-shelf-{seed}" for seed in SEEDS)]:
        result = json.loads((folder / run / "run.json").read_text(encoding="utf-8"))["result"]
        for reader in result["readers"]:
            if reader["is_reference"] and rows and rows[0]["name"] == "untuned":
                continue
            name = "untuned" if reader["is_reference"] else run
            rows.insert(0 if name == "untuned" else len(rows), {"name": name} | reader_row(reader))
    return rows


def reader_row(reader: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of one reader."""
    row: dict[str, Any] = {"verdict": reader["verdict"], "EM": reader["em"], "EM given a hit": reader["em_given_hit"]}
    for target, figure, percentile in INDICATORS:
        found = reader["indicators"][target][percentile]
        low, high = found["ci"][figure]
        row[f"{target} {figure} {percentile}"] = {"mean": found[figure], "low": low, "high": high}
    row["answer attention p95"] = reader["indicators"]["answer"]["p95"]["attention"]
    return row


def markdown(content: Mapping[str, Any]) -> str:
    """Both tables, as the README shows them."""
    heads = [*FIGURES, "HR@5 over initial", "HR@5 over fine-tuned", "HR@5 at the end, dev"]
    lines = [f"| retriever | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for row in content["table 1"]:
        cells = [_interval(row[figure]) for figure in FIGURES]
        for column, other in (("over initial", INITIAL), ("over fine-tuned", FINE_TUNED)):
            cells.append("" if row["name"] == other else _interval(row[column]["HR@5"], sign="+"))
        ends = ", ".join(_number(end) for end in row.get("end", ()))
        lines.append(f"| {row['name']} | {' | '.join([*cells, ends])} |")
    heads = ["EM", *(f"{target} {figure} {percentile}" for target, figure, percentile in INDICATORS), "verdict"]
    lines += ["", f"| reader | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for row in content["table 2"]:
        cells = [_number(row["EM"]), *(_interval(row[head]) for head in heads[1:-1]), row["verdict"]]
        lines.append(f"| {row['name']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _interval(figure: Mapping[str, Any], sign: str = "") -> str:
    mean, low, high = (_number(figure[name], sign) for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _number(value: float, sign: str = "") -> str:
    """As .85, +.34 or 11.55."""
    return f"{value:{sign}.2f}" if abs(value) >= 1 else f"{value:{sign}.3f}".replace("0.", ".", 1)


def main() -> None:
    """Show both tables, and write or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of `elusive recipes run tiny-rag`")
    add_choices(parser)
    arguments = parser.parse_args()
    content = {"procedure": __doc__, "machine": machine(), **collected(arguments.folder)}
    print(markdown(content))
    sys.exit(written_or_compared(content, arguments, committed=COMMITTED))


if __name__ == "__main__":
    main()
