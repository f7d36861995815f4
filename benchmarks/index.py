"""What an index of a million vectors takes: memory, time and disk, by kind.

    python benchmarks/index.py --out benchmarks/results/index.json

Random vectors of length 1, 768 numbers each, drawn file by file; no encoder, whose time and memory are its own. Each
kind is built in a fresh process, in a temporary folder that is removed afterwards. Memory is the highest resident size
of that process from its start to the finished index, libraries included; Linux only. Stages: `embed` is drawing the
vectors and writing them in fp16. The search is of 64 queries at once, then one by one, on the index opened anew,
mapped, after one search to warm up. One thread; its own seconds on its CPU, and seconds by the clock beside them, which
the disk and whatever else runs make longer. Random vectors have no structure that lists could use, so that nothing is
said of how many of the best an ivf kind finds.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import numpy as np
from numpy.typing import NDArray

from elusive.progress import Bars
from elusive.retrieval.index_build import IndexBuild
from elusive.retrieval.index_generation import Generation
from elusive.retrieval.index_kinds import KINDS, IndexOptions
from elusive.retrieval.index_shards import Batch, Vectors
from elusive.retrieval.index_vectors import VectorIndex

QUERIES, K = 64, 10
BATCH = 1024


def vectors(start: int, stop: int, *, width: int) -> Vectors:
    """Random vectors of length 1 for a range of places."""
    drawn = np.random.default_rng(start).standard_normal((stop - start, width), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def child(kind: str, n: int, width: int, folder: Path) -> dict[str, Any]:
    """Build an index in this process and search it."""
    layout = IndexOptions(kind=kind).layout(n, width)

    def source(start: int, stop: int, _known: NDArray[np.bool_]) -> Iterator[Batch]:
        made = vectors(start, stop, width=width)
        for first in range(0, stop - start, BATCH):
            places = np.arange(first, min(stop - start, first + BATCH))
            yield places, made[places]

    build = IndexBuild(Generation(folder, layout, {"vectors": "random"}), source, Bars(quiet=True))
    build.prepare()
    seconds, cpu_seconds = {}, {}
    for stage, step in build.steps.items():
        start, cpu_start = time.perf_counter(), time.process_time()
        step()
        seconds[stage], cpu_seconds[stage] = time.perf_counter() - start, time.process_time() - cpu_start
    files = build.finish().files
    peak = highest()
    return {
        "kind": kind,
        "nlist": layout.nlist,
        "nprobe": layout.nprobe,
        "m": layout.m,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "peak_bytes": peak,
        "planned_bytes": layout.build_bytes,
        "disk_bytes": sum(seal["bytes"] for seal in files.values()),
        "search_cpu_seconds": searched(folder, width),
    }


def searched(folder: Path, width: int) -> dict[str, float]:
    """CPU seconds a query, many at once and one by one."""
    index = VectorIndex.open(folder)
    queries = vectors(10**9, 10**9 + QUERIES, width=width)
    index.search(queries, K)
    start = time.process_time()
    index.search(queries, K)
    together = time.process_time() - start
    start = time.process_time()
    for query in queries[:8]:
        index.search(query[None], K)
    return {"together": together / QUERIES, "alone": (time.process_time() - start) / 8}


def highest() -> int:
    """The highest resident size of this process, in bytes (Linux)."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one kind."""
    print(f"{kind} …", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        command = [sys.executable, __file__, "--child", kind, "--folder", folder]
        sizes = ["--vectors", str(options.vectors), "--width", str(options.width)]
        done = subprocess.run([*command, *sizes], check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def table(figures: list[dict[str, Any]]) -> str:
    """The figures as markdown; times are of the CPU."""
    stages = list(figures[0]["seconds"])
    head = ["kind", "peak memory", "disk", *stages, "a query of 64", "a query alone"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for at in figures:
        search = at["search_cpu_seconds"]
        cells = [at["kind"], f"{at['peak_bytes'] / 2**20:,.0f} MiB", f"{at['disk_bytes'] / 2**30:.1f} GiB"]
        cells += [f"{at['cpu_seconds'][stage]:,.0f} s" for stage in stages]
        cells += [f"{1000 * search[way]:,.0f} ms" for way in ("together", "alone")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description="What an index of a million vectors takes.")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--folder", type=Path, help="where the indexes go for a while: 5 GB; the system's unless told")
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child, options.vectors, options.width, options.folder)))
        return
    load_before = os.getloadavg()[0]
    figures = [measure(kind, options) for kind in options.kinds.split(",")]
    import faiss
    from scoring import machine  # brings torch, which the children are measured without

    result = {
        "machine": machine() | {"faiss": faiss.__version__, "load_before": load_before},
        "vectors": {"number": options.vectors, "width": options.width},
        "procedure": __doc__,
        "figures": figures,
    }
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(table(figures))


if __name__ == "__main__":
    main()
