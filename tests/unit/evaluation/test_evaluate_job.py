"""`elusive evaluate` as a job: what it writes, how it goes on, and what it refuses at the door."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from elusive.errors import FolderError, InputError, ModelError, OptionError
from elusive.evaluation.closed_book import ClosedBook
from elusive.jobs import evaluate_forgetting
from tests.distill_fixtures import write_lines
from tests.score_reader_fixtures import reader_a, reader_b, reader_t5
from tests.unit.evaluation.evaluating import Evaluate, few_draws, judge, people, rows_of, towns
from tests.unit.evaluation.exams import PEOPLE, TAGGED

__all__ = ["few_draws", "judge", "people", "reader_a", "reader_b", "reader_t5", "towns"]


# -- what it writes --------------------------------------------------------------------------------------------------


def test_each_question_has_a_row_and_figures_are_of_the_rows(judge: Evaluate, tmp_path: Path) -> None:
    result = judge()
    rows = rows_of(tmp_path / "out")
    assert list(rows[0]) == ["id", "group", "field", "question", "answers", "prediction", "em", "f1"]
    assert [row["id"] for row in rows[:3]] == [f"Mara Velting/{f}" for f in ("birth_city", "major", "company")]
    assert (result.questions, result.groups, result.shots) == (12, 4, 2)
    assert list(result.fields) == ["birth_city", "major", "company"]
    assert result.f1 is not None
    assert result.f1.mean == pytest.approx(sum(row["f1"] for row in rows) / 12)
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["result"]["fields"]["major"]["exact_match"]["n"] == 4
    assert record["files"].keys() == {"answers.jsonl", "rejected.jsonl"}


def test_answers_do_not_depend_on_what_shares_their_batch_or_file(judge: Evaluate, tmp_path: Path) -> None:
    judge("small"), judge("large", batch_size=12), judge("some", field="major", limit=2)
    small, large, some = (rows_of(tmp_path / name) for name in ("small", "large", "some"))
    assert small == large
    assert some == [row for row in small if row["field"] == "major"][:2]


def test_models_and_seeds_see_the_same_and_other_shots(judge: Evaluate, reader_b: str, tmp_path: Path) -> None:
    prompts: dict[str, list[str]] = {}
    for name, options in {"a": {}, "b": {"model": reader_b}, "seed": {"seed": 1}}.items():
        seen = prompts.setdefault(name, [])
        with pytest.MonkeyPatch.context() as patch:
            tokens = ClosedBook.tokens
            patch.setattr(
                ClosedBook, "tokens", lambda self, q, s, s_=seen, t=tokens: (s_.append(str(s)), t(self, q, s))[1]
            )
            judge(name, **options)
    assert prompts["a"] == prompts["b"] != prompts["seed"]


def test_shots_may_come_from_elsewhere(judge: Evaluate, tmp_path: Path) -> None:
    examples = write_lines(tmp_path / "examples.jsonl", [{"question": f"Who {i}?", "answers": ["x"]} for i in range(2)])
    judge(examples=examples)
    with pytest.raises(InputError, match=r"examples\.jsonl has 2 examples for question"):
        judge("other", examples=examples, shots=3)


def test_tagged_texts_and_templates_of_ones_own_are_asked(judge: Evaluate, tmp_path: Path) -> None:
    texts = write_lines(tmp_path / "texts.jsonl", [{"text": text} for text in (*TAGGED, "Nobody.")])
    templates = tmp_path / "templates.yaml"
    templates.write_text("city: Whence came {name}?\ndate:\nuniversity: null\n", encoding="utf-8")
    result = judge(questions=texts, templates=str(templates), shots=0)
    assert [row["question"] for row in rows_of(tmp_path / "out")] == [
        "Whence came Mara Velting?",
        "Whence came Tor Aldane?",
    ]
    assert (result.rejected, result.groups) == (1, 2)
    [line] = (tmp_path / "out" / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    assert "nobody is named" in line


def test_an_encoder_decoder_answers_closed_book_and_has_no_perplexity(judge: Evaluate, reader_t5: str) -> None:
    assert judge(model=reader_t5).exact_match is not None
    with pytest.raises(ModelError, match="gives a text no likelihood; leave --forgetting out"):
        judge("other", model=reader_t5, forgetting="sample:biographies")


# -- going on --------------------------------------------------------------------------------------------------------


class Stop(Exception):
    """Stands for a kill: nothing of ours handles it."""


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_killed_run_goes_on_with_the_same_bytes_and_answers_no_kept_chunk_again(
    judge: Evaluate, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("elusive.jobs.evaluate_answers._BATCHES", 1)
    judge("whole")
    answers, n_calls = ClosedBook.answers, 0

    def counted(self: ClosedBook, prompts: Any, stop: int | None = after) -> list[str]:
        nonlocal n_calls
        n_calls += 1
        if stop is not None and n_calls > stop:
            raise Stop
        return answers(self, prompts)

    monkeypatch.setattr(ClosedBook, "answers", counted)
    with pytest.raises(Stop):
        judge("killed")
    assert n_calls == after + 1
    n_calls = 0
    monkeypatch.setattr(ClosedBook, "answers", lambda self, prompts: counted(self, prompts, None))
    judge("killed")
    assert n_calls == 6 - after
    assert (tmp_path / "killed/answers.jsonl").read_bytes() == (tmp_path / "whole/answers.jsonl").read_bytes()
    assert list((tmp_path / "killed/.elusive").glob("parts")) == []


def test_a_damaged_chunk_is_answered_again(judge: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elusive.jobs.evaluate.write_text", lambda *_: (_ for _ in ()).throw(Stop()))
        with pytest.raises(Stop):
            judge("killed")
    [*_, chunk] = sorted((tmp_path / "killed/.elusive/parts").glob("answers-*.json"))
    chunk.write_text(chunk.read_text(encoding="utf-8").replace('"chunk": [', '"chunk": [ "no",'), encoding="utf-8")
    judge("killed")
    assert (tmp_path / "killed/answers.jsonl").read_bytes() == (tmp_path / "whole/answers.jsonl").read_bytes()


def test_a_finished_run_is_found_and_another_one_refused(judge: Evaluate, people: str, tmp_path: Path) -> None:
    first = judge()
    again = judge()
    assert again.already_done
    assert (again.exact_match, again.fields) == (first.exact_match, first.fields)
    with pytest.raises(FolderError, match=r"other options \(shots: 2 there, 1 now\)"):
        judge(shots=1)
    write_lines(Path(people), [*PEOPLE, {"name": "New", "facts": {"major": "law"}}])
    with pytest.raises(FolderError, match=r"files: questions changed"):
        judge()
    assert judge(overwrite=True).questions == 13


# -- other texts -----------------------------------------------------------------------------------------------------


def test_perplexity_of_other_texts_by_name_and_resumed(
    judge: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_forgetting, "_CHUNK", 2)
    texts = write_lines(tmp_path / "wiki.jsonl", [{"text": "Mara met Tor. " * n} for n in (1, 30, 2, 5, 3)])
    options = {"forgetting": [texts, f"short={texts}"], "window": 32, "limit": 1}
    whole = judge("whole", **options).forgetting
    assert list(whole) == ["wiki.jsonl", "short"]
    assert whole["short"] == whole["wiki.jsonl"]
    assert (whole["short"].texts, whole["short"].chars) == (5, 41 * 14)
    likelihoods, left = evaluate_forgetting.negative_log_likelihoods, iter([True, True])

    def stopping(*arguments: Any, **others: Any) -> list[float]:
        next(left)
        return likelihoods(*arguments, **others)

    monkeypatch.setattr(evaluate_forgetting, "negative_log_likelihoods", stopping)
    with pytest.raises(StopIteration):
        judge("killed", **options)
    monkeypatch.setattr(evaluate_forgetting, "negative_log_likelihoods", likelihoods)
    assert judge("killed", **options).forgetting == whole
    with pytest.raises(OptionError, match="window 5000 is more than the context"):
        judge("wide", **options | {"window": 5000})


# -- the door --------------------------------------------------------------------------------------------------------


def test_templates_are_of_no_use_for_whole_questions(judge: Evaluate, towns: str, people: str, tmp_path: Path) -> None:
    file = tmp_path / "templates.yaml"
    file.write_text("\n".join(f"{name}: What is the {name} of {{name}}?" for name in PEOPLE[0]["facts"]))
    with pytest.raises(
        OptionError, match=r"--templates are of fields and tags, and .*towns\.jsonl has whole questions"
    ):
        judge(questions=towns, templates=str(file))
    judge(questions=towns, templates=str(file), examples=people)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 64}, "--window is of the texts of --forgetting, and none are given"),
        ({"forgetting_limit": 3}, "--forgetting-limit is of the texts of --forgetting"),
        ({"reader_k": 2}, "--reader-k counts passages of a --retriever that a model reads, and one of them is missing"),
    ],
)
def test_options_that_would_do_nothing_are_refused(options: dict[str, Any], message: str, judge: Evaluate) -> None:
    with pytest.raises(OptionError, match=message):
        judge(**options)


def test_a_run_goes_on_by_another_path_of_its_files(
    judge: Evaluate, people: str, reader_a: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_lines(tmp_path / "other.jsonl", [{"text": "Mara was born in Orsk."}])
    monkeypatch.chdir(tmp_path)
    judge(questions="people.jsonl", forgetting="other=other.jsonl")
    monkeypatch.chdir("/")
    assert judge(questions=people, model=os.path.relpath(reader_a), forgetting=f"other={other}").already_done
