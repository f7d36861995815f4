"""What scoring a text costs, beside a plain forward pass and beside what people do today.

    python benchmarks/scoring.py --out benchmarks/results/scoring.json

Five ways to run one model over one text, on one thread:

    forward   the model with its head, as for computing a loss
    body      the same without the head
    elusive   the watched model: received attention of every token
    exact     the same by the exact path, which layers with windows, soft-capping or sinks take
    eager     `output_attentions=True`, the layers stacked, and the mean of each column over its followers

Time: repeats are interleaved (one of each way, then again), so that a machine which slows down slows all of them;
medians. Memory: each way in a fresh process, highest resident size less that after the model was loaded. Linux only.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}

import psutil
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

from elusive.attention.probe import watch
from elusive.attention.received import mean_received
from elusive.choices import Impl

VOCABULARY, LAYERS, HEADS, WIDTH = 32_000, 12, 12, 768
LENGTHS = (128, 512, 2048, 8192)
WAYS = ("forward", "body", "elusive", "exact", "eager")
MEMORY_LIMIT = 20 * 2**30
RATIOS = {
    "elusive / forward": ("elusive", "forward"),
    "elusive / body": ("elusive", "body"),
    "exact / forward": ("exact", "forward"),
    "eager / forward": ("eager", "forward"),
}
MEMORIES = ("forward", "elusive", "exact", "eager")
REPEATS = {128: 41, 512: 21, 2048: 9, 8192: 3}


def load() -> LlamaForCausalLM:
    """A Llama of GPT-2's size with random weights; every query head has its own key head."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=2048,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=max(LENGTHS),
    )
    return LlamaForCausalLM(config).eval()


def column_mean_of_all(model: LlamaForCausalLM, ids: torch.Tensor) -> torch.Tensor:
    """Received attention as one writes it today: all matrices first, then their columns."""
    attention = torch.stack(model(ids, output_attentions=True, use_cache=False).attentions)
    received = attention.mean((0, 2)).tril(-1).sum(-2)
    return received / torch.arange(ids.shape[1] - 1, -1, -1)


def runners(model: LlamaForCausalLM, n_tokens: int) -> dict[str, Callable[[], Any]]:
    """Each way as a function without arguments, over one random text."""
    ids = torch.randint(3, VOCABULARY, (1, n_tokens), generator=torch.Generator().manual_seed(0))
    counted = torch.ones(1, n_tokens)
    counted[:, 0] = 0.0

    def elusive(impl: Impl) -> torch.Tensor:
        with watch(model, impl=impl) as probe:
            return mean_received(probe(ids, counted))

    def eager() -> torch.Tensor:
        before = model.config._attn_implementation
        model.set_attn_implementation("eager")
        try:
            return column_mean_of_all(model, ids)
        finally:
            model.set_attn_implementation(before)

    return {
        "forward": lambda: model(ids, use_cache=False).logits,
        "body": lambda: model.model(ids, use_cache=False).last_hidden_state,
        "elusive": lambda: elusive("fast"),
        "exact": lambda: elusive("exact"),
        "eager": eager,
    }


def eager_bytes(n_tokens: int) -> int:
    """What all matrices of a pass, their stack, and the mean need at least."""
    return (2 * LAYERS * HEADS + 3) * n_tokens**2 * 4


def seconds(model: LlamaForCausalLM, n_tokens: int, *, ways: list[str], repeats: int) -> dict[str, list[float]]:
    """Times of each way, interleaved, after one run of each to warm up."""
    run = runners(model, n_tokens)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 1):
        for way in ways:
            start = time.perf_counter()
            run[way]()
            if repeat:
                times[way].append(time.perf_counter() - start)
    return times


def peak_bytes(way: str, n_tokens: int) -> int:
    """The highest resident size of one run in a fresh process, less that of the loaded model."""
    child = [sys.executable, __file__, "--child", way, "--lengths", str(n_tokens)]
    return int(subprocess.run(child, check=True, capture_output=True, text=True).stdout)


def child(way: str, n_tokens: int) -> None:
    """Print what one run adds to the resident size of this process."""
    model = load()
    with torch.no_grad():
        runners(model, 8)[way]()  # whatever is allocated once and for all
        loaded = psutil.Process().memory_info().rss
        # getrusage's ru_maxrss would do, had it not also counted the parent before exec, and loading.
        Path("/proc/self/clear_refs").write_text("5")
        runners(model, n_tokens)[way]()
    print(highest() - loaded)


def highest() -> int:
    """The highest resident size of this process since its counter was reset, in bytes (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }


def measure(n_tokens: int, model: LlamaForCausalLM, *, repeats: int) -> dict[str, Any]:
    """All figures of one length."""
    fits = eager_bytes(n_tokens) <= min(MEMORY_LIMIT, psutil.virtual_memory().available)
    ways = [way for way in WAYS if fits or way != "eager"]
    with torch.no_grad():
        times = seconds(model, n_tokens, ways=ways, repeats=repeats)
    median = {way: statistics.median(times[way]) for way in ways}
    result: dict[str, Any] = {
        "tokens": n_tokens,
        "repeats": repeats,
        "seconds": median,
        "seconds_spread": {way: [min(times[way]), max(times[way])] for way in ways},
        "ratio": {name: median[a] / median[b] for name, (a, b) in RATIOS.items() if a in median},
        "peak_bytes": {way: peak_bytes(way, n_tokens) for way in ways},
    }
    if not fits:
        need = eager_bytes(n_tokens) / 2**30
        result["left_out"] = {"eager": f"needs at least {need:.0f} GiB; the limit is 20 GiB or what is free"}
    return result


def table(figures: list[dict[str, Any]]) -> str:
    """The figures as markdown."""
    head = ["tokens", *RATIOS, *(f"memory: {way}" for way in MEMORIES)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for at in figures:
        ratio, peak = at["ratio"], at["peak_bytes"]
        cells = [f"{at['tokens']:,}"]
        cells += [f"{ratio[name]:.2f}×" if name in ratio else "–" for name in RATIOS]
        cells += [f"{peak[way] / 2**20:.0f} MiB" if way in peak else "–" for way in MEMORIES]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description="What scoring a text costs.")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)))
    parser.add_argument("--repeats", type=int, help="per length; default: fewer for longer texts")
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    lengths = [int(n) for n in options.lengths.split(",")]
    torch.set_num_threads(1)
    if options.child:
        child(options.child, lengths[0])
        return
    model = load()
    figures = []
    for n_tokens in lengths:
        print(f"{n_tokens} tokens …", file=sys.stderr)
        figures.append(measure(n_tokens, model, repeats=options.repeats or REPEATS.get(n_tokens, 5)))
    result = {
        "machine": machine(),
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
