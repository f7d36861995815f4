"""`elusive distill`."""

from typing import TYPE_CHECKING

import typer

from elusive.config import DistillConfig

from ..calls import Call, options_of
from ..tables import UNKNOWN, table_of
from ..words import changed_options, count, duration, memory

if TYPE_CHECKING:
    from elusive.distillation.result import DistillResult, HitRate
    from elusive.jobs.distill_plan import DistillPlan

_STOPPED_BY_GATE = 3
EPILOG = """
Examples:

  elusive distill                  # the whole job on the miniature, in minutes

  elusive distill --config nq.yaml --reader ./tuned --reference ./untuned

  elusive distill --config nq.yaml --teacher perplexity -o by-perplexity

  torchrun --nproc_per_node 8 $(which elusive) distill --config nq.yaml
"""


@options_of(DistillConfig)
def distill(call: Call[DistillConfig]) -> None:
    """Train a retriever from what a reader attends to, guarded by the indicators.

    The passages are indexed, the reader is tuned first where that is asked for, and judged: one whose attention is not
    shown to be fit to teach ends the job before the expensive part, with exit code 3. Then the retriever learns from
    it, held to where it began by a trust region, and watched for signs of collapse; the best on dev is kept. Without
    arguments it runs on the miniature that the package ships.
    """
    if call.dry_run:
        from elusive.jobs.distill_plan import plan_distill

        plan = plan_distill(call.options, overwrite=call.overwrite, progress=call.progress)
        call.show_rows(plan, _plan_rows)
        return
    from elusive.jobs.distill import run
    from elusive.processes import is_first_process

    result = run(call.options, overwrite=call.overwrite, progress=call.progress)
    if is_first_process():
        call.show(result, _show_tables)
    if result.stopped_by == "gate":
        raise typer.Exit(_STOPPED_BY_GATE)


def _plan_rows(plan: "DistillPlan") -> list[tuple[str, str]]:
    rows = [
        ("passages", f"{plan.passages:,}"),
        ("questions", f"{plan.train:,} to train on, {plan.dev:,} dev, {plan.test:,} test"),
        ("rejected", f"{plan.rejected:,}"),
        (
            "steps",
            f"{plan.reader_steps:,} of the reader, {plan.steps:,} of the retriever, {plan.refreshes:,} refreshes",
        ),
        ("tokens", f"about {count(plan.reader_tokens)} read, {count(plan.encoder_tokens)} embedded"),
        ("memory", f"{memory(plan.peak_bytes)} at most, with a sample"),
        ("time", f"about {duration(plan.seconds)}"),
        *(("warning", warning) for warning in plan.warnings),
    ]
    return [*rows, changed_options(plan.options, DistillConfig)]


def _show_tables(result: "DistillResult") -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(
        f"{result.passages:,} passages, {result.train:,} train and {result.dev:,} dev questions"
        + (f"; {result.unanswerable:,} of these no passage answers" if result.unanswerable else "")
        + (f"; {result.rejected:,} rows rejected (rejected.jsonl)" if result.rejected else "")
    )
    is_trained = result.stopped_by != "gate"
    table = table_of("", numbers=("start", "best", "end", "gain", "95 %") if is_trained else ("start",))
    for name, rates in (("dev", result.hr), ("test", result.test)):
        for k, rate in rates.items():
            table.add_row(f"{name} HR@{k}", *_cells(rate)[: None if is_trained else 1])
    if result.answers:
        for name, (start, best) in (("exact match", result.answers.em), ("F1", result.answers.f1)):
            table.add_row(f"dev {name}", f"{start:.3f}", f"{best:.3f}")
    console.print()
    console.print(table)
    console.print()
    for line in _sentences(result):
        console.print(line, markup=False, soft_wrap=True)


def _cells(rate: "HitRate") -> list[str]:
    interval = UNKNOWN if rate.ci is None else f"{rate.ci[0]:+.3f} to {rate.ci[1]:+.3f}"
    end = "" if rate.end is None else f"{rate.end:.3f}"
    return [f"{rate.start:.3f}", f"{rate.best:.3f}", end, f"{rate.gain:+.3f}", interval]


def _sentences(result: "DistillResult") -> list[str]:
    lines = [f"Gate: {result.gate.reason}."]
    if result.stopped_by == "gate":
        lines.append(
            "The retriever was not trained. The same command with --ignore-gate goes on from here, with its index."
        )
    else:
        lines.append(
            f"{result.steps:,} steps, the best retriever after {result.best_step:,}; it is in {result.out}/retriever."
        )
    if result.stopped_by not in ("steps", "gate"):
        lines.append(f"Ended early: {result.stopped_by}.")
    return [*lines, *(f"Warning: {warning}." for warning in result.warnings)]
