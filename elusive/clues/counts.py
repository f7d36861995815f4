"""What is counted on the way from a corpus to its copies; sums over parts are the run's."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from elusive.clues.histograms import NO_HISTOGRAMS, Histograms


@dataclass(kw_only=True)
class PartCounts:
    """What was counted while a part was written.

    Attributes:
        texts, tokens, rows: of the sources, their tokens, and the rows written.
        aligned: texts whose tokens differ between the two models.
        droppable: units that could be dropped, over all texts.
        planned: Σ over droppable units of their drop probability.
        drawn: droppable units × copies.
        dropped: units dropped, over all copies.
        unchanged: copies equal to their original.
        sink_large, sink_small: Σ over rows of the attention to the first token.
        rows_large, rows_small: those rows.
        histograms: how the drops spread over ranks and places, and how long the texts are.
    """

    texts: int = 0
    tokens: int = 0
    rows: int = 0
    aligned: int = 0
    droppable: int = 0
    planned: float = 0.0
    drawn: int = 0
    dropped: int = 0
    unchanged: int = 0
    sink_large: float = 0.0
    sink_small: float = 0.0
    rows_large: int = 0
    rows_small: int = 0
    histograms: Histograms = NO_HISTOGRAMS

    def __add__(self, other: "PartCounts") -> "PartCounts":
        return PartCounts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def totals(self) -> dict[str, float]:
        """All but the histograms, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "histograms"}

    def to_json(self) -> dict[str, Any]:
        """Numbers alone, for `json`."""
        return {**self.totals, "histograms": self.histograms.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            KeyError, TypeError: it was given by a version that counted other things.
        """
        return cls(**{**record, "histograms": Histograms.from_json(record["histograms"])})

    @property
    def planned_rate(self) -> float:
        """Mean drop probability over all droppable units."""
        return self.planned / max(self.droppable, 1)

    @property
    def realised_rate(self) -> float:
        """Share of the draws that dropped their unit."""
        return self.dropped / max(self.drawn, 1)

    @property
    def sink_mass(self) -> dict[str, float | None]:
        """Mean attention to the first token, per model; None where no model was run."""
        return {
            "large": self.sink_large / self.rows_large if self.rows_large else None,
            "small": self.sink_small / self.rows_small if self.rows_small else None,
        }
