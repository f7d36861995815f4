"""Chunks are a partition of the corpus, depend on it alone, and are there whole or not at all."""

import json
import shutil
import tempfile
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elusive.data.corpus import Text, read_corpus
from elusive.data.rejected import Reason, RejectedLog, Rejection
from elusive.data.staging import Staged, stage_corpus
from elusive.errors import FolderError

strings = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30), max_size=30)


def texts_of(found) -> list[Text]:
    return [Text(f"id{i}", text) for i, text in enumerate(found)]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def all_texts(staged: Staged) -> list[Text]:
    return [text for i in range(staged.n_chunks) for text in staged.read_chunk(i)]


@settings(deadline=None, max_examples=40)
@given(found=strings, max_chars=st.integers(1, 60), max_texts=st.integers(1, 8))
def test_chunks_are_a_partition_and_keep_to_their_bounds(found, max_chars, max_texts):
    texts = texts_of(found)
    with tempfile.TemporaryDirectory() as folder:
        staged = stage_corpus(iter(texts), Path(folder), max_chars=max_chars, max_texts=max_texts)
        chunks = [staged.read_chunk(i) for i in range(staged.n_chunks)]
        assert Staged.open(Path(folder)) == staged
    assert [text for chunk in chunks for text in chunk] == texts
    assert staged.n_texts == len(texts)
    assert staged.n_chars == sum(len(text) for text in found)
    sizes = [sum(len(text.text) for text in chunk) for chunk in chunks]
    assert all(1 <= len(chunk) <= max_texts for chunk in chunks)
    assert all(size <= max_chars or len(chunk) == 1 for size, chunk in zip(sizes, chunks, strict=True))
    for i in range(len(chunks) - 1):  # no chunk closes before it must
        assert len(chunks[i]) == max_texts or sizes[i] + len(chunks[i + 1][0].text) > max_chars


def test_same_corpus_same_bytes(tmp_path):
    texts = texts_of([f"text {i} é" * 9 for i in range(500)])
    for name in ("a", "b"):
        stage_corpus(texts, tmp_path / name, max_texts=100)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


@pytest.mark.parametrize("other", [[("a", "bc")], [("ab", "c"), ("", "")], [("ab", "d")], [("ac", "c")], []])
def test_another_corpus_another_fingerprint(tmp_path, other):
    fingerprint = stage_corpus([Text("ab", "c")], tmp_path / "a").fingerprint
    assert len(fingerprint) == 32
    assert fingerprint != stage_corpus([Text(*row) for row in other], tmp_path / "b").fingerprint


def test_the_fingerprint_does_not_depend_on_the_chunks(tmp_path):
    texts = texts_of("abcdef")
    one = stage_corpus(texts, tmp_path / "a")
    many = stage_corpus(texts, tmp_path / "b", max_texts=1)
    assert (one.n_chunks, many.n_chunks) == (1, 6)
    assert one.fingerprint == many.fingerprint


@pytest.mark.parametrize("damage", ["no manifest", "cut manifest", "no chunk", "other version", "list", "unknown key"])
def test_a_folder_that_is_not_staged_whole_does_not_open(tmp_path, damage):
    stage_corpus(texts_of("abc"), tmp_path, max_texts=1)
    manifest = tmp_path / "staged.json"
    content = json.loads(manifest.read_text())
    if damage == "no manifest":
        manifest.unlink()
    elif damage == "cut manifest":
        manifest.write_text(manifest.read_text()[:20])
    elif damage == "no chunk":
        (tmp_path / "chunk-00001.parquet").unlink()
    elif damage == "list":
        manifest.write_text("[]")
    else:
        changed = {"version": 99} if damage == "other version" else {"further": 1}
        manifest.write_text(json.dumps(content | changed))
    assert Staged.open(tmp_path) is None
    assert Staged.open(tmp_path / "nowhere") is None


