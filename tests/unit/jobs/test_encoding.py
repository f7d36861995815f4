"""Prefixes, pooling and similarity reach every job that embeds; what an index was embedded with, its searchers take."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elusive
from elusive.config import DistillConfig, EvaluateConfig, IndexConfig, build
from elusive.data.questions import Passage
from elusive.embedded import path_of
from elusive.errors import FolderError, OptionError
from elusive.jobs import distill as distilling
from elusive.jobs import distill_gate, distill_products
from elusive.jobs.encoding import encoder_sources, is_index, retriever_fingerprint
from elusive.jobs.evaluate import evaluate
from elusive.models import ModelSource
from elusive.progress import Bars
from elusive.retrieval.encoder import Encoder, load_encoder
from elusive.retrieval.encoder_options import EncoderOptions
from elusive.retrieval.index import PassageIndex
from tests.distill_fixtures import Towns, passage_rows, question_rows, write_lines, write_towns
from tests.hub.folders import Said

QUIET = Bars(quiet=True)
PREFIXES = {"query_prefix": "Orsk and Lisk: ", "passage_prefix": "river "}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distill_gate, "free_memory", lambda: None)
    monkeypatch.setattr(distill_products, "distill_page", lambda *_, **__: "a page")
    monkeypatch.setattr("elusive.statistics._RESAMPLES", 50)


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Towns:
    return write_towns(tmp_path_factory.mktemp("towns"))


@pytest.fixture(scope="module")
def index(towns: Towns, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The passages as `tiny:encoder` embeds them with prefixes."""
    out = tmp_path_factory.mktemp("prefixed") / "index"
    elusive.build_index(towns.passages, encoder="tiny:encoder", out=out, progress=QUIET, max_tokens=24, **PREFIXES)
    return str(out)


def prefixed(**more: Any) -> Encoder:
    return load_encoder(ModelSource(name="tiny:encoder", device="cpu"), options=EncoderOptions(**PREFIXES, **more))


