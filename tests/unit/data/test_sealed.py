"""A record is read as it was written, or not at all; and so are the files it vouches for."""

import json

import pytest

from elusive.data.sealed import read_sealed, write_sealed

CONTENT = {"n": 12, "share": 0.1, "names": ["a", "é"], "none": None}


def test_a_record_comes_back_as_it_was_written(tmp_path):
    write_sealed(tmp_path / "r.json", CONTENT)
    assert read_sealed(tmp_path / "r.json") == CONTENT
    (tmp_path / "data").write_bytes(b"content")
    write_sealed(tmp_path / "r.json", CONTENT, files=[tmp_path / "data"])
    assert read_sealed(tmp_path / "r.json") == CONTENT


def test_a_record_may_be_laid_out_anew_and_moved_with_its_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "data").write_bytes(b"content")
    write_sealed(tmp_path / "a" / "r.json", CONTENT, files=[tmp_path / "a" / "data"])
    moved = (tmp_path / "a").rename(tmp_path / "b")
    (moved / "r.json").write_text(json.dumps(json.loads((moved / "r.json").read_text())))
    assert read_sealed(moved / "r.json") == CONTENT


def test_no_changed_byte_gives_another_record(tmp_path):
    path = tmp_path / "r.json"
    write_sealed(path, CONTENT)
    written = path.read_bytes()
    refused = 0
    for offset in range(len(written)):
        for changed in {written[offset] ^ 1, ord("1"), ord(" "), 0xFF} - {written[offset]}:
            path.write_bytes(written[:offset] + bytes([changed]) + written[offset + 1 :])
            try:
                assert read_sealed(path) == CONTENT
            except ValueError:
                refused += 1
    assert refused > len(written)


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b"null", b"{}", json.dumps(CONTENT).encode()])
def test_what_has_no_checksum_is_no_record(tmp_path, record):
    (tmp_path / "r.json").write_bytes(record)
    with pytest.raises(ValueError):
        read_sealed(tmp_path / "r.json")


def test_a_record_that_is_not_there_is_another_thing_than_a_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_sealed(tmp_path / "r.json")


@pytest.mark.parametrize(
    "spoil", [lambda f: f.unlink(), lambda f: f.write_bytes(b"Content"), lambda f: f.write_bytes(b"")]
)
def test_a_file_it_vouches_for_that_changed_is_named(tmp_path, spoil):
    (tmp_path / "data").write_bytes(b"content")
    write_sealed(tmp_path / "r.json", CONTENT, files=[tmp_path / "data"])
    spoil(tmp_path / "data")
    with pytest.raises(ValueError, match="data was removed or changed since"):
        read_sealed(tmp_path / "r.json")
