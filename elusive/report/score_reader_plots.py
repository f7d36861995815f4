"""The plots of `elusive score-reader`: how the indicators are spread over questions, and shares by place in the prompt.

No reader's name is drawn: a line is a letter, and the page says whose it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from elusive.indicators.examples import ReaderExamples
from elusive.indicators.judged import JudgedReader
from elusive.indicators.readings import Figure as Measured
from elusive.indicators.readings import Measure, applies
from elusive.report import plots
from elusive.report.page import Figure, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_N_BINS: Final = 24
_NAMES: Final = {"answer": "the answer", "question": "the question's nouns"}


@dataclass(frozen=True)
class Line:
    """How a reader is drawn: no two lines differ by colour alone.

    Attributes:
        letter: what plots call it.
        reader: its name, for the page.
        colour: a stand-in of `plots`.
        width: in points.
        dashes: on and off, in widths; none for an unbroken line.
    """

    letter: str
    reader: str
    colour: str
    width: float
    dashes: tuple[float, ...]

    @property
    def style(self) -> str:
        """The same for a line of the page."""
        dashes = " ".join(f"{self.width * dash:g}" for dash in self.dashes) or "none"
        return f"stroke: var({plots.VARIABLES[self.colour]}); stroke-width: {self.width:g}; stroke-dasharray: {dashes}"

    @property
    def drawn(self) -> dict[str, Any]:
        """What matplotlib is told."""
        return {
            "color": self.colour,
            "linewidth": self.width,
            "linestyle": (0, self.dashes or None),
            "label": self.letter,
            "zorder": 4 - ord(self.letter) / 100,  # the best reader on top
        }


_STYLES: Final = (
    ("A", plots.BLUE, 2.2, ()),
    ("B", plots.ORANGE, 1.6, (4.0, 1.5)),
    ("C", plots.INK, 1.4, (1.0, 1.3)),
    ("D", plots.MUTED, 0.9, ()),
)
MAX_LINES: Final = len(_STYLES)


def lines(names: Sequence[str]) -> tuple[Line, ...]:
    """A line for each of up to `MAX_LINES` readers."""
    return tuple(
        Line(letter, name, colour, width, dashes)
        for name, (letter, colour, width, dashes) in zip(names, _STYLES, strict=False)
    )


def histogram(
    readers: Sequence[ReaderExamples], drawn: Sequence[Line], measure: Measure, figure: Measured
) -> Figure | None:
    """How a figure is spread over questions, an outline for each reader; None where it says nothing of any of them.

    Args:
        readers: to be drawn.
        drawn: their lines, in the same order.
        measure: the indicator and its percentile.
        figure: attention or ρ.
    """
    values = [
        (line, _values(reader, measure, figure))
        for line, reader in zip(drawn, readers, strict=True)
        if applies(reader.kind, measure.target, figure)
    ]
    values = [(line, found) for line, found in values if len(found)]
    if not values:
        return None
    edges = _edges(np.concatenate([found for _, found in values]), figure)
    # What is above the last edge is counted in the last bin.
    shares = [np.histogram(np.minimum(found, edges[-1]), edges)[0] / len(found) for _, found in values]
    is_rho = figure == "spearman"
    title = f"{'ρ' if is_rho else 'Attention'}: near {_NAMES[measure.target]} (p{measure.percentile:g})"
    name = f"{measure.target}-{figure}"

    def plot(axes: "Axes") -> None:
        for (line, _), heights in zip(values, shares, strict=True):
            axes.stairs(heights, edges, **line.drawn)
        axes.set(xlim=(edges[0], edges[-1]), ylabel="share of questions")
        axes.set_xlabel("ρ of score and similarity" if is_rho else "share of attention that a nearest token has")
        axes.set_ylim(0, None)
        plots.legend(axes, len(values))

    rows = tuple(
        (_bin(edges, b, is_rho=is_rho), *(f"{heights[b]:.3f}" for heights in shares)) for b in range(len(edges) - 1)
    )
    return Figure(
        name,
        title,
        plots.draw(plot, name=name, label=f"{title}: share of questions by value, an outline for each reader"),
        "Outlines further right are better: within the nearest tokens, the nearer ones get more."
        if is_rho
        else "Outlines further right are better, between prompts of one length: the nearest tokens get more of the "
        "attention.",
        Table(f"{title}: share of questions", ("from", *(line.reader for line, _ in values)), rows),
    )


def by_place(readers: Sequence[JudgedReader], drawn: Sequence[Line]) -> Figure:
    """The mean share of the passage at each place of the prompt, beside how often it holds an answer."""
    hits = max((reader.slot_hits for reader in readers), key=len)
    places = np.arange(1, len(hits) + 1)

    def plot(axes: "Axes") -> None:
        axes.bar(places, hits, width=0.86, color=plots.LINE, label="holds an answer")
        for line, reader in zip(drawn, readers, strict=True):
            at = places[: len(reader.slots)]
            axes.plot(at, reader.slots, marker="o", markersize=2.5 + line.width, **line.drawn)
        axes.set(xlabel="place in the prompt", ylabel="share", xlim=(0.4, len(hits) + 0.6))
        axes.set_ylim(0, None)
        axes.locator_params(axis="x", integer=True)
        plots.legend(axes, 1 + len(drawn))

    rows = (
        (str(place), f"{hits[i]:.3f}", *(f"{r.slots[i]:.3f}" if i < len(r.slots) else "" for r in readers))
        for i, place in enumerate(places.tolist())
    )
    return Figure(
        "by-place",
        "By place in the prompt",
        plots.draw(
            plot, name="by-place", label="Mean share of each place in the prompt, and how often it holds an answer"
        ),
        "Lines that follow the bars are of readers that look where the answers are; a line that falls or rises where "
        "the bars are level is of one that goes by the place.",
        Table("By place", ("place", "holds an answer", *(reader.reader for reader in readers)), tuple(rows)),
    )


def _values(reader: ReaderExamples, measure: Measure, figure: Measured) -> NDArray[np.float64]:
    found = reader.readings_of([measure]).of(measure).values()
    values = np.array([getattr(one, figure) for one in found], dtype=np.float64)
    return values[~np.isnan(values)]


def _edges(values: NDArray[np.float64], figure: Measured) -> NDArray[np.float64]:
    if figure == "spearman":
        return np.linspace(-1, 1, _N_BINS + 1)
    top = float(np.quantile(values, 0.99)) or 1.0  # a few high ones would press all others to the left
    return np.linspace(0, top, _N_BINS + 1)


def _bin(edges: NDArray[np.float64], number: int, *, is_rho: bool) -> str:
    if number == len(edges) - 2 and not is_rho:
        return f"{edges[number]:.3g} and more"
    return f"{edges[number]:.2f} to {edges[number + 1]:.2f}" if is_rho else f"{edges[number]:.3g}"
