"""`elusive compare-arms`."""

from typing import TYPE_CHECKING

from elusive.config import CompareArmsConfig
from elusive.errors import one_line

from ..calls import Call, options_of
from ..tables import UNKNOWN, plain, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from elusive.evaluation.arms_result import ArmsComparison
    from elusive.jobs.compare_arms import ArmsPlan, CompareArmsResult
    from elusive.statistics import Estimate

EPILOG = """
Examples:

  elusive compare-arms --arm 'plain=runs/plain-*/evaluated' --arm 'contrast=runs/contrast-*/evaluated'

  elusive compare-arms --config arms.yaml --reference plain --reference random

  elusive compare-arms --arm 'low=dev/a3-*' --arm 'high=dev/a7-*' --best best.yaml
"""


@options_of(CompareArmsConfig)
def compare_arms(call: Call[CompareArmsConfig]) -> None:
    """Compare ways of training by what their models know, question by question, and say how sure that is.

    An arm is one folder of elusive evaluate for each seed; the n-th folder of every arm must hold the same questions.
    An arm is called above another one only if the 95 % interval over people leaves zero out and every seed agrees;
    else the two are not told apart, which is said as plainly. Optimizer steps and drop rates are looked up in the runs
    behind each arm, and arms that differ in them are warned of.
    """
    from elusive.jobs import compare_arms as job

    if call.dry_run:
        plan = job.plan(call.options, overwrite=call.overwrite)
        call.show_rows(plan, _plan_rows)
        return
    result = job.run(call.options, overwrite=call.overwrite, progress=call.progress)
    call.show(result, _show_tables)


def _plan_rows(plan: "ArmsPlan") -> list[tuple[str, str]]:
    return [
        ("questions", f"{plan.questions:,} of each arm, over seeds"),
        ("groups", f"{plan.groups:,}, each counted once"),
        *((name, one_line(", ".join(folders))) for name, folders in plan.folders.items()),
    ]


def _show_tables(result: "CompareArmsResult") -> None:
    from rich.console import Console

    console, comparison = Console(highlight=False), result.comparison
    seeds = "1 seed" if comparison.n_seeds == 1 else f"{comparison.n_seeds} seeds"
    console.print(f"{seeds}, {comparison.n_questions:,} questions of each arm in {comparison.n_groups:,} groups")
    console.print()
    console.print(_figures(comparison))
    console.print()
    for sentence in (*comparison.verdict, *(f"Warning: {warning}" for warning in comparison.warnings)):
        console.print(sentence, markup=False, soft_wrap=True)
    if result.best_options:
        written = ", ".join(f"{name} {value}" for name, value in result.best_options.items())
        line = f"For elusive augment, as for {comparison.best}: {written}."
        console.print(one_line(line), markup=False, soft_wrap=True)


def _figures(comparison: "ArmsComparison") -> "Table":
    from elusive.evaluation.arms_words import label, spread_in_words

    numbers = [name for measure in comparison.measures for name in (label(measure), "95 %")]
    table = table_of("arm", numbers=(*numbers, "steps", "drop rate"))
    for arm in comparison.arms:
        table.add_row(
            plain(arm.name),
            *(cell for measure in comparison.measures for cell in _cells(arm.estimates[measure])),
            spread_in_words(arm.steps, ",.0f") if arm.steps else UNKNOWN,
            spread_in_words(arm.drop_rate, ".3f") if arm.drop_rate else UNKNOWN,
        )
    return table


def _cells(estimate: "Estimate") -> tuple[str, str]:
    mean = UNKNOWN if estimate.mean is None else f"{estimate.mean:.3f}"
    return mean, f"{estimate.interval[0]:.3f} to {estimate.interval[1]:.3f}" if estimate.interval else UNKNOWN
