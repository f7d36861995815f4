"""The plots of `elusive pretrain`: over steps, what the model knows, its loss and its learning rate."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from elusive.report import plots
from elusive.report.page import Figure, Table
from elusive.report.printed import interval, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]
"""Lines of `metrics.jsonl` or `curve.jsonl`."""

_MAX_POINTS: Final = 120
_SETS: Final[Sequence[tuple[str, str, Mapping[str, Any]]]] = (
    ("", "reported", {"color": plots.BLUE, "marker": "o", "markersize": 4.0, "zorder": 3}),
    (
        "select_",
        "choosing",
        {"color": plots.ORANGE, "marker": "s", "markersize": 3.5, "linestyle": (0, (4, 1.5)), "zorder": 3},
    ),
)
"""Both sets of questions: how their figures begin, what they are called, and how they are drawn."""


def curves(metrics: Rows, measured: Rows, *, written_step: int | None) -> list[Figure]:
    """The plots of a run.

    Args:
        metrics: lines of `metrics.jsonl`; of many, some are drawn.
        measured: lines of `curve.jsonl`; empty where nothing was measured.
        written_step: the step that was chosen by other questions; None where nothing was chosen.
    """
    some = _thinned(metrics)
    known = [_exact_match(measured, written_step)] if measured else []
    return [*known, _loss(some, written_step), _rate(some)]


def _thinned(rows: Rows) -> Rows:
    """At most so many as a page can hold, spread evenly, with the first and the last."""
    n = min(len(rows), _MAX_POINTS)
    places = sorted({round(i * (len(rows) - 1) / max(n - 1, 1)) for i in range(n)})
    return [rows[place] for place in places]


def _exact_match(rows: Rows, written_step: int | None) -> Figure:
    steps = [row["step"] for row in rows]
    sets = [one for one in _SETS if f"{one[0]}exact_match" in rows[0]]

    def plot(axes: "Axes") -> None:
        for prefix, name, style in sets:
            means = [row[f"{prefix}exact_match"] for row in rows]
            bounds = [_bounds(row, prefix) for row in rows]
            if all(bounds):
                low, high = zip(*(one or (0.0, 0.0) for one in bounds), strict=True)
                axes.fill_between(steps, low, high, color=style["color"], alpha=0.14, linewidth=0)
            axes.plot(steps, means, label=f"{name} questions", **style)
        axes.set(ylabel="exact match", ylim=(0, 1.03))
        _along_steps(axes, steps, written_step, n_lines=len(sets))

    head = ("step", *(head for _, name, _ in sets for head in (f"{name}: exact match", "95 % interval", "F1")))
    cells = ((f"{row['step']:,}", *(cell for prefix, _, _ in sets for cell in _measures(row, prefix))) for row in rows)
    return Figure(
        "exact-match",
        "Exact match",
        plots.draw(plot, name="exact-match", label="Exact match over steps, with its 95 % interval"),
        "Points are measurements, the band is the 95 % interval over people, or over questions where nobody is known.",
        Table("Exact match", head, tuple(cells)),
    )


def _loss(rows: Rows, written_step: int | None) -> Figure:
    steps = [row["step"] for row in rows]

    def plot(axes: "Axes") -> None:
        axes.plot(steps, [row["loss"] for row in rows], color=plots.BLUE, label="loss")
        axes.set(ylabel="nats a token")
        axes.set_ylim(0, None)
        _along_steps(axes, steps, written_step, n_lines=1)

    return Figure(
        "loss",
        "Training loss",
        plots.draw(plot, name="loss", label="Training loss over steps"),
        "A point is the mean over the last steps before it, ten at most. A loss that falls says that texts are "
        "memorised, not that their facts can be told when asked for.",
        Table("Training loss", ("step", "loss"), tuple((f"{r['step']:,}", number(r["loss"], ".4f")) for r in rows)),
    )


def _rate(rows: Rows) -> Figure:
    steps = [row["step"] for row in rows]

    def plot(axes: "Axes") -> None:
        axes.plot(steps, [row["lr"] for row in rows], color=plots.BLUE, label="learning rate")
        axes.set_ylim(0, None)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        _along_steps(axes, steps, None, n_lines=1)

    return Figure(
        "learning-rate",
        "Learning rate",
        plots.draw(plot, name="learning-rate", label="Learning rate over steps"),
        "It rises over the warm-up, and then falls as the schedule says.",
        Table("Learning rate", ("step", "rate"), tuple((f"{r['step']:,}", f"{r['lr']:.2e}") for r in rows)),
    )


def _along_steps(axes: "Axes", steps: Sequence[int], written_step: int | None, *, n_lines: int) -> None:
    if written_step is not None:
        axes.axvline(written_step, color=plots.MUTED, linewidth=1.0, linestyle=(0, (6, 2, 1, 2)), label="written")
    last = max(steps[-1], 1)
    axes.set(xlabel="step", xlim=(-0.02 * last, 1.02 * last))
    axes.locator_params(axis="x", integer=True)
    plots.legend(axes, n_lines + (written_step is not None))


def _bounds(row: Mapping[str, Any], prefix: str) -> tuple[float, float] | None:
    low, high = row[f"{prefix}exact_match_low"], row[f"{prefix}exact_match_high"]
    return None if low is None or high is None else (low, high)


def _measures(row: Mapping[str, Any], prefix: str) -> tuple[str, str, str]:
    return (
        number(row[f"{prefix}exact_match"], ".3f"),
        interval(_bounds(row, prefix), ".3f") or "n/a",
        number(row[f"{prefix}f1"], ".3f"),
    )
