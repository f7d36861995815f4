"""The plots of `elusive distill`: over steps, what the retriever finds, its loss, and the signs of collapse."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from elusive.distillation.evaluation import CUTS
from elusive.distillation.gate import Thresholds
from elusive.report import plots
from elusive.report.page import Figure, Table
from elusive.report.printed import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]
"""Lines of `metrics.jsonl`."""

_Style = Mapping[str, Any]
_MAX_POINTS: Final = 100
_NAN: Final = float("nan")
_FIRST: Final[_Style] = {"color": plots.BLUE, "linewidth": 2.0, "marker": "o", "markersize": 4.0, "zorder": 3}
_SECOND: Final[_Style] = {
    "color": plots.ORANGE,
    "linewidth": 1.6,
    "linestyle": (0, (4, 1.5)),
    "marker": "s",
    "markersize": 3.5,
}
_THIRD: Final[_Style] = {
    "color": plots.INK,
    "linewidth": 1.4,
    "linestyle": (0, (1, 1.3)),
    "marker": "^",
    "markersize": 3.5,
}
_STYLES: Final = {1: _SECOND, 5: _FIRST, 20: _THIRD}


def curves(rows: Rows, *, best_step: int) -> list[Figure]:
    """The plots of a run; none where nothing was measured after its start.

    Args:
        rows: what was measured, the start first; of many, some are drawn.
        best_step: after which the retriever that is kept was.
    """
    if len(rows) < 2:
        return []
    some = _thinned(rows, best_step)
    return [_hit_rates(some, best_step), _collapse(some, best_step), _loss(some, best_step)]


def _thinned(rows: Rows, best_step: int) -> Rows:
    """At most so many that a page can bear, spread evenly; the first, the last and the best one are among them."""
    n = min(len(rows), _MAX_POINTS)
    places = {round(i * (len(rows) - 1) / (n - 1)) for i in range(n)}
    return [row for i, row in enumerate(rows) if i in places or row["step"] == best_step]


def _hit_rates(rows: Rows, best_step: int) -> Figure:
    steps = [row["step"] for row in rows]

    def plot(axes: "Axes") -> None:
        for k in CUTS:
            axes.plot(steps, [_value(row, f"hr@{k}") for row in rows], label=f"HR@{k}", **_STYLES[k])
        axes.set(ylabel="share of dev questions", ylim=(0, 1.03))
        _along_steps(axes, rows, best_step, n_lines=len(CUTS))

    return Figure(
        "hit-rates",
        "Hit rates on dev",
        plots.draw(plot, name="hit-rates", label="Hit rates at 1, 5 and 20 on dev over steps"),
        "The retriever with the highest HR@5 is kept.",
        _table("Hit rates on dev", rows, {**{f"HR@{k}": f"hr@{k}" for k in CUTS}, "MRR": "mrr"}),
    )


def _collapse(rows: Rows, best_step: int) -> Figure:
    steps, least = [row["step"] for row in rows], Thresholds()
    start = rows[0].get("gap")
    shares = [{**row, "share": _value(row, "gap") / start if start else None} for row in rows]

    def plot(axes: "Axes") -> None:
        axes.plot(steps, [_value(row, "share") for row in shares], label="gap, of its start", **_FIRST)
        axes.plot(steps, [_value(row, "overlap") for row in rows], label="overlap", **_SECOND)
        _threshold(axes, "gap", least.gap, _FIRST)
        _threshold(axes, "overlap", least.overlap, _SECOND)
        axes.set(ylabel="share")
        axes.set_ylim(0, None)
        _along_steps(axes, rows, best_step, n_lines=2)

    return Figure(
        "collapse",
        "Signs of collapse",
        plots.draw(plot, name="collapse", label="Gap as a share of its start, and overlap, over steps, with alarms"),
        "Gap: how far the score of rank 1 is above that of rank 50, as a share of what it was at the start. Overlap: "
        "the share of the first five passages that are the initial retriever's. Below its thin line, each raises an "
        "alarm.",
        _table("Signs of collapse", shares, {"gap": "gap", "of its start": "share", "overlap": "overlap"}),
    )


def _loss(rows: Rows, best_step: int) -> Figure:
    taught = [row for row in rows if "loss" in row]

    def plot(axes: "Axes") -> None:
        axes.plot([row["step"] for row in taught], [_value(row, "loss") for row in taught], label="loss", **_FIRST)
        axes.set(ylabel="mean since the row before")
        _along_steps(axes, rows, best_step, n_lines=1)

    return Figure(
        "loss",
        "Loss",
        plots.draw(plot, name="loss", label="Loss over steps"),
        "A loss that falls says that the retriever agrees more with its teacher on what it was shown, not that it "
        "finds more.",
        _table("Loss", taught, {"loss": "loss"}),
    )


def _threshold(axes: "Axes", name: str, value: float, line: _Style) -> None:
    """A thin line in the manner of the one that it is for, its words beside the plot, where they cover nothing."""
    axes.axhline(value, color=line["color"], linewidth=0.8, linestyle=line.get("linestyle", "-"))
    along = axes.get_yaxis_transform()
    axes.text(1.01, value, f"{name} < {value:g}", transform=along, va="center", color=line["color"], fontsize=7.5)


def _along_steps(axes: "Axes", rows: Rows, best_step: int, *, n_lines: int) -> None:
    last = rows[-1]["step"]
    axes.axvline(best_step, color=plots.MUTED, linewidth=1.0, linestyle=(0, (6, 2, 1, 2)), label="kept")
    axes.set(xlabel="step", xlim=(-0.02 * last, 1.02 * last))
    axes.locator_params(axis="x", integer=True)
    plots.legend(axes, n_lines + 1)


def _table(caption: str, rows: Rows, columns: Mapping[str, str]) -> Table:
    cells = ((f"{row['step']:,}", *(number(row.get(name), ".3f") for name in columns.values())) for row in rows)
    return Table(caption, ("step", *columns), tuple(cells))


def _value(row: Mapping[str, Any], name: str) -> float:
    """What was measured; NaN, which is not drawn, where it was not."""
    value = row.get(name)
    return _NAN if value is None else float(value)