def test_a_staging_that_was_killed_is_done_anew_over_what_it_left(tmp_path):
    def killed():
        yield from texts_of("abcde")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage_corpus(killed(), tmp_path / "a", max_texts=1)
    assert (tmp_path / "a" / "chunk-00003.parquet").exists()
    assert Staged.open(tmp_path / "a") is None
    (tmp_path / "a" / ".chunk-00007.parquet.00000000.elusive-tmp").write_bytes(b"half")
    stage_corpus(texts_of("abc"), tmp_path / "a", max_texts=1)
    stage_corpus(texts_of("abc"), tmp_path / "b", max_texts=1)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_a_damaged_chunk_is_told(tmp_path):
    staged = stage_corpus(texts_of(["text " * 500]), tmp_path)
    path = tmp_path / "chunk-00000.parquet"
    content = bytearray(path.read_bytes())
    content[20:30] = bytes(10)
    for damaged in (bytes(content), b"PAR1"):
        path.write_bytes(damaged)
        with pytest.raises(FolderError, match=r"chunk-00000\.parquet is damaged; delete .* and run"):
            staged.read_chunk(0)


def test_no_changed_byte_ever_gives_another_text(tmp_path):
    """Arrow's own checksums cover pages, not headers and footer; ours covers the texts."""
    staged = stage_corpus(texts_of(["text " * 20, "b"]), tmp_path)
    path = tmp_path / "chunk-00000.parquet"
    content, texts = path.read_bytes(), staged.read_chunk(0)
    refused = 0
    for offset in range(0, len(content), 3):
        path.write_bytes(content[:offset] + bytes([content[offset] ^ 1 << offset % 8]) + content[offset + 1 :])
        try:
            assert staged.read_chunk(0) == texts
        except FolderError:
            refused += 1
    assert refused


@pytest.mark.parametrize("spoil", [lambda log: log.unlink(), lambda log: log.write_text("{}\n")])
def test_a_log_of_rejected_rows_that_was_lost_or_changed_is_made_anew(tmp_path, spoil):
    with RejectedLog(tmp_path / "rejected.jsonl") as log:
        log(Rejection("c", 1, Reason.BROKEN_JSON))
        staged = stage_corpus(texts_of("ab"), tmp_path / "staged", rejected=log)
    assert Staged.open(tmp_path / "staged") == staged
    spoil(tmp_path / "rejected.jsonl")
    assert Staged.open(tmp_path / "staged") is None


def test_rejections_are_counted_and_in_place_before_the_manifest(tmp_path):
    corpus = tmp_path / "c.jsonl"
    corpus.write_text('{"text": "a"}\nbroken\n{"text": ""}\nbroken\n{"text": "b"}\n')
    with RejectedLog(tmp_path / "rejected.jsonl") as log:
        staged = stage_corpus(read_corpus(corpus, on_rejected=log), tmp_path / "staged", rejected=log)
        assert (tmp_path / "rejected.jsonl").exists()
    assert staged.rejected == {Reason.BROKEN_JSON: 2, Reason.EMPTY_TEXT: 1}
    assert Staged.open(tmp_path / "staged") == staged
    assert len((tmp_path / "rejected.jsonl").read_text().splitlines()) == 3
    assert [text.text for text in all_texts(staged)] == ["a", "b"]


def test_a_staging_that_fails_leaves_neither_manifest_nor_log(tmp_path):
    def failing(log):
        log(Rejection("c", 1, Reason.BROKEN_JSON))
        yield Text("a", "a")
        raise ValueError

    with pytest.raises(ValueError), RejectedLog(tmp_path / "rejected.jsonl") as log:
        stage_corpus(failing(log), tmp_path / "staged", rejected=log)
    assert not (tmp_path / "rejected.jsonl").exists()
    assert Staged.open(tmp_path / "staged") is None


def test_a_staged_corpus_may_be_moved(tmp_path):
    staged = stage_corpus(texts_of("abc"), tmp_path / "a")
    shutil.move(tmp_path / "a", tmp_path / "b")
    moved = Staged.open(tmp_path / "b")
    assert moved is not None
    assert all_texts(moved) == texts_of("abc")
    with pytest.raises(FrozenInstanceError):
        staged.n_texts = 0


def test_a_place_that_is_a_file_is_told(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(FolderError, match=r"cannot write in .*a: "):
        stage_corpus([], tmp_path / "a")
