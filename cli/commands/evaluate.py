"""`elusive evaluate`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from elusive.config import EvaluateConfig
from elusive.unspaced import remark

from ..calls import Call, options_of
from ..tables import UNKNOWN, plain, table_of
from ..words import changed_options, count, duration, memory, several

if TYPE_CHECKING:
    from rich.table import Table

    from elusive.jobs.evaluate import EvaluateResult
    from elusive.jobs.evaluate_plan import EvaluatePlan
    from elusive.statistics import Estimate

EPILOG = """
Examples:

  elusive evaluate pretrained --questions people.jsonl      # what it learnt

  elusive evaluate ./model --adapter ./lora --questions qa.jsonl --shots 5

  elusive evaluate ./model --questions qa.jsonl --forgetting wiki=wiki.jsonl

  elusive evaluate --retriever ./encoder --passages wiki.tsv --questions qa.csv

  elusive evaluate ./reader --retriever ./encoder --passages ./index
"""


@options_of(EvaluateConfig, argument="model")
def evaluate(call: Call[EvaluateConfig]) -> None:
    """Measure what a model knows, what a retriever finds, and what was forgotten.

    Questions are asked closed-book: a few answered ones on other people, then the question, answered greedily in a
    line; exact match and F1 are SQuAD's, per field and over all, with 95 % intervals for which people are drawn again.
    With a retriever, its hits are counted, and the model, where one is named, answers from what it finds. --forgetting
    takes the perplexity of other texts. Questions that stand in what the model was trained on end the job.
    """
    if call.dry_run:
        from elusive.jobs.evaluate_plan import plan_evaluate

        plan = plan_evaluate(call.options, overwrite=call.overwrite, progress=call.progress)
        call.show_rows(plan, _plan_rows)
        return
    from elusive.jobs.evaluate import run

    result = run(call.options, overwrite=call.overwrite, progress=call.progress)
    call.show(result, _show_tables)


def _plan_rows(plan: "EvaluatePlan") -> list[tuple[str, str]]:
    rows = [
        ("questions", f"{plan.questions:,}" + (f" on {plan.groups:,} people" if plan.fields else "")),
        *((f"  {field}", f"{n:,}") for field, n in plan.fields.items()),
        ("rejected", f"{plan.rejected:,}"),
    ]
    asked = plan.closed_book
    if asked is not None:
        rows += [
            ("first prompt", repr(asked.prompt)),
            ("tokens", f"{count(asked.tokens)}, {asked.longest_prompt:,} in the longest prompt"),
            ("memory", f"{memory(asked.peak_bytes)} at most, with a batch"),
            ("time", f"about {duration(asked.seconds)}"),
        ]
    return [*rows, changed_options(plan.options, EvaluateConfig)]


def _show_tables(result: "EvaluateResult") -> None:
    from rich.console import Console

    console = Console(highlight=False)
    people = f" on {result.groups:,} people" if result.fields else ""
    console.print(
        f"{result.questions:,} questions{people}"
        + (f", {several(result.shots, 'shot')}" if result.model and not result.retrieval else "")
        + (f"; {several(result.rejected, 'row')} rejected (rejected.jsonl)" if result.rejected else "")
    )
    for table in (_answers(result), _retrieval(result), _forgetting(result)):
        if table is not None:
            console.print()
            console.print(table)
    lines = list(_sentences(result))
    if lines:
        console.print()
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _answers(result: "EvaluateResult") -> "Table | None":
    if result.exact_match is None or result.f1 is None:
        return None
    table = table_of("", numbers=("exact match", "95 %", "F1", "95 %", "questions"))
    for field, scores in result.fields.items():
        table.add_row(plain(field), *_cells(scores.exact_match), *_cells(scores.f1), f"{scores.f1.n:,}")
    table.add_row("all", *_cells(result.exact_match), *_cells(result.f1), f"{result.questions:,}")
    return table


def _retrieval(result: "EvaluateResult") -> "Table | None":
    if not result.retrieval:
        return None
    table = table_of("retrieval", numbers=("mean", "95 %"))
    for name, rate in result.retrieval.items():
        table.add_row(name, *_cells(rate))
    return table


def _forgetting(result: "EvaluateResult") -> "Table | None":
    if not result.forgetting:
        return None
    table = table_of("other text", numbers=("perplexity", "nats/token", "95 %", "tokens"))
    for name, found in result.forgetting.items():
        table.add_row(plain(name), f"{found.perplexity:,.2f}", *_cells(found.nll_per_token), f"{found.tokens:,}")
    return table


def _cells(estimate: "Estimate") -> list[str]:
    if estimate.mean is None:
        return [UNKNOWN, UNKNOWN]
    interval = UNKNOWN if estimate.low is None else f"{estimate.low:.3f} to {estimate.high:.3f}"
    return [f"{estimate.mean:.3f}", interval]


def _sentences(result: "EvaluateResult") -> Iterator[str]:
    leaks = result.leaks
    if leaks is None and result.model:
        yield "Whether the model has read the questions before is not known; --trained-on looks."
    if leaks and leaks.leaked:
        yield (
            f"Warning: {leaks.leaked:,} of the questions stand in what the model was trained on "
            f"(the first, in {leaks.first_in}: {leaks.first})."
        )
    if result.truncated or result.unreadable:
        yield (
            f"Warning: {several(result.truncated or 0, 'question')} had passages cut to fit the model, and "
            f"{result.unreadable or 0:,} had no room at all and no answer."
        )
    if result.unspaced:
        yield remark(result.unspaced, of=result.questions)
    for unread in leaks.unread if leaks else ():
        yield f"Warning: not looked through for the questions: {unread}."