def theirs(texts: list[str], prompt: str) -> np.ndarray:
    """The vectors of sentence-transformers, with a prompt."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(path_of("tiny:encoder")), device="cpu").encode(texts, prompt=prompt)


def searched(passages: str, questions: str, out: Path, **options: Any) -> dict[str, float]:
    given = {"retriever": "tiny:encoder", "passages": passages, "questions": questions, "k": "1,5", "progress": QUIET}
    found = evaluate(None, out=out, **(given | options))
    return {name: estimate.mean for name, estimate in found.retrieval.items()}


def test_prefixes_are_the_prompts_of_sentence_transformers() -> None:
    encoder = prefixed()
    texts = [row["question"] for row in question_rows()[:3]]
    for side, prefix in (("query", "query_prefix"), ("passage", "passage_prefix")):
        expected = theirs(texts, PREFIXES[prefix])
        np.testing.assert_allclose(encoder.encode(texts, side=side), expected, rtol=1e-4, atol=1e-5)
        assert not np.allclose(theirs(texts, ""), expected, atol=1e-2)


def test_evaluate_embeds_questions_and_passages_with_their_prefixes(towns: Towns, tmp_path: Path) -> None:
    found = searched(towns.passages, towns.dev, tmp_path / "out", **PREFIXES)
    rows = [json.loads(line) for line in Path(towns.dev).read_text().splitlines()]
    encoder = prefixed()
    texts = [encoder.passage_text(Passage(row["id"], row["title"], row["text"])) for row in passage_rows()]
    questions = theirs([row["question"] for row in rows], PREFIXES["query_prefix"])
    scores = questions @ theirs(texts, PREFIXES["passage_prefix"]).T
    best = np.argsort(-scores, axis=1)[:, :5]
    hits = [
        any(elusive.metrics.has_answer(passage_rows()[place]["text"], row["answers"]) for place in places)
        for row, places in zip(rows, best, strict=True)
    ]
    assert found["HR@5"] == pytest.approx(np.mean(hits))
    assert found != searched(towns.passages, towns.dev, tmp_path / "bare")


def test_what_an_index_was_embedded_with_is_taken_and_told(towns: Towns, index: str, tmp_path: Path) -> None:
    said = Said()
    taken = searched(index, towns.dev, tmp_path / "taken", progress=said)
    given = searched(index, towns.dev, tmp_path / "given", query_prefix=PREFIXES["query_prefix"])
    assert taken == given != searched(index, towns.dev, tmp_path / "bare", query_prefix="")
    told = "query_prefix 'Orsk and Lisk: ', passage_prefix 'river ', max_tokens 24; taking the same"
    assert f"{index} was embedded with {told}" in said.lines


def test_an_index_that_was_embedded_otherwise_is_refused_with_how(towns: Towns, index: str, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"embedded by tiny:encoder with query_prefix 'Orsk and Lisk: ', pass.*24"):
        searched(index, towns.dev, tmp_path / "out", passage_prefix="")
    with pytest.raises(FolderError, match="this encoder gives other vectors; name that encoder and its options"):
        searched(index, towns.dev, tmp_path / "other", pooling="cls")


def test_distill_trains_and_saves_a_retriever_with_its_prefixes(towns: Towns, tmp_path: Path) -> None:
    options = towns.options | PREFIXES | {"ignore_gate": True, "gate_samples": 2, "reference": None, "steps": 2}
    out = tmp_path / "out"
    result = distilling.distill(options.pop("passages"), out=out, progress=QUIET, **options)
    assert result.hr["5"].start == searched(towns.passages, towns.dev, tmp_path / "measured", **PREFIXES)["HR@5"]
    settings = json.loads((out / "retriever" / "config_sentence_transformers.json").read_text())
    assert settings["prompts"] == {"query": PREFIXES["query_prefix"], "document": PREFIXES["passage_prefix"]}
    trained = load_encoder(ModelSource(name=str(out / "retriever"), device="cpu"))
    assert PassageIndex.open(out / "index", encoder=trained).fingerprint == trained.fingerprint("passage")


def test_options_of_a_retriever_need_one() -> None:
    with pytest.raises(OptionError, match="--query-prefix is of a --retriever, and none is given"):
        build(EvaluateConfig, {"model": "tiny:large", "query_prefix": "query: "})


def test_two_encoders_are_named_with_a_comma_and_each_may_be_pinned(tmp_path: Path) -> None:
    config = build(EvaluateConfig, {})
    sources = encoder_sources(config, "you/questions@v1,you/passages@v2")
    assert [source and source.written for source in sources] == ["you/questions@v1", "you/passages@v2"]
    odd = tmp_path / "a,b"
    odd.mkdir()
    assert encoder_sources(config, str(odd)) == (ModelSource(name=str(odd)), None)


def test_a_changed_prompt_is_another_retriever(tmp_path: Path) -> None:
    prefixed().save(tmp_path / "saved")
    config = build(EvaluateConfig, {})
    before = retriever_fingerprint(config, str(tmp_path / "saved"))
    assert before == retriever_fingerprint(config, str(tmp_path / "saved"))
    settings = tmp_path / "saved" / "config_sentence_transformers.json"
    settings.write_text(settings.read_text().replace("river", "lake"))
    assert retriever_fingerprint(config, str(tmp_path / "saved")) != before


def test_separate_towers_can_be_measured(towns: Towns, tmp_path: Path) -> None:
    prefixed(towers="separate").save(tmp_path / "two")
    found = searched(towns.passages, towns.dev, tmp_path / "out", retriever=str(tmp_path / "two"))
    assert found == searched(towns.passages, towns.dev, tmp_path / "tied", **PREFIXES)
    halves = f"{tmp_path}/two/query,{tmp_path}/two/passage"
    assert found == searched(towns.passages, towns.dev, tmp_path / "named", retriever=halves)


@pytest.mark.parametrize("config", [DistillConfig, EvaluateConfig, IndexConfig])
def test_the_options_have_the_same_names_in_every_job(config: Any) -> None:
    assert {"pooling", "normalize", "query_prefix", "passage_prefix"} <= config.model_fields.keys()


def test_a_file_of_passages_is_no_index(tmp_path: Path) -> None:
    rows = write_lines(tmp_path / "passages.jsonl", passage_rows()[:2])
    assert not is_index(rows)
