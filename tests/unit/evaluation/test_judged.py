"""Rankings measured by judgements, as BEIR has them: by hand, against trec_eval, and through the job."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elusive.data.beir import judgements_of_split
from elusive.data.questions import Passage
from elusive.errors import InputError, OptionError
from elusive.evaluation.arms import compare
from elusive.evaluation.arms_reading import read_arms
from elusive.evaluation.judged import measures_of, relevant_of
from elusive.evaluation.sources import QuestionSource
from elusive.jobs.evaluate import EvaluateResult, evaluate
from elusive.progress import Bars
from tests.distill_fixtures import passage_rows, write_lines
from tests.unit.evaluation.evaluating import few_draws, rows_of

__all__ = ["few_draws"]


def ranked(ids: str) -> list[Passage]:
    return [Passage(name, "", "text") for name in ids]


def test_measures_by_hand() -> None:
    found = measures_of(ranked("cax"), {"a": 2, "b": 1, "c": 0, "d": -1}, cuts=(1, 2))
    assert found == {
        "recall@1": 0.0,
        "recall@2": 0.5,
        "MRR@10": 0.5,
        "nDCG@10": pytest.approx((2 / math.log2(3)) / (2 + 1 / math.log2(3))),
    }
    assert relevant_of(ranked("cax"), {"a": 2, "c": 0}) == [False, True, False]


def test_a_question_without_a_relevant_passage_counts_as_zero() -> None:
    assert set(measures_of(ranked("ab"), {"a": 0, "b": -2}, cuts=(1, 5)).values()) == {0.0}


def test_what_stands_behind_the_tenth_counts_for_recall_alone() -> None:
    found = measures_of(ranked("abcdefghijk"), {"k": 1}, cuts=(10, 20))
    assert found == {"recall@10": 0.0, "recall@20": 1.0, "MRR@10": 0.0, "nDCG@10": 0.0}


@settings(deadline=None, max_examples=60)
@given(
    st.permutations("abcdefghijklmn"),
    st.integers(1, 14),
    st.dictionaries(st.sampled_from("abcdefghijklmnopq"), st.integers(-1, 3), min_size=1),
)
def test_measures_are_those_of_trec_eval(order: list[str], n: int, relevance: dict[str, int]) -> None:
    ir_measures = pytest.importorskip("ir_measures")
    nDCG, R, RR, Success = (getattr(ir_measures, name) for name in ("nDCG", "R", "RR", "Success"))
    wanted = {"nDCG@10": nDCG @ 10, "MRR@10": RR @ 10, "recall@1": R @ 1, "recall@5": R @ 5}
    found = order[:n]
    run = {"q": {name: float(-rank) for rank, name in enumerate(found)}}
    measured = ir_measures.iter_calc([*wanted.values(), Success @ 3], {"q": relevance}, run)
    theirs = {one.measure: one.value for one in measured}
    ours = measures_of(ranked("".join(found)), relevance, cuts=(1, 5))
    for name, measure in wanted.items():
        assert ours[name] == pytest.approx(theirs[measure]), name
    assert float(any(relevant_of(ranked("".join(found)), relevance)[:3])) == theirs[Success @ 3]


QRELS = "query-id\tcorpus-id\tscore\n"
Beir = Callable[..., Path]


@pytest.fixture
def beir(tmp_path: Path) -> Beir:
    def write(
        rows: str, *, questions: Mapping[str, str] | None = None, passages: list[dict[str, Any]] | None = None
    ) -> Path:
        folder = tmp_path / "beir"
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        corpus = passages or [{"_id": row["id"], "title": "", "text": row["text"]} for row in passage_rows()[:12]]
        asked = questions or {f"q{n}": row["text"] for n, row in enumerate(corpus[:3])}
        write_lines(folder / "corpus.jsonl", corpus)
        write_lines(folder / "queries.jsonl", [{"_id": name, "text": text} for name, text in asked.items()])
        (folder / "qrels/test.tsv").write_text(QRELS + rows)
        return folder

    return write


def measure(folder: Path, out: Path, **options: Any) -> EvaluateResult:
    given = {"questions": folder, "passages": str(folder), "split": "test", "retriever": "tiny:encoder"} | options
    return evaluate(given.pop("model", None), out=out, progress=Bars(quiet=True), **given)


def test_a_folder_of_beir_measures_a_retriever(beir: Beir, tmp_path: Path) -> None:
    ids = [row["id"] for row in passage_rows()[:12]]
    folder = beir(f"q0\t{ids[0]}\t1\nq1\t{ids[1]}\t2\nq1\t{ids[5]}\t1\nq1\tnowhere\t1\nq2\t{ids[3]}\t0\n")
    found = measure(folder, tmp_path / "out", k="1,5")
    assert list(found.retrieval) == ["HR@1", "HR@5", "recall@1", "recall@5", "MRR@10", "nDCG@10"]
    rows = rows_of(tmp_path / "out")
    assert [row["id"] for row in rows] == ["q0", "q1", "q2"]
    assert rows[0]["measures"]["MRR@10"] == 1.0, "a passage is found by its own text"
    assert rows[1]["measures"]["recall@1"] == pytest.approx(1 / 3)
    assert set(rows[2]["measures"].values()) == {0.0}
    assert found.retrieval["HR@1"].mean == pytest.approx(2 / 3)
    means = {name: sum(row["measures"][name] for row in rows) / 3 for name in rows[0]["measures"]}
    assert {name: found.retrieval[name].mean for name in means} == pytest.approx(means)


def test_a_question_that_is_in_the_corpus_is_not_found(beir: Beir, tmp_path: Path) -> None:
    ids = [row["id"] for row in passage_rows()[:12]]
    texts = {row["id"]: row["text"] for row in passage_rows()[:12]}
    asked = {ids[0]: texts[ids[0]], ids[1]: texts[ids[1]]}
    others = "".join(f"{ids[0]}\t{name}\t1\n" for name in ids[1:])
    folder = beir(f"{others}{ids[1]}\t{ids[1]}\t1\n", questions=asked)
    measure(folder, tmp_path / "out", k="1,5")
    first, second = rows_of(tmp_path / "out")
    assert first["measures"]["MRR@10"] == 1.0, "the question itself would stand first, and is judged by nobody"
    assert second["measures"]["MRR@10"] == 1.0, "judged relevant, it is a passage that is numbered alike"


def test_fewer_passages_than_are_counted_by_default(beir: Beir, tmp_path: Path) -> None:
    passages = [{"_id": "1", "title": "Tarn", "text": "The boat to Tarn."}, {"_id": "2", "text": "Paintings."}]
    folder = beir("q\t1\t1\n", questions={"q": "when was the boat to Tarn"}, passages=passages)
    found = measure(folder, tmp_path / "out")
    assert found.retrieval["recall@20"].mean == 1.0
    with pytest.raises(OptionError, match="5 passages are asked for and there are 2; lower --k"):
        measure(folder, tmp_path / "other", k="5")


def test_another_corpus_than_the_judged_one_is_refused(beir: Beir, tmp_path: Path) -> None:
    folder = beir("q0\tother-1\t1\nq1\tother-2\t1\n")
    with pytest.raises(InputError, match=r"none of the 2 ids that .* judges relevant, such as 'other-1', is"):
        measure(folder, tmp_path / "out", k="1")


def test_arms_are_compared_by_these_measures(beir: Beir, tmp_path: Path) -> None:
    ids = [row["id"] for row in passage_rows()[:12]]
    folder = beir(f"q0\t{ids[0]}\t1\nq1\t{ids[7]}\t1\n")
    for name in ("a", "b"):
        measure(folder, tmp_path / name, k="5")
    compared = compare(read_arms({name: str(tmp_path / name) for name in ("a", "b")}), references=["a"])
    assert compared.measures == ("HR@5", "recall@5", "MRR@10", "nDCG@10")
    assert {one.difference.mean for one in compared.differences} == {0.0}


@pytest.mark.parametrize("options", [{"retriever": None, "passages": None}, {"model": "tiny:reader"}])
def test_a_model_cannot_be_asked_what_has_no_answers(beir: Beir, tmp_path: Path, options: dict[str, Any]) -> None:
    folder = beir("q0\tp\t1\n")
    with pytest.raises(
        InputError, match=r"has answers; a folder of BEIR judges passages instead.* --retriever ENCODER"
    ):
        measure(folder, tmp_path / "out", **options)


def test_what_is_missing_of_a_folder_is_said(beir: Beir, tmp_path: Path) -> None:
    folder = beir("q0\tp\t1\n")
    with pytest.raises(InputError, match=r"no split 'train' in .*qrels; there are: 'test'"):
        measure(folder, tmp_path / "out", split="train")
    with pytest.raises(InputError, match=r"queries\.jsonl has no answers; name .*beir, whose qrels/ judge passages"):
        QuestionSource(place=folder / "queries.jsonl").kind()
    (folder / "qrels/test.tsv").unlink()
    (folder / "qrels").rmdir()
    with pytest.raises(InputError, match="has judgements of passages in qrels/, and there are none"):
        measure(folder, tmp_path / "out", split="train")


def test_judgements_come_in_other_formats_too(beir: Beir) -> None:
    folder = beir("q0\tp\t1\nq1\tp\t2.0\nq1\t\t1\nq1\tr\thigh\n")
    rows = [{"query-id": 3.0, "corpus-id": 7, "score": 1.0}, {"query-id": "q", "corpus-id": None, "score": 1}]
    write_lines(folder / "qrels/dev.jsonl", rows)
    rejected: list[Any] = []
    assert judgements_of_split(folder, split="test", on_rejected=rejected.append) == {"q0": {"p": 1}, "q1": {"p": 2}}
    assert judgements_of_split(folder, split="dev", on_rejected=rejected.append) == {"3": {"7": 1}}
    assert [(one.line, one.reason) for one in rejected] == [
        (4, "no id of a query and a passage"),
        (5, "relevance is not an integer"),
        (2, "no id of a query and a passage"),
    ]
