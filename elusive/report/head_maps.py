"""Layer by head: where in a reader the tokens nearest to the answer are attended to.

Few heads are a table with their numbers; many are a drawing without text, in seven paths however many there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from elusive.indicators.judged import JudgedReader
from elusive.report.page import Table
from elusive.report.shades import shade, top_of

if TYPE_CHECKING:
    from markupsafe import Markup

_N_STRONGEST: Final = 5
_MAX_HEADS, _MAX_LAYERS = 16, 32
"""Of a table; more are drawn."""


@dataclass(frozen=True)
class GridCell:
    """A head in a table: its lift, and its shade."""

    value: str
    shade: str


@dataclass(frozen=True)
class HeadMap:
    """A reader's heads.

    Attributes:
        reader: its name.
        shape: how many layers and heads these are, in words.
        strongest: the heads with the highest lift, as `layer 3, head 7` with its lift.
        heads: numbers of the columns.
        rows: number of the layer and its cells; none where the heads are drawn.
        drawing: of many heads.
        by_layer: each layer's mean and best head, beside a drawing.
    """

    reader: str
    shape: str
    strongest: tuple[tuple[str, str], ...]
    heads: tuple[int, ...]
    rows: tuple[tuple[int, tuple[GridCell, ...]], ...]
    drawing: "Markup | None"
    by_layer: Table | None


def top_lift(readers: Sequence[JudgedReader]) -> float:
    """The lift of the strongest shade, one for all readers."""
    lifts = [np.array(reader.head_lifts, np.float64).ravel() for reader in readers]
    return top_of(np.maximum(np.concatenate(lifts), 1)) if lifts else 0.0


def head_map(
    reader: JudgedReader, *, top: float, layers: tuple[int, ...] | None, heads: tuple[int, ...] | None
) -> HeadMap:
    """A reader's heads, shaded from 1 (what any token gets) to `top`.

    Args:
        reader: the reader; with one head at least.
        top: the lift of the strongest shade.
        layers: the chosen ones, if not all.
        heads: likewise.
    """
    lifts = np.array(reader.head_lifts, np.float64)
    layer_of, head_of = (_numbers(chosen, n) for chosen, n in zip((layers, heads), lifts.shape, strict=True))
    order = np.argsort(-np.nan_to_num(lifts, nan=-1), axis=None, kind="stable")[:_N_STRONGEST]
    places = zip(*(axis.tolist() for axis in np.unravel_index(order, lifts.shape)), strict=True)
    is_small = lifts.shape[0] <= _MAX_LAYERS and lifts.shape[1] <= _MAX_HEADS
    shades = [[shade(lift if lift != lift else max(lift - 1, 0.0), top - 1) for lift in row] for row in lifts.tolist()]
    return HeadMap(
        reader=reader.reader,
        shape=f"{len(layer_of)} layers of {len(head_of)} heads",
        strongest=tuple((f"layer {layer_of[l]}, head {head_of[h]}", _printed(lifts[l, h])) for l, h in places),
        heads=head_of,
        rows=tuple(
            (layer, tuple(GridCell(_printed(v), s) for v, s in zip(row, shaded, strict=True)))
            for layer, row, shaded in zip(layer_of, lifts.tolist(), shades, strict=True)
        )
        if is_small
        else (),
        drawing=None if is_small else _drawing(shades, label=f"Lift of {lifts.size} heads by layer and head"),
        by_layer=None if is_small else _by_layer(lifts, layer_of, head_of),
    )


def _numbers(chosen: tuple[int, ...] | None, n: int) -> tuple[int, ...]:
    """Of layers or heads as the model has them; of ones counted from the end, their places among the chosen."""
    numbers = tuple(sorted(set(chosen or ())))
    return numbers if len(numbers) == n and numbers[0] >= 0 else tuple(range(n))


def _printed(lift: float) -> str:
    return "n/a" if lift != lift else f"{lift:.1f}" if lift < 100 else f"{lift:.0f}"


def _drawing(shades: Sequence[Sequence[str]], *, label: str) -> "Markup":
    """A square a head, heads to the right and layers down; a stroke is a run of equal neighbours."""
    from markupsafe import Markup

    strokes: dict[str, str] = {}
    for y, row in enumerate(shades):
        x = 0
        for name, run in groupby(row):
            width = len(list(run))
            strokes[name] = strokes.get(name, "") + f"M{x} {y}h{width}"
            x += width
    paths = "".join(f'<path class="{name}" d="{d}"/>' for name, d in sorted(strokes.items()) if name != "plus0")
    n_layers, n_heads = len(shades), len(shades[0])
    return Markup(  # noqa: S704 (numbers and our own names)
        f'<svg class="heads" role="img" aria-label="{label}" viewBox="0 -.5 {n_heads} {n_layers}">'
        f'<rect class="frame" y="-.5" width="{n_heads}" height="{n_layers}"/>{paths}</svg>'
    )


def _by_layer(lifts: NDArray[np.float64], layers: tuple[int, ...], heads: tuple[int, ...]) -> Table:
    rows = []
    for layer, row in zip(layers, lifts, strict=True):
        best = int(np.argmax(np.nan_to_num(row, nan=-1)))
        known = row[~np.isnan(row)]
        rows.append(
            (str(layer), _printed(float(known.mean()) if len(known) else np.nan), str(heads[best]), _printed(row[best]))
        )
    return Table("Lift by layer", ("layer", "mean of its heads", "best head", "its lift"), tuple(rows))
