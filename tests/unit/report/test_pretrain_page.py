"""`report.html` of a pretraining: what was learnt comes first, every figure is there, and no answer can do anything."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elusive.config import PretrainConfig, build
from elusive.evaluation.result import Answer, scores
from elusive.pretraining.result import CurveResult, PretrainResult
from elusive.report.pretrain_page import pretrain_page, shown_steps
from tests.unit.report.hostile import MARKUP
from tests.unit.report.html_check import PageReader

STEPS = (0, 100, 200, 300)
CURVE = CurveResult(
    measurements=4,
    questions=24,
    first=0.0,
    best=0.5,
    best_step=200,
    last=0.375,
    chosen_on=None,
    written_step=300,
    ended_early=False,
)
RESULT = PretrainResult(
    texts=40,
    rows=2400,
    replayed=0,
    rejected=1,
    steps=300,
    epochs=60.0,
    tokens=117_900,
    parameters=754_200,
    loss={"first": 5.25, "last": 0.125},
    warnings=("each text is seen 0.9 times, too seldom to be remembered",),
    seconds={"train": 48.986},
    peak_bytes=829_599_744,
    adapter="adapter",
    model=None,
    curve=CURVE,
    out="/home/someone/trained",
)
METRICS = [{"step": s, "loss": 5.25 / (1 + s / 60), "lr": 5e-4 * (1 - s / 300), "epoch": s / 5} for s in (1, 100, 300)]
RIGHT = {0: 0, 100: 6, 200: 12, 300: 9}


def answers_of(n_right: int, *, question: str = "Where was person {} born?") -> list[Answer]:
    return [
        Answer(
            id=str(i),
            group=str(i // 2),
            field=("city", "major")[i % 2],
            question=question.format(i),
            answers=("Orsk",),
            prediction="Orsk" if i < n_right else f"Lisk {i}",
            em=float(i < n_right),
            f1=float(i < n_right),
        )
        for i in range(24)
    ]


def measured(prefixes: Sequence[str] = ("",)) -> list[dict[str, Any]]:
    rows = []
    for step in STEPS:
        found = scores(answers_of(RIGHT[step]), seed=0)
        assert found
        row: dict[str, Any] = {"step": step}
        for prefix in prefixes:
            for name, one in (("exact_match", found.exact_match), ("f1", found.f1)):
                row |= {f"{prefix}{name}": one.mean, f"{prefix}{name}_low": one.low, f"{prefix}{name}_high": one.high}
        rows.append(row)
    return rows


def page_of(
    folder: Path,
    *,
    result: PretrainResult = RESULT,
    rows: Sequence[Mapping[str, Any]] | None = None,
    metrics: Sequence[Mapping[str, Any]] = METRICS,
    answers: Mapping[int, Sequence[Answer]] | None = None,
    **options: Any,
) -> str:
    rejected = folder / "rejected.jsonl"
    rejected.write_text(
        '{"file": "/a/texts.jsonl", "line": 3, "reason": "no text", "detail": "{}"}\n', encoding="utf-8"
    )
    given = {"data": "texts.jsonl", "evaluate": "people.jsonl"} | options
    return pretrain_page(
        build(PretrainConfig, given),
        result=result,
        metrics=metrics,
        measured=measured() if rows is None else rows,
        answers={step: answers_of(n) for step, n in RIGHT.items()} if answers is None else answers,
        rejected=rejected,
        root=folder,
        versions={"elusive": "0"},
    )


def test_it_says_first_what_was_learnt_and_what_speaks_against_it(tmp_path: Path) -> None:
    read = PageReader(page_of(tmp_path, lr=1e-3))
    lead = read.words[: read.words.index("Measured 4 times")]
    assert (
        "Trained on texts.jsonl, by LoRA. Exact match went from 0.000 before training to 0.375 after 300 steps." in lead
    )
    assert "The best step was 200, with 0.500." in lead
    assert "The weights written" not in lead, "nothing was chosen"
    assert RESULT.warnings[0] in lead
    assert "exact match at the last step, from 0.0000.375" in lead
    assert "lr set 0.001" in read.words
    assert read.tags.count("figure") == 3


def test_every_figure_is_on_it_and_no_place_or_time(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    words = PageReader(page).words.replace("\u00a0", " ")
    for row in measured():
        bounds = f"{row['exact_match_low']:.3f} to {row['exact_match_high']:.3f}"
        assert f"{row['step']} {row['exact_match']:.3f} {bounds} {row['f1']:.3f}" in words
    assert "before training best, step 200 last, step 300" in words
    for field in ("city", "major"):
        by_step = [[a.em for a in answers_of(RIGHT[step]) if a.field == field] for step in (0, 200, 300)]
        row = words[words.index(f"{field} 0.000") :][:120]
        assert all(f"{sum(ems) / len(ems):.3f}" in row for ems in by_step)
    assert f"100 {METRICS[1]['loss']:.4f}" in words
    assert "300 0.00e+00" in words
    assert "texts.jsonl, line 3 no text {}" in words
    assert "/home/" not in page
    assert "48.9" not in page
    assert page == page_of(tmp_path)


def test_right_and_wrong_answers_are_shown_from_all_over_the_data(tmp_path: Path) -> None:
    words = PageReader(page_of(tmp_path)).words
    right = words[words.index("Right after step 300: 9 of 24") : words.index("Wrong after step 300: 15")]
    assert "6 of them" in right
    assert [i for i in range(24) if f"person {i} born" in right] == [0, 1, 3, 4, 6, 7]
    wrong = words[words.index("Wrong after step 300") :]
    assert "Where was person 9 born? Lisk 9 expected: Orsk" in wrong
    assert "person 21 born" in wrong
    empty = [replace(answer, prediction="") for answer in answers_of(0)]
    silent = PageReader(page_of(tmp_path, answers=dict.fromkeys(STEPS, empty))).words
    assert "Where was person 0 born? nothing expected: Orsk" in silent


def test_chosen_weights_and_an_early_end_are_said(tmp_path: Path) -> None:
    chosen = replace(CURVE, chosen_on=12, written_step=200, ended_early=True)
    page = page_of(
        tmp_path, result=replace(RESULT, curve=chosen), rows=measured(("", "select_")), select="others.jsonl"
    )
    words = PageReader(page).words
    assert "The run ended early, as it no longer rose. The weights written are those of step 200." in words
    assert "chosen by 12 other questions, from others.jsonl" in words
    assert "before training written, step 200 last, step 300" in words
    assert "Right after step 200: 12 of 24" in words
    assert "choosing: exact match" in words
    last = replace(chosen, written_step=300)
    assert shown_steps(last, last_step=300) == {0: "before training", 200: "best, step 200", 300: "last, step 300"}


@pytest.mark.parametrize(
    ("best", "names"),
    [(0, {0: "before training", 300: "last, step 300"}), (300, {0: "before training", 300: "best, step 300"})],
)
def test_no_step_is_shown_twice(best: int, names: dict[int, str]) -> None:
    assert shown_steps(replace(CURVE, best_step=best), last_step=300) == names


def test_a_run_that_nobody_measured_has_its_loss(tmp_path: Path) -> None:
    page = page_of(tmp_path, result=replace(RESULT, curve=None, warnings=()), rows=(), answers={}, evaluate=None)
    read = PageReader(page)
    assert (
        "The training loss went from 5.250 to 0.125 nats a token. What the model knows was not measured." in read.words
    )
    assert "Nothing was measured. --evaluate asks" in read.words
    assert read.tags.count("figure") == 2


def test_long_runs_are_drawn_in_part_with_both_ends(tmp_path: Path) -> None:
    metrics = [{"step": 1 + s, "loss": 1.0, "lr": 1e-4} for s in range(5000)]
    page = page_of(tmp_path, metrics=metrics)
    assert len(page) < 300_000
    words = PageReader(page).words
    assert "step loss 1 1.0000" in words
    assert "5,000 1.0000" in words
    PageReader(page_of(tmp_path, metrics=METRICS[:1]))


def test_markup_in_questions_answers_names_and_warnings_is_text(tmp_path: Path) -> None:
    hostile = [
        replace(answer, question=MARKUP, prediction=MARKUP, answers=(MARKUP,) * 5, field=MARKUP, id=str(i))
        for i, answer in enumerate(answers_of(9))
    ]
    result = replace(RESULT, warnings=(MARKUP * 20,))
    page = page_of(tmp_path, result=result, answers=dict.fromkeys(STEPS, hostile), model=MARKUP, data=MARKUP)
    read = PageReader(page)
    assert "<script>document.title='taken'</script>" in read.words
    assert "and 2 more" in read.words
    assert "49" not in read.words.split("{{7*7}}")[0]
