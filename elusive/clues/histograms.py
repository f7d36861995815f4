"""How drops spread over ranks and places, in bins whose number does not grow with the corpus.

Ranks are those that Eq. 1 takes: one bin each below 16, four to an octave beyond. Places are twentieths of a text.
Costs a few numbers a unit while a part is written, and some hundreds when it is.
"""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

RANK_EDGES = np.unique(np.append(np.arange(16), np.round(16 * 2 ** (np.arange(65) / 4)))).astype(np.int64)
"""The least rank of each bin; the last one is open."""

LENGTH_EDGES = np.append(0, np.unique(np.ceil(2 ** (np.arange(49) / 2)))).astype(np.int64)
"""The least number of tokens of each bin of texts, two to an octave; the last one is open."""

N_PLACES = 20


@dataclass(frozen=True, eq=False)
class DropHistogram:
    """What became of droppable units, by bin.

    Attributes:
        units: droppable units, [bin].
        planned: Σ of their drop probabilities p.
        variance: Σ p (1 − p), the variance of how many of them one copy drops.
        dropped: how often they were dropped, over all copies.
    """

    units: NDArray[np.int64]
    planned: NDArray[np.float64]
    variance: NDArray[np.float64]
    dropped: NDArray[np.int64]

    @classmethod
    def of(
        cls, bins: NDArray[np.intp], p: NDArray[np.float64], dropped: NDArray[np.intp], *, n_bins: int
    ) -> "DropHistogram":
        """Count units, whose bins, probabilities and drops are given, [unit]."""

        def total(of_unit: NDArray[Any]) -> NDArray[np.float64]:
            return np.bincount(bins, weights=of_unit, minlength=n_bins).astype(np.float64)

        return cls(
            units=np.bincount(bins, minlength=n_bins),
            planned=total(p),
            variance=total(p * (1 - p)),
            dropped=total(dropped).astype(np.int64),
        )

    def __add__(self, other: "DropHistogram") -> "DropHistogram":
        return DropHistogram(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Histograms:
    """The histograms of a part; sums over parts are the run's.

    Attributes:
        by_rank: drops by rank as Eq. 1 takes it, in the bins of `RANK_EDGES`.
        by_place: drops by place in the text, in twentieths of its units.
        lengths: texts by number of tokens, in the bins of `LENGTH_EDGES`.
    """

    by_rank: DropHistogram
    by_place: DropHistogram
    lengths: NDArray[np.int64]

    def __add__(self, other: "Histograms") -> "Histograms":
        return Histograms(self.by_rank + other.by_rank, self.by_place + other.by_place, self.lengths + other.lengths)

    def to_json(self) -> dict[str, Any]:
        """Numbers alone, for `json`."""
        drops = {name: _lists(getattr(self, name)) for name in ("by_rank", "by_place")}
        return {**drops, "lengths": self.lengths.tolist()}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        by_rank, by_place = (
            DropHistogram(**{name: np.array(values) for name, values in record[kind].items()})
            for kind in ("by_rank", "by_place")
        )
        return cls(by_rank, by_place, np.array(record["lengths"]))


def _lists(histogram: DropHistogram) -> dict[str, list[float]]:
    return {f.name: getattr(histogram, f.name).tolist() for f in fields(histogram)}


class UnitLog:
    """Remembers what became of the droppable units of a part, text by text, to count them all at once."""

    def __init__(self) -> None:
        self._lengths: list[int] = []
        self._units: list[tuple[NDArray[Any], ...]] = [(np.empty(0),) * 4]

    def add(
        self,
        *,
        n_tokens: int,
        ranks: NDArray[np.float64],
        places: NDArray[np.intp],
        p: NDArray[np.float64],
        dropped: NDArray[np.intp],
    ) -> None:
        """Remember a text and its droppable units.

        Args:
            n_tokens: of the text.
            ranks: as Eq. 1 takes them, [unit].
            places: in the text, 0 to 19.
            p: drop probability.
            dropped: in how many copies.
        """
        self._lengths.append(n_tokens)
        self._units.append((ranks, places, p, dropped))

    def histograms(self) -> Histograms:
        """All that was remembered, counted."""
        ranks, places, p, dropped = (np.concatenate(column) for column in zip(*self._units, strict=True))
        return Histograms(
            DropHistogram.of(_bins(ranks, RANK_EDGES), p, dropped, n_bins=len(RANK_EDGES)),
            DropHistogram.of(places.astype(np.intp), p, dropped, n_bins=N_PLACES),
            np.bincount(_bins(np.array(self._lengths), LENGTH_EDGES), minlength=len(LENGTH_EDGES)),
        )


def _bins(values: NDArray[Any], edges: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.searchsorted(edges, values, side="right") - 1


NO_HISTOGRAMS = UnitLog().histograms()
