"""The plots of an augmentation: what was dropped by rank and by place, how long texts are, how fast the scores fall."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elusive.clues.dropout import drop_probability
from elusive.clues.histograms import LENGTH_EDGES, N_PLACES, RANK_EDGES, DropHistogram
from elusive.clues.text_clues import DropPlan
from elusive.report.page import Figure, Table
from elusive.report.plots import BLUE, INK, MUTED, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = np.array([0, 1, 2, 5] + [m * 10**k for k in range(1, 7) for m in (1, 2, 5)])
_DOTS = "Dots on the curve mean that the draws did what Eq. 1 asks; the band is where 95 % of them should lie."
_POINTS = 300
"""Of a line; a text of a million units must not make a page of a million points."""
_RATES = ("droppable units", "planned")
_DRAWN = ("realised", "± 2 SE")


def by_rank(drops: DropHistogram, plan: DropPlan, *, n_copies: int) -> Figure:
    """Planned and realised drop rate by rank, and Eq. 1."""
    seen = np.flatnonzero(drops.units)
    middles = _middles(RANK_EDGES, fractional=plan.relative)[seen]
    curve = np.expm1(np.linspace(0, np.log1p(middles[-1] + 1), 200))

    def plot(axes: "Axes") -> None:
        _rates(axes, middles, drops, n_copies=n_copies)
        eq1 = drop_probability(curve, alpha=plan.alpha, beta=plan.beta)
        axes.plot(curve, eq1, color=INK, linewidth=1, label="planned (Eq. 1)", zorder=1)
        _rank_axis(axes, middles[-1], plan)
        axes.legend(loc="lower right")

    return Figure(
        "by-rank",
        "By rank",
        draw(plot, name="by-rank", label="Drop rate by rank of the unit, on the curve of Eq. 1"),
        "Left are the strongest clues, which hardly ever drop. "
        + (_DOTS if n_copies else "Copies are drawn while a model trains, by this curve."),
        _rate_table("Drop rate by rank", "rank", _labels(RANK_EDGES), drops, n_copies=n_copies),
    )


def by_place(drops: DropHistogram, *, n_copies: int) -> Figure:
    """Planned and realised drop rate by place in the text."""
    middles = (np.arange(N_PLACES) + 0.5) / N_PLACES
    seen = np.flatnonzero(drops.units)
    labels = [f"{100 * i // N_PLACES}–{100 * (i + 1) // N_PLACES} %" for i in range(N_PLACES)]

    def plot(axes: "Axes") -> None:
        _rates(axes, middles[seen], drops, n_copies=n_copies)
        planned = drops.planned[seen] / drops.units[seen]
        axes.plot(middles[seen], planned, color=INK, linewidth=1, label="planned", zorder=1)
        axes.set(xlim=(0, 1), xlabel="place in the text", xticks=[0, 0.5, 1], xticklabels=["begin", "middle", "end"])
        axes.legend(loc="lower right")

    return Figure(
        "by-place",
        "By place in the text",
        draw(plot, name="by-place", label="Realised and planned drop rate by place in the text, begin to end"),
        "A level line means that no part of the texts is spared. The plan need not be level: where clues gather, less "
        "is dropped.",
        _rate_table("Drop rate by place", "place", labels, drops, n_copies=n_copies),
    )


def shares(drops: DropHistogram, plan: DropPlan) -> Figure:
    """How much of all units, and of all drops to come, lies up to each rank."""
    seen = np.flatnonzero(drops.units)
    last = RANK_EDGES[np.minimum(seen + 1, len(RANK_EDGES) - 1)] - (0 if plan.relative else 1)
    units, planned = (np.cumsum(values[seen]) / max(values.sum(), 1e-300) for values in (drops.units, drops.planned))

    def plot(axes: "Axes") -> None:
        axes.plot(last, units, color=INK, linewidth=1, label="of droppable units")
        axes.plot(last, planned, color=BLUE, label="of planned drops")
        axes.set_ylim(0, 1.03)
        axes.set_ylabel("share up to this rank")
        _rank_axis(axes, last[-1], plan)
        axes.legend(loc="upper left")

    names = _labels(RANK_EDGES)
    rows = [
        (names[b], f"{drops.units[b]:,}", f"{u:.3f}", f"{p:.3f}") for b, u, p in zip(seen, units, planned, strict=True)
    ]
    return Figure(
        "shares",
        "Where the drops lie",
        draw(plot, name="shares", label="Cumulated share of units and of planned drops by rank"),
        "Each curve climbs to 1 from the strongest clue to the weakest. The further the drops stay behind the units, "
        "the more the clues are spared.",
        Table("Units and planned drops by rank", ("rank", "units", "share of units", "share of drops"), tuple(rows)),
    )


def falling(scores: Sequence[tuple[str, NDArray[np.float64]]], *, guide: str) -> Figure:
    """The guide's score by rank, a line a sample text."""

    def plot(axes: "Axes") -> None:
        for _, values in scores:
            ranks = np.unique(np.expm1(np.linspace(0, np.log1p(len(values) - 1), _POINTS)).round().astype(int))
            axes.plot(ranks, values[ranks], color=BLUE, linewidth=1, alpha=0.75, marker=_dot(values), ms=3)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.set_ylabel(guide)
        _rank_axis(axes, max(len(values) for _, values in scores) - 1, DropPlan())

    at = (0, 1, 2, 5, 10, 20, 50, 100)
    rows = [(i, *(f"{v[r]:.3g}" if r < len(v) else "" for r in at)) for i, v in scores]
    return Figure(
        "falling",
        f"How fast {guide} falls",
        draw(plot, name="falling", label=f"{guide} by rank in each sample text"),
        f"A line is one of the texts above, its units sorted by {guide}. A steep fall on the left means that few "
        "units stand out; a flat line, that ranks say little.",
        Table(f"{guide} at some ranks", ("text", *(f"rank {r}" for r in at)), tuple(rows)),
    )


