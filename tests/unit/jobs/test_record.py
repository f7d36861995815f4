"""What a run writes down of its sources."""

from pathlib import Path

import pytest

from elusive.errors import InputError, OptionError
from elusive.jobs.record import file_states


def test_files_of_a_folder_are_known_by_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jsonl").write_text("{}")
    before = file_states(str(tmp_path), what="corpus", outputs=())
    assert before == {"data/a.jsonl": [2, (tmp_path / "data/a.jsonl").stat().st_mtime_ns]}
    (tmp_path / "data/a.jsonl").write_text("{} ")
    assert file_states(str(tmp_path), what="corpus", outputs=()) != before


def test_what_a_run_keeps_for_itself_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}")
    before = file_states(str(tmp_path), what="corpus", outputs=())
    (tmp_path / ".elusive").mkdir()
    (tmp_path / ".elusive/lock").write_text("held")
    assert file_states(str(tmp_path), what="corpus", outputs=()) == before


def test_an_output_folder_inside_the_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="lies inside the corpus"):
        file_states(str(tmp_path), what="corpus", outputs=(str(tmp_path / "out"),))


def test_files_of_a_pattern_are_known_one_by_one(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl", "c.txt"):
        (tmp_path / name).write_text("{}")
    pattern = f"{tmp_path}/*.jsonl"
    assert list(file_states(pattern, what="corpus", outputs=(str(tmp_path / "out"),))) == ["a.jsonl", "b.jsonl"]
    with pytest.raises(InputError, match="no file matches"):
        file_states(f"{tmp_path}/*.csv", what="corpus", outputs=())
    with pytest.raises(OptionError, match="lies inside the corpus"):
        file_states(f"{tmp_path}/**/*.jsonl", what="corpus", outputs=(str(tmp_path / "out"),))
