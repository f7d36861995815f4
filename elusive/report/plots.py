"""Draws plots as SVG that lives in the page: text stays text, and its colours are the page's, light or dark.

No untrusted text is ever drawn. matplotlib's global state is as before afterwards; a plot takes some 60 ms.
"""

import io
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

# Stand-ins which the drawing carries and which `draw` turns into the page's colours, by the names in style.css.
INK, MUTED, LINE, BLUE, ORANGE = "#000001", "#000002", "#000003", "#000004", "#000005"
VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", BLUE: "--blue", ORANGE: "--orange"}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "elusive",
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.4,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
_SIZE = 4.8, 2.7
"""Inches; narrow, so that a telephone need not shrink the words."""


def draw(plot: Callable[["Axes"], None], *, name: str, label: str) -> "Markup":
    """A plot as an `<svg>` element.

    Args:
        plot: draws on the axes, with the colours of this module and no others.
        name: unique on the page, and what its ids begin with.
        label: what a screen reader says instead.
    """
    from markupsafe import Markup, escape

    written = io.StringIO()
    with _own_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=_SIZE, layout="constrained")
        plot(figure.subplots())
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(written, format="svg", metadata=nothing)
    return Markup(_for_page(written.getvalue(), name=name, label=escape(label)))  # noqa: S704 (our own drawing)


def legend(axes: "Axes", n: int) -> None:
    """The names of `n` things drawn, above the plot, where they cover nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, ncols=n, columnspacing=1.4)


def _for_page(svg: str, *, name: str, label: str) -> str:
    opening, body = svg[svg.index("<svg") :].split(">", 1)
    box = re.search(r'viewBox="[^"]*"', opening)
    assert box, opening
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)  # would rule the page
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    body = re.sub(r'id="|xlink:href="#|url\(#', lambda found: f"{found[0]}{name}-", body)
    for stand_in, variable in VARIABLES.items():
        body = body.replace(stand_in, f"var({variable})")
    body = re.sub(r"\s*\n\s*", " ", body)
    return f'<svg role="img" aria-label="{label}" {box[0]}>{body.rstrip()}'


@contextmanager
def _own_style() -> Iterator[None]:
    """Our style alone, whatever the user's settings say; and no talk of font caches."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import matplotlib

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_STYLE)
            yield
    finally:
        logger.setLevel(before)