def lengths(counts: NDArray[np.int64]) -> Figure:
    """How many texts are how long."""
    seen = np.flatnonzero(counts)
    bins = np.arange(max(seen[0] - 1, 0), min(seen[-1] + 2, len(LENGTH_EDGES)))
    names = _labels(LENGTH_EDGES)

    def plot(axes: "Axes") -> None:
        axes.bar(bins, counts[bins], width=0.92, color=BLUE)
        ticks = bins[:: max(1, len(bins) // 6)]
        axes.set(xlabel="tokens", ylabel="texts", xticks=ticks - 0.5)
        axes.set_xticklabels([f"{LENGTH_EDGES[b]:,}" for b in ticks])
        axes.locator_params(axis="y", integer=True)

    rows = tuple((names[b], f"{counts[b]:,}") for b in seen)
    return Figure(
        "lengths",
        "Lengths of texts",
        draw(plot, name="lengths", label="Number of texts by number of tokens, two bins to an octave"),
        "Each bar holds texts between two lengths, the next about 1.4 times as long. Absolute ranks spare the same "
        "number of clues in short and in long texts.",
        Table("Texts by length", ("tokens", "texts"), rows),
    )


def _rates(axes: "Axes", middles: NDArray[np.float64], drops: DropHistogram, *, n_copies: int) -> None:
    axes.set_ylabel("drop rate")
    seen = np.flatnonzero(drops.units)
    if not n_copies:
        axes.set_ylim(0, max(0.05, 1.12 * float((drops.planned[seen] / drops.units[seen]).max())))
        return
    planned, realised, error = _rates_of(drops, seen, n_copies=n_copies)
    axes.fill_between(middles, planned - 2 * error, planned + 2 * error, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(middles, realised, "o", color=BLUE, markersize=3.2, label="realised")
    axes.set_ylim(0, max(0.05, 1.12 * float((planned + 2 * error).max()), 1.12 * float(realised.max())))


def _rates_of(
    drops: DropHistogram, seen: NDArray[np.intp], *, n_copies: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    units = drops.units[seen]
    error = np.sqrt(drops.variance[seen] / n_copies) / units
    return drops.planned[seen] / units, drops.dropped[seen] / (units * n_copies), error


def _rate_table(caption: str, of: str, labels: Sequence[str], drops: DropHistogram, *, n_copies: int) -> Table:
    seen = np.flatnonzero(drops.units)
    rows = [(labels[b], f"{drops.units[b]:,}", f"{drops.planned[b] / drops.units[b]:.3f}") for b in seen.tolist()]
    if not n_copies:
        return Table(caption, (of, *_RATES), tuple(rows))
    _, realised, errors = _rates_of(drops, seen, n_copies=n_copies)
    drawn = ((f"{r:.3f}", f"{2 * e:.3f}") for r, e in zip(realised, errors, strict=True))
    return Table(caption, (of, *_RATES, *_DRAWN), tuple((*row, *more) for row, more in zip(rows, drawn, strict=True)))


def _rank_axis(axes: "Axes", last: float, plan: DropPlan) -> None:
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    ticks = _TICKS[max(last, 1) >= _TICKS]
    axes.set_xlim(-0.15, max(last * 1.05, 1.5))
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("rank, as on a text of 64 units" if plan.relative else "rank (0 is the strongest clue)")


def _middles(edges: NDArray[np.int64], *, fractional: bool) -> NDArray[np.float64]:
    """The middle of each bin; of whole ranks, the last is one below the next bin's first."""
    last = np.append(edges[1:], edges[-1] + 1) - (0 if fractional else 1)
    middles: NDArray[np.float64] = (edges + last) / 2
    return middles


def _labels(edges: NDArray[np.int64]) -> list[str]:
    last = [*(edges[1:] - 1).tolist(), None]
    return [_label(a, b) for a, b in zip(edges.tolist(), last, strict=True)]


def _label(first: int, last: int | None) -> str:
    if last is None:
        return f"{first:,} and more"
    return f"{first:,}" if first == last else f"{first:,}–{last:,}"


def _dot(values: NDArray[np.float64]) -> str:
    return "o" if len(values) == 1 else ""
