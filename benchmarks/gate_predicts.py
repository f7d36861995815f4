"""Does the gate predict? Readers of graded quality: the indicators before, the gain of a short distillation after.

    python benchmarks/gate_predicts.py --work /tmp/gate --out benchmarks/results/gate_predicts.json
    python benchmarks/gate_predicts.py --check

Readers: five lines of training (`recipes/miniature/graded_readers.py`), each from an untuned reader of its own, kept
at three or four steps; one untuned; and one that our own `--reader-steps` tuned on the 1,400 train questions, which are
learnt by heart. Before: `elusive score-reader` on the dev questions with the passages that come with them (k 5). After:
100 steps of `elusive distill` at the miniature's settings, one seed, the gate asked and ignored. Its `gain` is HR@5 on
test of the retriever that was the best on dev; `end` is that of the last one, by which nothing was chosen, on dev.

Spearman's ρ of each indicator with each of the two, and with the gain in the two lines that are trained as the shipped
reader is; 95 % intervals draw readers again, and whole lines again, since readers of one line are not independent.
Finished parts of WORK are not made again. One thread.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import numpy as np
import torch
from agreement import add_choices, written_or_compared
from scoring import machine

from elusive.config import DistillConfig, ScoreReaderConfig, build
from elusive.jobs.distill import run as distill
from elusive.jobs.score_reader import ScoreReaderResult
from elusive.jobs.score_reader import run as score_reader
from elusive.progress import Bars
from elusive.statistics import spearman

HERE: Final = Path(__file__).resolve().parent
COMMITTED: Final = HERE / "results" / "gate_predicts.json"
GRADED: Final = HERE.parent / "recipes" / "miniature" / "graded_readers.py"
UNTUNED: Final = "tiny:reader-untuned"
SHIPPED: Final = ("shipped-0", "shipped-1")
BY_HEART: Final = 600
DISTILLATION: Final[Mapping[str, Any]] = {"steps": 100, "seed": 0, "ignore_gate": True, "device": "cpu"}
RESAMPLES: Final = 2000


@dataclass(frozen=True)
class Graded:
    """A reader to be tried.

    Attributes:
        line: of training, whose readers are not independent.
        step: of its tuning.
        reader: model folder or name; tuned by the distillation itself where `options` say so.
        reference: the reader of its line before tuning.
        options: of the distillation, beside `DISTILLATION`.
    """

    line: str
    step: int
    reader: str
    reference: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.line}-{self.step}"


def readers(work: Path) -> list[Graded]:
    """All of them, the graded ones trained where they are not there."""
    folder = work / "readers"
    subprocess.run([sys.executable, GRADED, "--out", folder], check=True)
    graded = []
    for line in sorted(path.name for path in folder.iterdir()):
        steps = sorted(int(path.name.removeprefix("step-")) for path in (folder / line).iterdir())
        start, *kept = (str(folder / line / f"step-{step}") for step in steps)
        graded += [Graded(line, step, reader, start) for step, reader in zip(steps[1:], kept, strict=True)]
    untuned = str(folder / SHIPPED[0] / "step-0")
    by_heart = {"reader_steps": BY_HEART, "reader_lr": 3e-3}
    return [
        Graded(SHIPPED[0], 0, untuned, untuned),
        *graded,
        Graded("by-heart", BY_HEART, UNTUNED, UNTUNED, by_heart),
    ]


def after(graded: Graded, work: Path) -> dict[str, Any]:
    """What came of distilling one reader, and what the gate had said of it."""
    models = {"reader": graded.reader, "reference": graded.reference, "out": str(work / "distilled" / graded.name)}
    result = distill(build(DistillConfig, {**DISTILLATION, **graded.options, **models}), progress=Bars(quiet=True))
    on_test, on_dev = result.test["5"], result.hr["5"]
    low, high = on_test.ci or (on_test.gain, on_test.gain)
    return {
        "verdict": result.gate.word,
        "reason": result.gate.reason,
        "gain": {"mean": on_test.gain, "low": low, "high": high},
        "end": (on_dev.end if on_dev.end is not None else on_dev.best) - on_dev.start,
        "best_step": result.best_step,
    }


def before(line: Sequence[Graded], work: Path) -> list[dict[str, float | None]]:
    """The indicators of the readers of one line, in its order; after `after`, which tunes some of them."""
    folders = [str(work / "distilled" / one.name / "reader") if one.options else one.reader for one in line]
    out, reference = work / "scored" / line[0].line, line[0].reference
    named = [folder for folder in folders if folder != reference]
    options = {"reader": named, "reference": reference, "out": str(out), "device": "cpu"}
    result = score_reader(build(ScoreReaderConfig, options), progress=Bars(quiet=True))
    return [indicators_of(result, folder, out / "examples.jsonl") for folder in folders]


def indicators_of(result: ScoreReaderResult, reader: str, examples: Path) -> dict[str, float | None]:
    """Everything that is known of a reader before it teaches."""
    judged = next(one for one in result.readers if one.reader == reader)
    found: dict[str, float | None] = {}
    for target, word in (("answer", "indicator 1"), ("question", "indicator 2")):
        for percentile in ("p95", "p90"):
            figures = judged.indicators[target][percentile]
            found |= {f"{word}, lift {percentile}": figures.lift, f"{word}, ρ {percentile}": figures.spearman}
    rows = [json.loads(line) for line in examples.read_text(encoding="utf-8").splitlines()]
    shares = [
        sum(share for share, holds in zip(row["shares"], row["holds"], strict=True) if holds)
        for row in rows
        if row["reader"] == reader and any(row["holds"])
    ]
    return found | {
        "exact match": judged.em,
        "exact match given a hit": judged.em_given_hit,
        "share of the passage with the answer": float(np.mean(shares)),
    }


def predictions(figures: Sequence[Mapping[str, Any]], outcome: str) -> list[dict[str, Any]]:
    """ρ of each indicator with an outcome, the highest first, and by how much it is above that of exact match.

    Whole lines are drawn again only where there are more than two.
    """
    lines = [one["line"] for one in figures]
    gains = np.array([one[outcome]["mean"] if outcome == "gain" else one[outcome] for one in figures])
    names = figures[0]["before"]
    values = {name: np.array([one["before"][name] for one in figures], np.float64) for name in names}
    exact = values["exact match"]
    rows = []
    for name, value in values.items():
        row = {
            "name": name,
            "spearman": spearman(value, gains),
            "over_readers": interval(len(gains), lambda i, v=value: spearman(v[i], gains[i])),
            "above_exact_match": interval(
                len(gains), lambda i, v=value: spearman(v[i], gains[i]) - spearman(exact[i], gains[i])
            ),
        }
        if len(set(lines)) > 2:
            row["over_lines"] = interval(lines, lambda i, v=value: spearman(v[i], gains[i]))
        rows.append(row)
    return sorted(rows, key=lambda row: -row["spearman"])


def interval(units: int | Sequence[str], figure: Callable[[Any], float], *, seed: int = 0) -> dict[str, float]:
    """95 % percentile bootstrap of a figure of some readers, given as their places.

    Args:
        units: how many readers; or the line of each, of which whole lines are then drawn again.
        figure: NaN where it is not defined, which is left out.
        seed: of the draws.
    """
    lines = np.arange(units) if isinstance(units, int) else np.array(units)
    places = [np.flatnonzero(lines == line) for line in dict.fromkeys(lines.tolist())]
    rng = np.random.default_rng(seed)
    drawn = [
        figure(np.concatenate([places[i] for i in rng.integers(len(places), size=len(places))]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return {"low": float(low), "high": float(high)}


def two_by_two(figures: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """How often each verdict met a gain whose interval is above 0, and how often not."""
    table: dict[str, dict[str, int]] = {}
    for one in figures:
        row = table.setdefault(one["verdict"], {"gained": 0, "not": 0})
        row["gained" if one["gain"]["low"] > 0 else "not"] += 1
    return table


def measured(work: Path) -> dict[str, Any]:
    """All figures, made where they are missing."""
    every = readers(work)
    outcomes = {}
    for graded in every:
        outcomes[graded.name] = after(graded, work)
        print(f"{graded.name:<18} {outcomes[graded.name]['verdict']:<20} {outcomes[graded.name]['gain']}", flush=True)
    figures = []
    for line in dict.fromkeys(one.line for one in every):
        of_line = [one for one in every if one.line == line]
        for graded, indicators in zip(of_line, before(of_line, work), strict=True):
            named = {"name": graded.name, "line": line, "step": graded.step}
            figures.append(named | {"before": indicators} | outcomes[graded.name])
    return {
        "procedure": __doc__,
        "machine": machine(),
        "distillation": dict(DISTILLATION),
        "readers": figures,
        "gain": predictions(figures, "gain"),
        "end": predictions(figures, "end"),
        "gain, shipped lines": predictions([one for one in figures if one["line"] in SHIPPED], "gain"),
        "verdicts": two_by_two(figures),
    }


def show(content: Mapping[str, Any]) -> None:
    """Everything as tables."""
    print("\nreader               lift p95   ρ p95      EM   verdict               gain   95 %              end on dev")
    for one in content["readers"]:
        b, gain = one["before"], one["gain"]
        print(
            f"{one['name']:<18} {b['indicator 1, lift p95']:>10.2f} {b['indicator 1, ρ p95']:>7.2f}"
            f" {b['exact match']:>7.3f}   {one['verdict']:<20} {gain['mean']:>+.3f}"
            f"   {gain['low']:+.3f} to {gain['high']:+.3f}   {one['end']:+.3f}"
        )
    for outcome in ("gain", "end", "gain, shipped lines"):
        print(f"\nSpearman with {outcome:<26}  ρ     over readers    above exact match  over lines")
        for row in content[outcome]:
            named = [row[of] for of in ("over_readers", "above_exact_match", "over_lines") if of in row]
            spans = [f"{span['low']:+.2f} to {span['high']:+.2f}" for span in named]
            print(f"{row['name']:<40} {row['spearman']:+.2f}  {'  '.join(spans)}")
    print(f"\n{content['verdicts']}")


def main() -> None:
    """Make what is missing, show all, and write or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("gate-work"), help="where readers and runs are kept")
    add_choices(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    content = measured(arguments.work)
    show(content)
    sys.exit(written_or_compared(content, arguments, committed=COMMITTED))


if __name__ == "__main__":
    main()
