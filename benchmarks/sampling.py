"""How fast copies are drawn: tokens per second on one core.

    python benchmarks/sampling.py --out benchmarks/results/sampling.json

`draw` decides which units ten copies of a text drop; `copies` also cuts them out and joins the rest, as `elusive
augment` does. Made-up texts whose units are words of five characters and a space, ranked at random, α .7, β .05. A
token counts once in each copy. Times are of the process, median over the runs; the goal is 10 million tokens a second
for `draw`.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from elusive.clues.dropout import draw, drop_probability
from elusive.clues.text_clues import DropPlan, copies
from elusive.clues.units import Units

TEXT_LENS = (64, 128, 512, 2048)
NUMBERS = range(1, 11)
TOKENS_PER_RUN = 2_000_000
GOAL = 10e6


@dataclass(frozen=True)
class Sample:
    """A text of `n` units, its units and their drop probabilities."""

    text: str
    units: Units
    probabilities: np.ndarray


@dataclass(frozen=True)
class Speed:
    """Millions of tokens per second at one text length; medians, and the slowest and fastest run of `draw`."""

    units: int
    draw: float
    draw_slowest: float
    draw_fastest: float
    copies: float


def sample(n: int) -> Sample:
    """A made-up text of `n` units."""
    rng = np.random.default_rng(0)
    ends = np.arange(1, n + 1, dtype=np.int32) * 6
    units = Units(np.arange(n, dtype=np.int32), ends - 6, ends, np.zeros(n, dtype=bool))
    return Sample(" quick" * n, units, drop_probability(rng.permutation(n), alpha=0.7, beta=0.05))


def speeds(task: Callable[[str], object], *, n_units: int, n_runs: int) -> list[float]:
    """Tokens per second of each run; `task` makes ten copies of the text of the given id."""
    n_texts = max(1, TOKENS_PER_RUN // (n_units * len(NUMBERS)))
    found = []
    for _ in range(n_runs):
        start = time.process_time()
        for i in range(n_texts):
            task(f"text-{i}")
        found.append(n_texts * n_units * len(NUMBERS) / (time.process_time() - start))
    return found


def measure(n_units: int, *, n_runs: int) -> Speed:
    """Both speeds at one text length."""
    made, plan = sample(n_units), DropPlan()

    def drawn(text_id: str) -> object:
        return draw(made.probabilities, seed=0, text_id=text_id, copies=NUMBERS)

    def cut(text_id: str) -> object:
        return list(copies(made.text, made.units, made.probabilities, plan=plan, text_id=text_id, numbers=NUMBERS))

    of_draw = speeds(drawn, n_units=n_units, n_runs=n_runs)
    of_copies = speeds(cut, n_units=n_units, n_runs=n_runs)
    figures = statistics.median(of_draw), min(of_draw), max(of_draw), statistics.median(of_copies)
    return Speed(n_units, *(round(figure / 1e6, 2) for figure in figures))


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    names = [line.partition(":")[2].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def main() -> None:
    """Measure, print a table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    found = [measure(n, n_runs=arguments.runs) for n in TEXT_LENS]
    print("| units of a text | `draw`, million tokens/s (slowest … fastest run) | `copies`, million tokens/s |")
    print("|---:|---:|---:|")
    for speed in found:
        spread = f"{speed.draw_slowest:.1f} … {speed.draw_fastest:.1f}"
        print(f"| {speed.units} | {speed.draw:.1f} ({spread}) | {speed.copies:.1f} |")
    slowest = min(speed.draw for speed in found) * 1e6
    print(f"\ngoal of {GOAL / 1e6:.0f} million tokens/s for `draw`: {'met' if slowest >= GOAL else 'missed'}")
    if arguments.out:
        results = {
            "machine": machine(),
            "procedure": {"copies": len(NUMBERS), "runs": arguments.runs, "tokens_per_run": TOKENS_PER_RUN},
            "million_tokens_per_second": [asdict(speed) for speed in found],
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
