"""The histograms are what a slow count over the written rows gives, and sum to the totals."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elusive.clues.counts import PartCounts
from elusive.clues.histograms import LENGTH_EDGES, N_PLACES, RANK_EDGES
from elusive.jobs import augment as job
from tests.augment_fixtures import Run
from tests.files import rows


@pytest.fixture
def counts(run: Run, monkeypatch: pytest.MonkeyPatch) -> PartCounts:
    seen: list[PartCounts] = []
    monkeypatch.setattr(job, "augment_page", lambda _config, *, counts, **_: seen.append(counts) or "")
    run(copies=5)
    return seen[0]


def slow_count(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """By rank, by place, and lengths, from data and clues."""
    by_rank, by_place = (
        {name: np.zeros(n) for name in ("units", "planned", "variance", "dropped")} for n in (len(RANK_EDGES), N_PLACES)
    )
    lengths = np.zeros(len(LENGTH_EDGES))
    copies: dict[str, list[int]] = {}
    for row in rows(folder):
        copies.setdefault(row["source_id"], []).extend(start for start, _ in row["dropped_spans"])
    clues: dict[str, list[dict[str, Any]]] = {source_id: [] for source_id in copies}
    for clue in rows(folder, "clues"):
        clues[clue["source_id"]].append(clue)
    for source_id, tokens in clues.items():
        lengths[max(i for i, edge in enumerate(LENGTH_EDGES) if edge <= len(tokens))] += 1
        units = {t["unit"]: t for t in reversed(tokens)}
        for number, unit in units.items():
            if unit["rank"] is None or unit["token"].strip() in (",", "."):
                continue
            rank = max(i for i, edge in enumerate(RANK_EDGES) if edge <= unit["rank"])
            for bins, at in ((by_rank, rank), (by_place, number * N_PLACES // len(units))):
                bins["units"][at] += 1
                bins["planned"][at] += unit["p_drop"]
                bins["variance"][at] += unit["p_drop"] * (1 - unit["p_drop"])
                bins["dropped"][at] += copies[source_id].count(unit["start"])
    return by_rank, by_place, lengths


def test_they_are_what_a_slow_count_over_the_rows_gives(counts: PartCounts, tmp_path: Path) -> None:
    by_rank, by_place, lengths = slow_count(tmp_path / "out")
    found = counts.histograms
    for expected, histogram in ((by_rank, found.by_rank), (by_place, found.by_place)):
        for name, values in expected.items():
            np.testing.assert_allclose(getattr(histogram, name), values, rtol=1e-9, err_msg=name)
    np.testing.assert_array_equal(found.lengths, lengths)


def test_bins_sum_to_the_totals(counts: PartCounts) -> None:
    for histogram in (counts.histograms.by_rank, counts.histograms.by_place):
        assert histogram.units.sum() == counts.droppable
        assert histogram.units.sum() * 5 == counts.drawn
        assert histogram.dropped.sum() == counts.dropped
        assert histogram.planned.sum() == pytest.approx(counts.planned)
    assert counts.histograms.lengths.sum() == counts.texts


def test_planned_by_rank_is_equation_1_where_a_bin_is_one_rank(counts: PartCounts) -> None:
    by_rank = counts.histograms.by_rank
    seen = [rank for rank in range(16) if by_rank.units[rank]]
    assert len(seen) == 16
    for rank in seen:
        planned = by_rank.planned[rank] / by_rank.units[rank]
        assert planned == pytest.approx(0.7 * (1 - math.exp(-0.05 * rank)), rel=1e-6)


def test_small_ranks_have_bins_of_their_own_and_every_rank_and_length_has_one() -> None:
    assert RANK_EDGES[:17].tolist() == list(range(17))
    for edges in (RANK_EDGES, LENGTH_EDGES):
        assert edges[0] == 0
        assert (np.diff(edges) > 0).all()
        assert len(edges) < 100


def test_counts_survive_json_and_add_up(counts: PartCounts) -> None:
    again = PartCounts.from_json(json.loads(json.dumps(counts.to_json())))
    assert again.to_json() == counts.to_json()
    twice = (again + counts).to_json()
    assert twice["histograms"]["by_place"]["units"] == [2 * n for n in counts.histograms.by_place.units.tolist()]
    assert (PartCounts() + counts).to_json() == counts.to_json()


def test_a_part_counted_by_a_version_without_histograms_is_written_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_args: object, **_options: object) -> str:
        [part] = (tmp_path / "out" / ".elusive" / "parts").iterdir()
        record = json.loads(part.read_text())
        del record["histograms"]
        part.write_text(json.dumps(record))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, "augment_page", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(limit=4)
    run(limit=4)
    run("whole", limit=4)
    page, whole = (tmp_path / name / "report.html" for name in ("out", "whole"))
    assert page.read_bytes() == whole.read_bytes()
