"""`elusive index`."""

from typing import TYPE_CHECKING

from elusive.config import IndexConfig

from ..calls import Call, options_of
from ..words import changed_options, duration, memory

if TYPE_CHECKING:
    from elusive.jobs.index import IndexResult
    from elusive.jobs.index_plan import IndexPlan, KindPlan

EPILOG = """
Examples:

  elusive index                    # the miniature's passages by the tiny encoder

  elusive index psgs_w100.tsv.gz --encoder intfloat/e5-base-v2 --passage-prefix 'passage: ' --dry-run

  elusive index corpus.jsonl --encoder BAAI/bge-base-en-v1.5 --kind ivf-sq8 --nprobe 64
"""


@options_of(IndexConfig, argument="passages")
def index(call: Call[IndexConfig]) -> None:
    """Index passages for an encoder, so that a question's vector finds its passages.

    Texts, fp16 embeddings and faiss files go into one folder, which is read mapped and belongs to this encoder: another
    one is refused. Up to 262,144 passages the index is exact in fp32 (flat), up to 1,048,576 in fp16 (sqfp16), up to
    33,554,432 it looks into lists of 8-bit codes (ivf-sq8), beyond that of product codes (ivf-pq); what it finds is
    scored by the embeddings in every kind. Needs faiss: extra cpu, or gpu on a machine with CUDA.
    """
    if call.dry_run:
        from elusive.jobs.index_plan import plan_index

        plan = plan_index(call.options, overwrite=call.overwrite, progress=call.progress)
        call.show_rows(plan, _plan_rows)
        return
    from elusive.jobs.index import run

    result = run(call.options, overwrite=call.overwrite, progress=call.progress)
    call.show_rows(result, _rows)


def _rows(result: "IndexResult") -> list[tuple[str, str]]:
    speed = result.passages_per_second
    return [
        ("passages", f"{result.passages:,}"),
        ("rejected", f"{result.rejected:,}" + (" (rejected.jsonl)" if result.rejected else "")),
        ("dimension", f"{result.dimension:,}"),
        ("kind", result.kind),
        ("on disk", memory(result.bytes)),
        ("time", ", ".join(f"{stage} {duration(spent)}" for stage, spent in result.seconds.items())),
        *([("speed", f"{speed:,.0f} passages/s")] if speed else []),
        ("peak memory", memory(result.peak_bytes)),
        ("out", result.out),
    ]


def _plan_rows(plan: "IndexPlan") -> list[tuple[str, str]]:
    where = "GPU memory" if plan.device.startswith("cuda") else "memory"
    return [
        ("passages", f"{plan.passages:,}"),
        ("rejected", f"{plan.rejected:,}"),
        ("dimension", f"{plan.dimension:,}"),
        ("encoder", f"on {plan.device}, {memory(plan.encoder_bytes)} of {where}"),
        ("speed", f"about {plan.passages_per_second:,.0f} passages/s"),
        *((kind.kind + (" (chosen)" if kind.chosen else ""), _cost(kind)) for kind in plan.kinds),
        changed_options(plan.options, IndexConfig),
    ]


def _cost(kind: "KindPlan") -> str:
    return (
        f"about {duration(kind.seconds)}, {memory(kind.disk_bytes)} of disk, {memory(kind.build_bytes)} of memory to "
        f"build beside the encoder, {memory(kind.search_bytes)} mapped, or on a GPU, to search"
    )
