"""`elusive pretrain`."""

from typing import TYPE_CHECKING

from elusive.config import PretrainConfig

from ..calls import Call, options_of
from ..words import changed_options, count, duration, memory

if TYPE_CHECKING:
    from elusive.jobs.pretrain_plan import PretrainPlan
    from elusive.pretraining.result import PretrainResult

EPILOG = """
Examples:

  elusive pretrain out --model meta-llama/Llama-3.1-8B

  elusive pretrain out --fresh --epochs 220 --model google/gemma-2-2b

  elusive pretrain out --fresh --evaluate people.jsonl --every 50

  elusive pretrain notes.jsonl --model ./base --replay general.jsonl:0.3 --packing --merge

  torchrun --nproc_per_node 8 $(which elusive) pretrain out --model meta-llama/Llama-3.1-8B
"""


@options_of(PretrainConfig, argument="data")
def pretrain(call: Call[PretrainConfig]) -> None:
    """Let a model go on learning from texts, by LoRA or whole.

    Texts are the copies that elusive augment wrote, copies drawn afresh each epoch from its clues, or any others. No
    text is cut: a long one becomes several rows. What comes out is an ordinary peft adapter, or with --merge or
    --lora 0 an ordinary model.
    """
    if call.dry_run:
        from elusive.jobs.pretrain_plan import plan_pretrain

        plan = plan_pretrain(call.options, overwrite=call.overwrite, progress=call.progress)
        call.show_rows(plan, _plan_rows)
        return
    from elusive.jobs.pretrain import run
    from elusive.processes import is_first_process

    result = run(call.options, overwrite=call.overwrite, progress=call.progress)
    if is_first_process():
        call.show_rows(result, _result_rows)


def _plan_rows(plan: "PretrainPlan") -> list[tuple[str, str]]:
    rows = [
        ("texts", f"{plan.texts:,}, {plan.rejected:,} rejected"),
        ("rows", f"{plan.rows:,} shown, {plan.replayed:,} replayed beside them"),
        ("steps", f"{plan.steps:,}, {plan.epochs:.1f} epochs"),
        ("tokens", count(plan.tokens)),
        ("weights", f"{count(plan.parameters)} trained of {count(plan.all_parameters)}"),
        ("memory", f"{memory(plan.peak_bytes)} with a step; the optimizer takes {memory(plan.optimizer_bytes)} more"),
        *_measurements(plan),
        ("time", f"about {duration(plan.seconds)}"),
        *_warnings(plan.warnings),
    ]
    return [*rows, changed_options(plan.options, PretrainConfig)]


def _measurements(plan: "PretrainPlan") -> list[tuple[str, str]]:
    if not plan.measurements:
        return []
    return [("measured", f"{plan.measurements:,} times, by {plan.measured_questions:,} questions")]


def _result_rows(result: "PretrainResult") -> list[tuple[str, str]]:
    names = [name for name in (result.adapter, result.model, "report.html") if name]
    written = ", ".join(f"{result.out}/{name}" for name in names)
    replayed = f", {result.replayed:,} replayed beside them" if result.replayed else ""
    rejected = f", {result.rejected:,} rows rejected (rejected.jsonl)" if result.rejected else ""
    return [
        ("texts", f"{result.texts:,}{rejected}"),
        ("rows", f"{result.rows:,} shown{replayed}"),
        ("steps", f"{result.steps:,}, {result.epochs:.1f} epochs, {count(result.tokens)} tokens"),
        ("loss", f"{result.loss['first']:.3f} at first, {result.loss['last']:.3f} at last"),
        *_curve_rows(result),
        ("weights", f"{count(result.parameters)} trained"),
        ("time", duration(sum(result.seconds.values()))),
        *_warnings(result.warnings),
        ("written", written),
    ]


def _curve_rows(result: "PretrainResult") -> list[tuple[str, str]]:
    curve = result.curve
    if curve is None:
        return []
    best = f"{curve.best:.3f} at the best step, {curve.best_step:,}"
    rows = [("exact match", f"{curve.first:.3f} at first, {best}, {curve.last:.3f} at last ({result.out}/curve.jsonl)")]
    if curve.chosen_on is None:
        return rows
    chosen = f"those after step {curve.written_step:,}; {curve.chosen_on:,} other questions choose the best step"
    ended = [("ended early", f"after {result.steps:,} steps: no new best on these")] if curve.ended_early else []
    return [*rows, ("weights kept", chosen), *ended]


def _warnings(warnings: tuple[str, ...]) -> list[tuple[str, str]]:
    return [("warning", warning) for warning in warnings]
