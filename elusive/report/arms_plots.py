"""The plots of `elusive compare-arms`: each arm's mean, and its difference from each reference, with every seed.

No arm's name is drawn: a row is a letter, and the page says whose it is.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from elusive.evaluation.arms_result import ArmsComparison
from elusive.evaluation.arms_words import label
from elusive.report import plots
from elusive.report.page import Figure, Table
from elusive.report.printed import interval, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_ARMS: Final = 12
MAX_REFERENCES: Final = 4
_SEEDS_BELOW: Final = 0.27


@dataclass(frozen=True)
class Row:
    """An arm in a plot: its mean, the interval over groups, that over seeds, and each seed."""

    letter: str
    arm: str
    mean: float
    bounds: tuple[float, float] | None
    over_seeds: tuple[float, float] | None
    by_seed: tuple[float, ...]


def letters(comparison: ArmsComparison) -> dict[str, str]:
    """A letter for each arm that is drawn: of many, the references and the best ones."""
    measure = comparison.measures[0]
    means = {arm.name: arm.estimates[measure].mean or 0.0 for arm in comparison.arms}
    best = sorted(means, key=lambda name: (name not in comparison.references, -means[name]))[:MAX_ARMS]
    return dict(zip([name for name in means if name in best], string.ascii_uppercase, strict=False))


def figures(comparison: ArmsComparison) -> list[Figure]:
    """The plot of the means, then one of differences for each reference."""
    names = letters(comparison)
    drawn = [reference for reference in comparison.references if reference in names]
    return [
        _means(comparison, names),
        *(_differences(comparison, reference, names, place) for place, reference in enumerate(drawn[:MAX_REFERENCES])),
    ]


def _means(comparison: ArmsComparison, names: dict[str, str]) -> Figure:
    measure = comparison.measures[0]
    found = {arm.name: arm for arm in comparison.arms}
    rows = [
        Row(
            letter,
            name,
            found[name].estimates[measure].mean or 0.0,
            found[name].estimates[measure].interval,
            None,
            tuple(seed.means[measure] for seed in found[name].seeds),
        )
        for name, letter in names.items()
    ]
    title = f"{label(measure)[:1].upper()}{label(measure)[1:]} of each arm"

    def plot(axes: "Axes") -> None:
        _draw(axes, rows)
        axes.set_xlabel(label(measure))

    return Figure(
        "means",
        title,
        plots.draw(plot, name="means", label=f"{title}: mean, 95 % interval, and each seed"),
        "The large point is the mean, the line its 95 % interval over groups of questions; the small points are seeds.",
        _table(title, rows, ".3f"),
    )


def _differences(comparison: ArmsComparison, reference: str, names: dict[str, str], place: int) -> Figure:
    measure = comparison.measures[0]
    rows = [
        Row(names[d.arm], d.arm, d.difference.mean or 0.0, d.difference.interval, d.over_seeds, d.by_seed)
        for d in comparison.headline
        if d.reference == reference and d.arm in names
    ]
    title = f"Difference from {names[reference]}"

    def plot(axes: "Axes") -> None:
        axes.axvline(0, color=plots.INK, linewidth=0.8)
        _draw(axes, rows)
        axes.set_xlabel(f"{label(measure)}, difference")

    return Figure(
        f"differences-{place}",
        title,
        plots.draw(plot, name=f"differences-{place}", label=f"{title}: mean, 95 % intervals, and each seed"),
        "An arm is above where its line, and every small point, is right of zero. The thin dashed line is the interval "
        "with seeds as the unit; where it leaves the plot, it ends at its edge.",
        _table(title, rows, "+.3f"),
    )


def _draw(axes: "Axes", rows: Sequence[Row]) -> None:
    places = range(len(rows))
    for place, row in zip(places, rows, strict=True):
        if row.bounds:
            axes.plot(row.bounds, [place, place], color=plots.BLUE, linewidth=2.4, solid_capstyle="butt", zorder=3)
        below = [place + _SEEDS_BELOW] * len(row.by_seed)
        axes.plot(row.by_seed, below, linestyle="", marker="o", markersize=3, color=plots.MUTED, zorder=3)
    axes.plot(
        [row.mean for row in rows], list(places), linestyle="", marker="o", markersize=6, color=plots.BLUE, zorder=4
    )
    axes.set_xlim(axes.get_xlim())  # what so few seeds leave open would press all else together
    for place, row in zip(places, rows, strict=True):
        if row.over_seeds:
            at = [place + _SEEDS_BELOW] * 2
            axes.plot(row.over_seeds, at, color=plots.MUTED, linewidth=0.8, linestyle=(0, (3, 2)), zorder=2)
    axes.set_yticks(list(places), [row.letter for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.locator_params(axis="x", nbins=6)


def _table(caption: str, rows: Sequence[Row], spec: str) -> Table:
    cells = (
        (
            f"{row.letter}: {row.arm}",
            number(row.mean, spec),
            interval(row.bounds, spec) or "n/a",
            ", ".join(number(value, spec) for value in row.by_seed),
        )
        for row in rows
    )
    return Table(caption, ("arm", "mean", "95 % interval", "by seed"), tuple(cells))
