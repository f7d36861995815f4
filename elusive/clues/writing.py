"""Writes one part of an augmented dataset: rows of text, rows of clues, and what was counted on the way.

A part depends on its chunks, the scores and the settings alone, so parts can be written by any number of processes, in
any order, again after a kill, and are the same bytes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elusive.choices import RowFormat
from elusive.clues.counts import PartCounts
from elusive.clues.histograms import N_PLACES, UnitLog
from elusive.clues.scored_corpus import ScoredCorpus, ScoredText
from elusive.clues.text_clues import DropPlan, copies
from elusive.data.dataset_folder import clues_schema, data_schema, part_name, write_rows
from elusive.data.sealed import read_sealed, write_sealed

CHUNKS_PER_PART = 4
_BATCH_ROWS = 4096


@dataclass(frozen=True, kw_only=True)
class PartWriter:
    """Writes parts of one run.

    Attributes:
        corpus: where scored texts come from.
        plan: how they are dropped from.
        folder: the output folder.
        format: of data and clues.
        n_copies: copies per text.
        originals: whether each text itself is a row too, as copy 0.
    """

    corpus: ScoredCorpus
    plan: DropPlan
    folder: Path
    format: RowFormat
    n_copies: int
    originals: bool

    @property
    def n_parts(self) -> int:
        """How many parts the corpus makes."""
        return -(-self.corpus.staged.n_chunks // CHUNKS_PER_PART)

    def counts_path(self, index: int) -> Path:
        """The file whose presence says that a part is written."""
        return self.folder / ".elusive" / "parts" / f"{index:05d}.json"

    def counted(self, index: int) -> PartCounts | None:
        """What was counted when a part was written; None where it is not there as written, or by another version."""
        try:
            return PartCounts.from_json(read_sealed(self.counts_path(index)))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, index: int) -> PartCounts:
        """Write a part: data, clues, then its counts, each complete or not at all."""
        staged = self.corpus.staged
        chunks = range(index * CHUNKS_PER_PART, min((index + 1) * CHUNKS_PER_PART, staged.n_chunks))
        counts, log = PartCounts(), UnitLog()
        rows, clues = _GrowingTable(data_schema()), _GrowingTable(clues_schema())
        for scored in self.corpus.texts(chunks):
            p = self.plan.probabilities(scored.clues)
            clues.add(_clue_columns(scored, p, ranked=not self.plan.uniform))
            counts += scored.counts + self._add_rows(rows, scored, p, log)
        counts.histograms = log.histograms()
        name = part_name(index, self.n_parts, self.format)
        files = {self.folder / "data" / name: rows, self.folder / "clues" / name: clues}
        for file, table in files.items():
            file.parent.mkdir(exist_ok=True)
            write_rows(file, table.finish(), format=self.format)
        self.counts_path(index).parent.mkdir(parents=True, exist_ok=True)
        write_sealed(self.counts_path(index), counts.to_json(), files=files)
        return counts

    def _add_rows(self, rows: "_GrowingTable", scored: ScoredText, p: NDArray[np.float64], log: UnitLog) -> PartCounts:
        text, units, droppable = scored.text, scored.clues.units, scored.clues.droppable
        n_units, n_droppable = len(units), int(droppable.sum())
        counts = PartCounts(droppable=n_droppable, planned=float(p.sum()), drawn=n_droppable * self.n_copies)
        if self.originals:
            rows.add(_row(text.text, text.id, number=0, n_units=n_units, dropped=()))
            counts.rows += 1
        numbers, cut_at = range(1, self.n_copies + 1), []
        for copy in copies(text.text, units, p, plan=self.plan, text_id=text.id, numbers=numbers):
            rows.add(_row(copy.text, text.id, number=copy.number, n_units=n_units, dropped=copy.dropped))
            counts.rows += 1
            counts.dropped += len(copy.dropped)
            counts.unchanged += copy.text == text.text
            cut_at += [start for start, _ in copy.dropped]
        dropped = np.searchsorted(units.starts, np.array(cut_at, dtype=units.starts.dtype), side="right") - 1
        log.add(
            n_tokens=len(scored.tokens),
            ranks=self.plan.effective_ranks(scored.clues),
            places=np.flatnonzero(droppable) * N_PLACES // max(n_units, 1),
            p=p[droppable],
            dropped=np.bincount(dropped, minlength=n_units)[droppable],
        )
        return counts


class _GrowingTable:
    """An Arrow table that grows by columns of a few rows; Python objects are kept for a batch of rows only."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._tables: list[Any] = []
        self._columns: dict[str, list[Any]] = {name: [] for name in schema.names}

    def add(self, columns: dict[str, list[Any]]) -> None:
        for name, values in columns.items():
            self._columns[name].extend(values)
        if len(self._columns[self._schema.names[0]]) >= _BATCH_ROWS:
            self._flush()

    def finish(self) -> Any:
        import pyarrow as pa

        self._flush()
        return pa.concat_tables(self._tables)

    def _flush(self) -> None:
        import pyarrow as pa

        self._tables.append(pa.table(self._columns, schema=self._schema))
        self._columns = {name: [] for name in self._schema.names}


def _row(
    text: str, source_id: str, *, number: int, n_units: int, dropped: tuple[tuple[int, int], ...]
) -> dict[str, list[Any]]:
    return {
        "text": [text],
        "source_id": [source_id],
        "copy": [number],
        "kept": [n_units - len(dropped)],
        "dropped": [len(dropped)],
        "dropped_spans": [[list(span) for span in dropped]],
    }


def _clue_columns(scored: ScoredText, p: NDArray[np.float64], *, ranked: bool) -> dict[str, list[Any]]:
    tokens, clues, large, small = scored.tokens, scored.clues, scored.scores.large, scored.scores.small
    of_token = clues.units.of_token
    ranks = clues.ranks[of_token] if ranked else np.full(len(tokens), -1)
    return {
        "source_id": [scored.text.id] * len(tokens),
        "position": list(range(len(tokens))),
        "token": tokens.pieces(scored.text.text),
        "start": tokens.starts.tolist(),
        "end": tokens.ends.tolist(),
        "unit": of_token.tolist(),
        **{
            name: _nullable(values, n=len(tokens))
            for name, values in (
                ("received_large", large.received),
                ("received_small", small.received),
                ("surprisal_large", large.surprisal),
                ("surprisal_small", small.surprisal),
                ("entropy_small", small.entropy),
                ("score", scored.values),
            )
        },
        "rank": [None if r < 0 else r for r in ranks.tolist()],
        "p_drop": p[of_token].astype(np.float32).tolist(),
    }


def _nullable(scores: NDArray[np.float32] | None, *, n: int) -> list[float | None]:
    if scores is None:
        return [None] * n
    return [None if value != value else value for value in scores.tolist()]  # NaN alone differs from itself
