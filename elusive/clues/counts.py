"""What is counted on the way from a corpus to its copies; sums over parts are the run's."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from elusive.attention.windows import TextScores
from elusive.clues.guides import Role
from elusive.clues.histograms import NO_HISTOGRAMS, Histograms

_SINKS_SHOWN: Final = 20
"""Displaced sinks that are kept by place; all are counted."""


@dataclass(frozen=True, kw_only=True)
class SinkPlace:
    """A token of a text that is an attention sink of a model.

    Attributes:
        model: its role.
        text_id, position, token: where it is.
        received: mean share of its followers' attention that it receives.
    """

    model: Role
    text_id: str
    position: int
    token: str
    received: float


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
        sink_large, sink_small: Σ over rows of the attention to the prefix.
        rows_large, rows_small: the weight of those rows: their number, where each counts 1.
        n_displaced: tokens that are attention sinks in place of the prefix, and were left out of the ranks.
        displaced: the first of them.
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
    rows_large: float = 0.0
    rows_small: float = 0.0
    n_displaced: int = 0
    displaced: tuple[SinkPlace, ...] = ()
    histograms: Histograms = NO_HISTOGRAMS

    def __add__(self, other: "PartCounts") -> "PartCounts":
        total = PartCounts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})
        total.displaced = total.displaced[:_SINKS_SHOWN]
        return total

    def count_sink(self, role: Role, scores: TextScores) -> None:
        """Count a text's attention to the prefix."""
        if role == "large":
            self.sink_large, self.rows_large = scores.sink, scores.rows
        else:
            self.sink_small, self.rows_small = scores.sink, scores.rows

    def count_displaced(self, places: tuple[SinkPlace, ...]) -> None:
        """Count sinks that do not fall on the prefix."""
        self.n_displaced += len(places)
        self.displaced += places

    @property
    def totals(self) -> dict[str, float]:
        """All that are numbers, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("histograms", "displaced")}

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `json`."""
        displaced = [asdict(place) for place in self.displaced]
        return {**self.totals, "displaced": displaced, "histograms": self.histograms.to_json()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            KeyError, TypeError: it was given by a version that counted other things.
        """
        displaced = tuple(SinkPlace(**place) for place in record["displaced"])
        return cls(**{**record, "displaced": displaced, "histograms": Histograms.from_json(record["histograms"])})

    @property
    def planned_rate(self) -> float:
        """Mean drop probability over all droppable units."""
        return self.planned / max(self.droppable, 1)

    @property
    def realised_rate(self) -> float | None:
        """Share of the draws that dropped their unit; None where no copy was drawn."""
        return self.dropped / self.drawn if self.drawn else None

    @property
    def sink_mass(self) -> dict[str, float | None]:
        """Mean attention to the prefix, per model; None where its attention was not read."""
        return {
            "large": self.sink_large / self.rows_large if self.rows_large else None,
            "small": self.sink_small / self.rows_small if self.rows_small else None,
        }
