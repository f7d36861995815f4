"""What comes of distilling a reader's attention into a retriever, on the miniature, by arm and seed.

    python benchmarks/distill.py --work /tmp/distill --out benchmarks/results/distill.json

Arms, each with three seeds (of the order of questions and of passages; the models are the shipped ones):

    fine-tuned     a reader that was tuned, frozen: what `elusive distill` runs without arguments
    no-trust       the same without the trust region: the papers' recipe
    untuned        a frozen reader that was not tuned, the gate ignored
    off-the-shelf  that reader, trained together with the retriever

The best retriever is chosen on dev, and all figures here are on test. Runs that are finished in WORK are not run again.
One thread.
"""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import torch
from scoring import machine

from elusive.config import DistillConfig, build
from elusive.distillation.result import DistillResult
from elusive.jobs.distill import run
from elusive.progress import Bars

ARMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "fine-tuned": {},
    "no-trust": {"trust": 0.0},
    "untuned": {"reader": "tiny:reader-untuned", "ignore_gate": True},
    "off-the-shelf": {"reader": "tiny:reader-untuned", "mode": "off-the-shelf", "reader_lr": 1e-3},
}
SEEDS: Final = (0, 1, 2)


def main() -> None:
    """Run what is missing, and write all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where the runs are kept")
    parser.add_argument("--out", type=Path, help="where the figures go")
    parser.add_argument("--arm", action="append", choices=list(ARMS), help="these alone; may be given again")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = [(arm, seed) for arm in arguments.arm or ARMS for seed in SEEDS]
    figures = [{"arm": arm, "seed": seed, **figures_of(arguments.work, arm, seed)} for arm, seed in runs]
    if arguments.out:
        content = {"procedure": __doc__, "machine": machine(), "figures": figures}
        arguments.out.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for one in figures:
        hr = one["test"]["5"]
        print(f"{one['arm']:<14} {one['seed']}  HR@5 {hr['start']:.3f} to {hr['best']:.3f}  95 % {hr['ci']}")


def figures_of(work: Path, arm: str, seed: int) -> dict[str, Any]:
    """One run."""
    out = work / f"{arm}-{seed}"
    config = build(DistillConfig, {"out": str(out), "seed": seed, "device": "cpu", **ARMS[arm]})
    result: DistillResult = run(config, progress=Bars())
    kept = ("test", "hr", "answers", "steps", "best_step", "stopped_by", "gate", "seconds")
    return {name: value for name, value in asdict(result).items() if name in kept}


if __name__ == "__main__":
    main()
