"""What is learnt, until it is learnt: the curves of `elusive recipes run tiny-curves`, as tables and figures.

    python benchmarks/tiny_curves.py RUN_FOLDER --out benchmarks/results/tiny_curves.json
    python benchmarks/tiny_curves.py RUN_FOLDER --check

Reads folders of `elusive pretrain --evaluate`, `RUN_FOLDER/trained/ARM-SEED`. Exact match by step, at the last step,
and at each arm's own best step. That step is chosen on other people: the people of a seed are split in two halves by a
hash of their names, and the step that is best for one half is measured on the other, both ways. Differences are paired
by question. Intervals draw people again, within each seed. An arm that has fewer seeds than others is compared on its
own seeds.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from agreement import add_choices, written_or_compared
from scoring import machine

from elusive.statistics import Estimate, over_strata, t_interval

COMMITTED: Final = Path(__file__).resolve().parent / "results" / "tiny_curves.json"
SEEDS: Final = ("0", "1", "2")
CHOOSE: Final = "choose"
REFERENCES: Final = ("plain", "random-lo", "contrast-lo")


@dataclass(frozen=True)
class Curve:
    """One training: at each measured step, the exact match of each question, all in one order.

    Attributes:
        groups: the person of each question.
        steps: by optimizer steps, the exact match of each question.
    """

    groups: tuple[str, ...]
    steps: Mapping[int, tuple[float, ...]]

    @property
    def last(self) -> tuple[float, ...]:
        """At the last step."""
        return self.steps[max(self.steps)]

    @cached_property
    def best(self) -> tuple[float, ...]:
        """At the steps that the other half of the people chose."""
        chosen = {half: self._best_step_of(half) for half in (False, True)}
        return tuple(self.steps[chosen[not in_second_half(group)]][place] for place, group in enumerate(self.groups))

    def _best_step_of(self, half: bool) -> int:
        places = [place for place, group in enumerate(self.groups) if in_second_half(group) is half]
        return max(self.steps, key=lambda step: (sum(self.steps[step][place] for place in places), -step))


def in_second_half(person: str) -> bool:
    """Which half a person is in; the same in every run."""
    return bool(blake2b(person.encode(), digest_size=1).digest()[0] % 2)


def read_curve(folder: Path) -> Curve:
    """The curve of a finished training."""
    groups: tuple[str, ...] = ()
    steps: dict[int, tuple[float, ...]] = {}
    for file in sorted((folder / "curve").glob("answers-*.jsonl")):
        answers = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        groups = tuple(answer["group"] for answer in answers)
        steps[int(file.stem.removeprefix("answers-"))] = tuple(answer["em"] for answer in answers)
    return Curve(groups, steps)


def read_arms(folder: Path, seeds: Sequence[str]) -> dict[str, dict[str, Curve]]:
    """By arm and seed, every training that was finished."""
    arms: dict[str, dict[str, Curve]] = {}
    for run in sorted((folder / "trained").glob("*/run.json")):
        arm, _, seed = run.parent.name.rpartition("-")
        if seed in seeds and json.loads(run.read_text(encoding="utf-8")).get("finished"):
            arms.setdefault(arm, {})[seed] = read_curve(run.parent)
    return arms


def collected(folder: Path) -> dict[str, Any]:
    """All figures of a folder."""
    arms = read_arms(folder, SEEDS)
    return {
        "arms": [_arm(name, curves) for name, curves in arms.items()],
        "differences": [
            _difference(arm, reference, at, arms)
            for reference in REFERENCES
            for arm in arms
            for at in ("best", "last")
            if arm != reference and reference in arms and arms[arm].keys() & arms[reference].keys()
        ],
        "chosen on other people": [_arm(name, curves) for name, curves in read_arms(folder, (CHOOSE,)).items()],
    }


def _arm(name: str, curves: Mapping[str, Curve]) -> dict[str, Any]:
    shared = sorted(set.intersection(*(set(curve.steps) for curve in curves.values())))
    return {
        "name": name,
        "seeds": {seed: round(_mean(curve.last), 4) for seed, curve in curves.items()},
        "best": _figure(over_strata([(curve.best, curve.groups) for curve in curves.values()])),
        "last": _figure(over_strata([(curve.last, curve.groups) for curve in curves.values()])),
        "curve": {
            step: _figure(over_strata([(curve.steps[step], curve.groups) for curve in curves.values()]))
            for step in shared
        },
    }


def _difference(arm: str, reference: str, at: str, arms: Mapping[str, Mapping[str, Curve]]) -> dict[str, Any]:
    seeds = sorted(arms[arm].keys() & arms[reference].keys())
    strata, by_seed = [], []
    for seed in seeds:
        mine, theirs = arms[arm][seed], arms[reference][seed]
        if mine.groups != theirs.groups:
            raise SystemExit(f"{arm} and {reference} were not asked the same questions at seed {seed}")
        values = [a - b for a, b in zip(getattr(mine, at), getattr(theirs, at), strict=True)]
        strata.append((values, mine.groups))
        by_seed.append(_mean(values))
    over_seeds = t_interval(by_seed) if len(by_seed) > 1 else None
    return {
        "name": f"{arm} over {reference}, {at}",
        **_figure(over_strata(strata)),
        "seeds": [round(one, 4) for one in by_seed],
        "with seeds as the unit": None if over_seeds is None else [round(one, 4) for one in over_seeds],
    }


def _figure(estimate: Estimate) -> dict[str, Any]:
    return {name: asdict(estimate)[name] for name in ("mean", "low", "high", "n")}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def tables(content: Mapping[str, Any]) -> Iterator[str]:
    """The figures in Markdown."""
    by_name = {one["name"]: one for one in content["differences"]}
    yield "| arm | at its own best | at the last step | over plain | over random | over contrast | last step, by seed |"
    yield "|---|---|---|---|---|---|---|"
    for arm in sorted(content["arms"], key=lambda one: -one["best"]["mean"]):
        over = [_cell(by_name.get(f"{arm['name']} over {reference}, best"), sign="+") for reference in REFERENCES]
        seeds = ", ".join(f"{value:.3f}" for value in arm["seeds"].values())
        yield f"| {arm['name']} | {_cell(arm['best'])} | {_cell(arm['last'])} | {' | '.join(over)} | {seeds} |"
    yield ""
    for arm in content["chosen on other people"]:
        yield f"chosen on other people: {arm['name']} {_cell(arm['last'])}"


def _cell(figure: Mapping[str, Any] | None, sign: str = "") -> str:
    if figure is None:
        return ""
    return f"{figure['mean']:{sign}.3f} ({figure['low']:{sign}.3f} to {figure['high']:{sign}.3f})"


def main() -> None:
    """Show the tables, and write or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of `elusive recipes run tiny-curves`")
    add_choices(parser)
    arguments = parser.parse_args()
    content = {"procedure": __doc__, "machine": machine(), **collected(arguments.folder)}
    print("\n".join(tables(content)))
    sys.exit(written_or_compared(content, arguments, committed=COMMITTED))


if __name__ == "__main__":
    main()
