"""The tables of `elusive compare-arms`: figures, differences, fields, other texts, seeds, and what arms differ in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elusive.evaluation.arms_result import ArmFigures, ArmsComparison, Difference, Spread
from elusive.evaluation.arms_words import label, spread_in_words
from elusive.report.glyphs import shortened
from elusive.report.names import MAX_NAME
from elusive.report.page import Table
from elusive.report.printed import NOT_APPLICABLE, Cell, FigureTable, Group, interval, number
from elusive.statistics import Estimate


def figure_rows(comparison: ArmsComparison) -> FigureTable:
    """Each arm's measures, steps and drop rate of the copies, in the order given."""
    rows = (
        (
            arm.name,
            (
                *(_estimate(arm.estimates[measure]) for measure in comparison.measures),
                Cell(steps(arm)),
                Cell(drop_rate(arm)),
            ),
        )
        for arm in comparison.arms
    )
    head = (*map(label, comparison.measures), "optimizer steps", "drop rate of the copies")
    return FigureTable("Means over questions, then over seeds", head, (Group("", tuple(rows)),))


def difference_rows(comparison: ArmsComparison) -> FigureTable:
    """Every difference, a group for each measure and reference."""
    groups = (
        Group(
            f"{label(measure)}, against {reference}",
            tuple(
                (one.arm, _difference(one))
                for one in comparison.differences
                if (one.measure, one.reference) == (measure, reference)
            ),
        )
        for measure in comparison.measures
        for reference in comparison.references
    )
    head = ("difference", "with seeds as the unit", "seeds above", "by seed", "verdict")
    return FigureTable("Differences, paired over the same questions", head, tuple(groups))


def field_rows(comparison: ArmsComparison) -> FigureTable | None:
    """The first measure by field; None where questions have none."""
    fields = dict.fromkeys(field for arm in comparison.arms for field in arm.fields)
    rows = (
        (
            shortened(field, MAX_NAME),
            tuple(_estimate(arm.fields[field]) if field in arm.fields else Cell("") for arm in comparison.arms),
        )
        for field in fields
    )
    caption = f"By field: {label(comparison.measures[0])}"
    return _by_arm(caption, comparison, tuple(rows)) if fields else None


def perplexity_rows(comparison: ArmsComparison) -> FigureTable | None:
    """Perplexity on other texts; None where none were asked for."""
    texts = dict.fromkeys(text for arm in comparison.arms for text in arm.perplexities)
    rows = (
        (shortened(text, MAX_NAME), tuple(_spread(arm.perplexities.get(text)) for arm in comparison.arms))
        for text in texts
    )
    return _by_arm("Perplexity, mean over seeds", comparison, tuple(rows)) if texts else None


def seed_table(comparison: ArmsComparison) -> Table:
    """The folders that were read, in pairs, with what each gave."""
    measure = comparison.measures[0]
    rows = (
        (str(number_of), arm.name, shortened(seed.folder, MAX_NAME), number(seed.means[measure], ".3f"))
        for number_of in range(1, comparison.n_seeds + 1)
        for arm in comparison.arms
        for seed in [arm.seeds[number_of - 1]]
    )
    return Table("Folders by seed", ("seed", "arm", "folder", label(measure)), tuple(rows))


def option_rows(comparison: ArmsComparison) -> FigureTable | None:
    """The options in which arms differ; None where none is known."""
    groups = tuple(
        Group(
            f"elusive {job}",
            tuple(
                (option, tuple(_value(values, arm.name) for arm in comparison.arms))
                for option, values in options.items()
            ),
        )
        for job, options in comparison.options.items()
    )
    caption = "Options that are not the same in all arms"
    return FigureTable(caption, tuple(arm.name for arm in comparison.arms), groups) if groups else None


def steps(arm: ArmFigures) -> str:
    """An arm's optimizer steps, from the least to the most over seeds."""
    return spread_in_words(arm.steps, ",.0f") if arm.steps else NOT_APPLICABLE


def drop_rate(arm: ArmFigures) -> str:
    """The drop rate of an arm's copies, likewise."""
    return spread_in_words(arm.drop_rate, ".3f") if arm.drop_rate else NOT_APPLICABLE


def _by_arm(caption: str, comparison: ArmsComparison, rows: tuple[tuple[str, tuple[Cell, ...]], ...]) -> FigureTable:
    return FigureTable(caption, tuple(arm.name for arm in comparison.arms), (Group("", rows),))


def _estimate(one: Estimate) -> Cell:
    return Cell(number(one.mean, ".3f"), interval(one.interval, ".3f"))


def _spread(one: Spread | None) -> Cell:
    if one is None:
        return Cell(NOT_APPLICABLE)
    words = spread_in_words(one, ".2f")
    return Cell(f"{one.mean:.2f}", words if one.lowest != one.highest else "")


def _difference(one: Difference) -> tuple[Cell, ...]:
    return (
        Cell(number(one.difference.mean, "+.3f"), interval(one.difference.interval, "+.3f")),
        Cell(interval(one.over_seeds, "+.3f") or NOT_APPLICABLE),
        Cell(f"{one.n_above} of {len(one.by_seed)}"),
        Cell(", ".join(number(value, "+.3f") for value in one.by_seed)),
        Cell(one.word),
    )


def _value(values: Mapping[str, Any], arm: str) -> Cell:
    """Not known is not the same as not set; a place of this machine goes by its last name."""
    if arm not in values:
        return Cell(NOT_APPLICABLE)
    value = values[arm]
    several: Sequence[Any] = value if isinstance(value, list) else [value]
    return Cell(shortened(", ".join(_printed(one) for one in several) or "none", MAX_NAME))


def _printed(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        name, _, place = value.partition("=")  # as --forgetting has them: NAME=DATA
        if Path(value).is_absolute():
            return Path(value).name
        return f"{name}={Path(place).name}" if Path(place).is_absolute() else value
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
