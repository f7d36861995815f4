"""What taking the rows that emit an answer costs, beside the same forward pass without.

    python benchmarks/reader.py --out benchmarks/results/reader.json

Four ways to run one model over one prompt of each length, on one thread, with an answer of 8 tokens:

    body       the model without its head
    answering  the watched model: weights of the 8 rows that emit the answer, times the norms of the values
    forward    the model with its head, as for computing a loss
    eager      `output_attentions=True`, and the mean of the 8 rows of every layer

The watched model runs without its head, as `body` does. Repeats are interleaved (one of each way, then again), so that
a machine which slows down slows all of them. Time is that of the one thread on its CPU; ratios are of medians. Model,
machine and JSON are as in `scoring.py`.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from scoring import VOCABULARY, load, machine
from transformers import LlamaForCausalLM

from elusive.attention.answering import watch_answers

LENGTHS = (128, 512, 1024)
ANSWER_LEN = 8
WAYS = ("body", "answering", "forward", "eager")
RATIOS = {
    "answering / body": ("answering", "body"),
    "answering / forward": ("answering", "forward"),
    "eager / forward": ("eager", "forward"),
}
REPEATS = {128: 21, 512: 9, 1024: 5}


def runners(model: LlamaForCausalLM, n_tokens: int) -> dict[str, Callable[[], Any]]:
    """Each way as a function without arguments, over one random prompt."""
    ids = torch.randint(3, VOCABULARY, (1, n_tokens), generator=torch.Generator().manual_seed(0))
    rows = range(n_tokens - ANSWER_LEN - 1, n_tokens - 1)

    def answering() -> torch.Tensor:
        with watch_answers(model) as probe:
            return probe(ids, [rows]).scores

    def eager() -> torch.Tensor:
        before = model.config._attn_implementation
        model.set_attn_implementation("eager")
        try:
            attentions = model(ids, output_attentions=True, use_cache=False).attentions
            return torch.stack([layer[:, :, rows.start : rows.stop].mean(2) for layer in attentions])
        finally:
            model.set_attn_implementation(before)

    return {
        "body": lambda: model.model(ids, use_cache=False).last_hidden_state,
        "answering": answering,
        "forward": lambda: model(ids, use_cache=False).logits,
        "eager": eager,
    }


def measure(model: LlamaForCausalLM, n_tokens: int, *, repeats: int) -> dict[str, Any]:
    """All figures of one length, after one run of each way to warm up."""
    run = runners(model, n_tokens)
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    with torch.no_grad():
        for repeat in range(repeats + 1):
            for way in WAYS:
                start = time.thread_time()
                run[way]()
                if repeat:
                    times[way].append(time.thread_time() - start)
    median = {way: statistics.median(times[way]) for way in WAYS}
    return {
        "tokens": n_tokens,
        "answer_tokens": ANSWER_LEN,
        "repeats": repeats,
        "cpu_seconds": median,
        "cpu_seconds_spread": {way: [min(times[way]), max(times[way])] for way in WAYS},
        "ratio": {name: median[a] / median[b] for name, (a, b) in RATIOS.items()},
    }


def table(figures: list[dict[str, Any]]) -> str:
    """The figures as markdown."""
    lines = ["| " + " | ".join(["tokens", *RATIOS]) + " |", "|---" * (len(RATIOS) + 1) + "|"]
    for at in figures:
        cells = [f"{at['tokens']:,}", *(f"{at['ratio'][name]:.2f}×" for name in RATIOS)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description="What taking the rows that emit an answer costs.")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)))
    parser.add_argument("--repeats", type=int, help="per length; default: fewer for longer prompts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load()
    load_before = os.getloadavg()[0]
    figures = []
    for n_tokens in [int(n) for n in options.lengths.split(",")]:
        print(f"{n_tokens} tokens …", file=sys.stderr)
        figures.append(measure(model, n_tokens, repeats=options.repeats or REPEATS.get(n_tokens, 5)))
    result = {
        "machine": machine() | {"load_before": load_before},
        "model": {"parameters": sum(p.numel() for p in model.parameters()), "config": model.config.to_diff_dict()},
        "procedure": __doc__,
        "figures": figures,
    }
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(table(figures))


if __name__ == "__main__":
    main()
