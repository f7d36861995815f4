"""`elusive compare-arms` as a job: what it keeps is what it says."""

from pathlib import Path

import pytest

from elusive.errors import FolderError
from elusive.jobs import compare_arms as job
from elusive.progress import Bars
from tests.arms_folders import experiment


def test_a_comparison_in_other_words_is_not_taken_for_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arms = experiment(tmp_path, {"a": 0.2, "b": 0.8}, n_people=4)
    given = {"out": tmp_path / "out", "progress": Bars(quiet=True)}
    job.compare_arms(arms, **given)
    assert job.compare_arms(arms, **given).already_done
    monkeypatch.setattr(job, "ROWS_VERSION", job.ROWS_VERSION + 1)
    with pytest.raises(FolderError, match=r"holds a run with other options \(rows_version: 1 there, 2 now\)"):
        job.compare_arms(arms, **given)
    assert not job.compare_arms(arms, overwrite=True, **given).already_done
