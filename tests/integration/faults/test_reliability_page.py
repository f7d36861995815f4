"""docs/RELIABILITY.md shows what was counted, and what was counted is what it promises."""

import json

import pytest

from tests.integration.faults import ledger


def test_the_page_shows_the_counts() -> None:
    page = ledger.PAGE.read_text(encoding="utf-8")
    assert page == ledger.with_tables(page), "make faults writes both"


@pytest.mark.parametrize("job", ledger.KINDS)
def test_nothing_was_lost_and_at_least_two_hundred_kills_were_tried(job: str) -> None:
    counts = json.loads(ledger.COUNTS.read_text(encoding="utf-8"))[job]
    assert tuple(counts) == ledger.KINDS[job]
    assert all(row["tried"] == row["survived"] + row["refused"] for row in counts.values())
    assert all(row["tried"] and not row["bytes_lost"] for row in counts.values())
    assert sum(row["kills"] for row in counts.values()) >= 200


def test_what_went_wrong_is_counted_as_worse() -> None:
    kind = ledger.KINDS["augment"][0]
    faults = [
        ledger.Fault("augment", kind, kills=1, survived=True, chunks_again=1.0),
        ledger.Fault("augment", kind, bytes_lost=7),
    ]
    table = ledger.fault_table(ledger.summed(faults)["augment"])
    assert f"| {kind} | 2 | 1 | 0 | 1 | 7 | 1 |  |" in table
