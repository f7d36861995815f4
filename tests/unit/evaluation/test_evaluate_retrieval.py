"""`elusive evaluate` of a retriever, and of a model that reads what it finds."""

import re
from pathlib import Path
from typing import Any

import pytest

from elusive.data.question_files import read_questions
from elusive.data.questions import Passage, Question
from elusive.distillation.evaluation import retrieval
from elusive.distillation.retriever import Retriever
from elusive.errors import OptionError
from elusive.evaluation.open_book import is_cut
from elusive.jobs.evaluate import EvaluateResult, evaluate
from elusive.jobs.evaluate_answers import Answering
from elusive.jobs.index import build_index
from elusive.models import ModelSource
from elusive.progress import Bars
from elusive.readers import decoder_only, fusion_in_decoder
from elusive.readers.opening import load_reader
from elusive.readers.reader import ReaderOptions
from elusive.retrieval.encoder import load_encoder
from elusive.retrieval.index import PassageIndex
from tests.distill_fixtures import N_PASSAGES, passage_rows, question_rows, write_lines
from tests.score_reader_fixtures import reader_a, reader_t5
from tests.unit.evaluation.evaluating import few_draws, rows_of, towns

__all__ = ["few_draws", "reader_a", "reader_t5", "towns"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("index") / "index"
    passages = write_lines(folder.parent / "passages.jsonl", passage_rows())
    build_index(passages, encoder="tiny:encoder", out=folder, progress=Bars(quiet=True))
    return str(folder)


def search(index: str, towns: str, folder: Path, **options: Any) -> EvaluateResult:
    given = {"retriever": "tiny:encoder", "passages": index, "questions": towns, "batch_size": 3} | options
    return evaluate(given.pop("model", None), out=folder, progress=Bars(quiet=True), **given)


def test_a_retriever_alone_is_measured_as_a_distillation_measures_it(index: str, towns: str, tmp_path: Path) -> None:
    found = search(index, towns, tmp_path / "out")
    assert (found.model, found.exact_match, found.fields) == (None, None, {})
    encoder = load_encoder(ModelSource(name="tiny:encoder"))
    retriever = Retriever(encoder, PassageIndex.open(Path(index), encoder=encoder))
    questions = list(read_questions(towns, on_rejected=lambda _: None))
    expected = retrieval(retriever.with_passages(questions, 20)).hr
    assert {name: one.mean for name, one in found.retrieval.items()} == {f"HR@{k}": e.mean for k, e in expected.items()}
    assert set(rows_of(tmp_path / "out")[0]["hits"]) == {"1", "5", "20"}
    assert 0 < found.retrieval["HR@5"].mean <= found.retrieval["HR@20"].mean


def test_an_index_is_made_of_passages_and_leaves_nothing_behind(index: str, towns: str, tmp_path: Path) -> None:
    passages = str(Path(index).parent / "passages.jsonl")
    made = search(passages, towns, tmp_path / "made", k="5")
    there = search(index, towns, tmp_path / "there", k="5")
    assert made.retrieval == there.retrieval
    names = {"answers.jsonl", "rejected.jsonl", "rejected-passages.jsonl", "run.json", ".elusive"}
    assert {entry.name for entry in (tmp_path / "made").iterdir()} == names
    assert not (tmp_path / "made/.elusive/corpus").exists()


def test_a_run_that_goes_on_after_its_search_does_not_embed_again(
    index: str, towns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passages = str(Path(index).parent / "passages.jsonl")
    given = {"passages": passages, "model": "tiny:reader", "k": "1,5"}
    expected = search(passages, towns, tmp_path / "whole", **given)
    with monkeypatch.context() as patched:
        patched.setattr(Answering, "open_book", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            search(passages, towns, tmp_path / "out", **given)
    monkeypatch.setattr(PassageIndex, "build", lambda *_, **__: pytest.fail("embedded again"))
    found = search(passages, towns, tmp_path / "out", **given)
    assert (found.retrieval, found.exact_match) == (expected.retrieval, expected.exact_match)


def test_a_model_reads_what_is_found(index: str, towns: str, tmp_path: Path) -> None:
    found = search(index, towns, tmp_path / "out", model="tiny:reader", k="1,5")
    rows = rows_of(tmp_path / "out")
    hit = [row["em"] for row in rows if row["hits"]["5"]]
    assert found.exact_match is not None
    assert sum(hit) / len(hit) > 0.5, "a reader of the miniature answers where the answer is at hand"
    assert [row["id"] for row in rows] == [row["id"] for row in question_rows()[:12]]


def test_passages_that_do_not_fit_and_questions_that_cannot_be_read_are_counted(
    index: str, towns: str, reader_a: str, reader_t5: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*question_rows()[:2], {"id": "long", "question": "Where is " + "Orsk " * 600, "answers": ["x"]}]
    long = [{"id": str(n), "text": text} for n, text in enumerate(["Orsk is near Lisk. " * 60, "Lisk."])]
    asked = write_lines(tmp_path / "asked.jsonl", rows)
    passages = write_lines(tmp_path / "long.jsonl", long)
    given = {"retriever": "tiny:encoder", "passages": passages, "questions": asked, "k": "1", "reader_k": 2}
    for name, model in {"one prompt": reader_a, "fused": reader_t5}.items():
        found = evaluate(model, out=tmp_path / name, progress=Bars(), **given, max_new_tokens=4)
        assert (found.truncated, found.unreadable) == (2, 1), name
        assert rows_of(tmp_path / name)[2]["prediction"] == ""
        assert len(re.findall("of the 3 questions, 2 had passages cut .* 1 had no room", capsys.readouterr().err)) == 1
    fitting = search(index, towns, tmp_path / "fitting", model="tiny:reader")
    assert (fitting.truncated, fitting.unreadable) == (0, 0)
    assert "warning" not in capsys.readouterr().err
    assert search(index, towns, tmp_path / "alone").truncated is None


@pytest.mark.parametrize("kind", ["reader_a", "reader_t5"])
@pytest.mark.parametrize("seed", [None, 3])
def test_passages_are_cut_where_the_reader_cuts_them(
    kind: str, seed: int | None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ReaderOptions(max_new_tokens=3, shuffle_seed=seed)
    reader = load_reader(ModelSource(name=request.getfixturevalue(kind)), options=options)
    module = decoder_only if kind == "reader_a" else fusion_in_decoder
    cuts: list[int] = []

    def noted(*arguments: Any, fitted: Any = module.fitted, **others: Any) -> Any:
        found = fitted(*arguments, **others)
        cuts.extend(found.n_cut)
        return found

    monkeypatch.setattr(module, "fitted", noted)
    monkeypatch.setattr(module, "generated" if kind == "reader_a" else "generated_from", lambda *_, **__: [""])
    seen = []
    for n in range(440, 530):
        passages = tuple(Passage(str(i), "", text) for i, text in enumerate(("a " * n, "b")))
        question = Question("q", "Who?", (), passages=passages)
        cuts.clear()
        reader.answers([question])
        assert is_cut(reader, question, max_new_tokens=3, shuffle_seed=seed) == any(cuts), n
        seen.append(any(cuts))
    assert set(seen) == {True, False}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reader_k": 2}, "--reader-k counts passages of a --retriever that a model reads"),
        ({"k": "99"}, f"99 passages are asked for and there are {N_PASSAGES}; lower --k or --reader-k"),
        ({"passages": None}, "--retriever needs --passages beside it"),
        ({"retriever": None}, "--passages needs --retriever beside it"),
        ({"shots": 2}, "--shots is of a model"),
        ({"forgetting": "x"}, "--forgetting is of a model"),
        ({"model": "tiny:reader", "shots": 2}, "--shots go before closed-book questions"),
        ({"k": "0"}, "k is .*from 1 on"),
    ],
)
def test_what_a_retriever_cannot_do_is_said(
    options: dict[str, Any], message: str, index: str, towns: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        search(index, towns, tmp_path / "out", **options)
