"""The counts that are shown: nothing wrong in them, and nothing uncounted."""

import json
from pathlib import Path

import pytest

from tests.fuzz.tally import Tally

_SHOWN = Path(__file__).parents[2] / "docs" / "fuzz.json"


def test_the_counts_that_are_shown_add_up_and_hold_nothing_wrong() -> None:
    rows = json.loads(_SHOWN.read_text(encoding="utf-8"))
    assert sum(row["tried"] for row in rows.values()) > 30_000
    for what, row in rows.items():
        assert row["wrong"] == 0, what
        assert row["tried"] == row["survived"] + row["refused"], what
        assert bool(row["example"]) == bool(row["refused"]), what


def test_a_tally_counts_each_outcome_and_keeps_the_first_refusal(tmp_path: Path) -> None:
    tally = Tally()
    for outcome, line in (
        ("survived", ""),
        ("refused", f"{tmp_path}/c.csv: no\ngood"),
        ("refused", "x"),
        ("wrong", "y"),
    ):
        tally.note("files", outcome, line, hide=[tmp_path])
    tally.write(tmp_path / "counts.json")
    expected = {"tried": 4, "survived": 1, "refused": 2, "wrong": 1, "example": "c.csv: no good"}
    assert json.loads((tmp_path / "counts.json").read_text()) == {"files": expected}


@pytest.mark.parametrize("outcome", ["survived", "wrong"])
def test_only_a_refusal_is_an_example(outcome: str) -> None:
    tally = Tally()
    tally.note("files", outcome, "a line")
    assert tally.rows["files"].example == ""
