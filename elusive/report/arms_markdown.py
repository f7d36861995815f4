"""`arms.md` of a comparison of arms: its table and its verdict, for a README or a pull request."""

from collections.abc import Iterator

from elusive.data.markdown import table
from elusive.evaluation.arms_result import ArmFigures, ArmsComparison
from elusive.evaluation.arms_words import label
from elusive.report.arms_tables import drop_rate, steps
from elusive.report.printed import interval, number


def arms_markdown(comparison: ArmsComparison) -> str:
    """A row for each arm, the verdict, and the warnings."""
    head = ("arm", *map(label, comparison.measures), "by seed", "steps", "drop rate")
    lines = [table(head, (list(_row(comparison, arm)) for arm in comparison.arms)), ""]
    seeds = "1 seed" if comparison.n_seeds == 1 else f"{comparison.n_seeds} seeds"
    lines.append(
        f"{seeds}, {comparison.n_questions:,} questions of each arm in {comparison.n_groups:,} groups, such as people. "
        "Brackets hold 95 % intervals over groups; drop rates are of the copies, originals left out."
    )
    lines += ["", *(f"- {sentence}" for sentence in comparison.verdict)]
    if comparison.warnings:
        lines += ["", "Beware:", "", *(f"- {sentence}" for sentence in comparison.warnings)]
    return "\n".join(lines) + "\n"


def _row(comparison: ArmsComparison, arm: ArmFigures) -> Iterator[str]:
    yield arm.name
    for measure in comparison.measures:
        one = arm.estimates[measure]
        bounds = interval(one.interval, ".3f")
        yield number(one.mean, ".3f") + (f" ({bounds})" if bounds else "")
    yield ", ".join(number(seed.means[comparison.measures[0]], ".3f") for seed in arm.seeds)
    yield steps(arm)
    yield drop_rate(arm)
