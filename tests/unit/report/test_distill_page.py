"""`report.html` of a distillation: whether the gain is real comes first, and nothing that was read can do anything."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elusive.config import DistillConfig, build
from elusive.data.questions import Passage, Question
from elusive.distillation.result import Answers, DistillResult, Gate, HitRate
from elusive.report.distill_page import distill_page
from elusive.report.distill_questions import changes
from tests.unit.report.hostile import MARKUP
from tests.unit.report.html_check import PageReader

RESULT = DistillResult(
    hr={
        "1": HitRate(start=0.08, best=0.09, end=0.08, gain=0.01, ci=(-0.03, 0.05)),
        "5": HitRate(start=0.5, best=0.62, end=0.36, gain=0.12, ci=(0.05, 0.19)),
        "20": HitRate(start=0.98, best=0.99, end=0.73, gain=0.01, ci=(0.0, 0.02)),
    },
    test={k: HitRate(start=0.51, best=0.53, end=0.53, gain=0.02, ci=(-0.04, 0.09)) for k in ("1", "5", "20")},
    answers=Answers(em=(0.753, 0.773), f1=(0.757, 0.747)),
    steps=30,
    best_step=10,
    stopped_by="the results have moved far",
    gate=Gate(word="good", reason="the reader's attention is good: lift rises by 14.056", passed=True),
    unanswerable=3,
    warnings=("3 of the 300 dev questions are asked in train too",),
    passages=2000,
    train=1400,
    dev=300,
    rejected=4,
    seconds={"train": 48.986},
    peak_bytes=829_599_744,
    out="/home/someone/distilled",
)
ROWS: tuple[dict[str, Any], ...] = (
    {"step": 0, "hr@1": 0.08, "hr@5": 0.5, "hr@20": 0.98, "mrr": 0.28, "gap": 5.0, "overlap": 1.0},
    *(
        {"step": step, "hr@1": 0.09, "hr@5": hr, "hr@20": 0.9, "mrr": 0.3, "gap": gap, "overlap": overlap, "loss": loss,
         "alarms": alarms}
        for step, hr, gap, overlap, loss, alarms in (
            (10, 0.62, 4.5, 0.71, 7.5, []),
            (20, 0.51, 3.0, 0.67, 4.25, ["gap"]),
            (30, 0.36, 1.5, 0.36, 3.0, ["gap", "overlap", "hit_rate"]),
        )
    ),
)  # fmt: skip
HEADINGS = ("What it finds", "Over steps", "Dev questions gained and lost", "Rows set aside", "How to read this")


def question(number: int, *texts: str, answers: Sequence[str] = ("Orsk",)) -> Question:
    passages = tuple(Passage(f"{number}-{text}", "Orsk's hills", text) for text in texts)
    return Question(f"q{number}", f"Where was she born, the {number}th?", tuple(answers), passages=passages)


def found(hits: Sequence[bool]) -> list[Question]:
    """A question for each, with two passages, the better one first."""
    texts = ("She was born in orsk.", "It is a far place.", "Nobody knows.")
    return [question(i, *(texts[:2] if hit else texts[1:])) for i, hit in enumerate(hits)]


def page_of(
    folder: Path,
    *,
    result: DistillResult = RESULT,
    rows: Sequence[Mapping[str, Any]] = ROWS,
    before: Sequence[Question] | None = None,
    after: Sequence[Question] | None = None,
    rejected_lines: str = "",
    **options: Any,
) -> str:
    rejected = folder / "rejected.jsonl"
    rejected.write_text(rejected_lines, encoding="utf-8")
    return distill_page(
        build(DistillConfig, options),
        result=result,
        rows=rows,
        before=found([True, False, False, True]) if before is None else before,
        after=found([True, True, False, False]) if after is None else after,
        rejected=rejected,
        root=folder,
        versions={"elusive": "0"},
    )


def words_of(folder: Path, **changed: Any) -> str:
    return PageReader(page_of(folder, **changed)).words


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(tmp_path_factory.mktemp("page"), k=7)


def test_it_says_first_whether_the_gain_is_real_and_how_the_run_ended(page: str) -> None:
    read = PageReader(page)
    places = [read.words.index(words) for words in HEADINGS]
    lead = read.words[: places[0]]
    assert "learnt from the attention of tiny:reader. The one that is kept is that of step 10." in lead
    assert "real gain HR@5 went from 0.500 to 0.620, by +0.120 (95 % +0.050 to +0.190)" in lead
    assert "gain not shown HR@5 went from 0.510 to 0.530, by +0.020 (95 % −0.040 to +0.090)" in lead
    assert "passed The reader's attention is good" in lead
    assert "before its last step After step 30: the results have moved far." in lead
    assert "HR@5 on dev, from 0.5000.620" in lead
    assert "rejected rows4" in lead
    assert "k set 7" in read.words
    assert read.tags.count("figure") == 3


def test_every_figure_is_on_it_and_no_place_or_time(page: str) -> None:
    words = PageReader(page).words
    assert "HR@5 0.500 0.620 +0.120+0.050 to +0.190 0.360" in words
    assert "HR@5 0.510 0.530 +0.020−0.040 to +0.090 n/a" in words
    assert "exact match 0.753 0.773 +0.020" in words
    assert "F1 0.757 0.747 −0.010" in words
    assert "20 0.090 0.510 0.900 0.300" in words
    assert "20 3.000 0.600 0.670" in words
    assert "20 4.250" in words
    assert (
        "To 3 of the 300 dev questions no passage holds an answer, so that no retriever finds more than 0.990." in words
    )
    assert RESULT.warnings[0] in words
    assert "/home/" not in page
    assert "48.9" not in page


def test_an_alarm_is_told_in_the_words_of_who_raised_it(page: str, tmp_path: Path) -> None:
    words = PageReader(page).words
    alarms = words[words.index("step what was seen") : words.index("Dev questions gained")]
    assert "20 The embeddings contract: rank 1 is 3 above rank 50, below 0.7 of the 5 at the start." in alarms
    assert "30 The results have moved far: 0.360 of the first 5" in alarms
    assert "30 HR@5 on dev is 0.360, below the 0.500 at the start." in alarms
    assert "10 " not in alarms, "no alarm was raised there"
    assert "Alarms None." in words_of(tmp_path, rows=ROWS[:2])


def test_the_same_run_makes_the_same_bytes(page: str, tmp_path: Path) -> None:
    assert page_of(tmp_path, k=7) == page


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"hr": {**RESULT.hr, "5": replace(RESULT.hr["5"], ci=(-0.2, -0.1))}}, "worse HR@5 went from"),
        ({"hr": {**RESULT.hr, "5": replace(RESULT.hr["5"], ci=(0.0, 0.2))}}, "gain not shown HR@5 went from 0.500"),
        ({"hr": {**RESULT.hr, "5": replace(RESULT.hr["5"], ci=None)}}, "(too few questions for an interval)"),
        ({"best_step": 0}, "No later one was better on dev: the initial retriever is kept. Dev"),
        ({"test": {}}, "There are no figures on test questions."),
        ({"answers": None}, "How well a reader answers is not known"),
        ({"stopped_by": "steps"}, "all steps All 30 steps were taken."),
        ({"stopped_by": "gate", "steps": 0}, "The gate ended the run before its first step."),
        ({"gate": Gate(word=None, reason="not for this teacher", passed=True)}, "not asked Not for this teacher."),
        ({"gate": Gate(word="poor", reason="it is poor", passed=False)}, "not passed It is poor. The run went on"),
    ],
)
def test_what_is_worse_unsure_or_missing_is_said(changed: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in words_of(tmp_path, result=replace(RESULT, **changed), rows=())


@pytest.mark.parametrize("n", [0, 1])
def test_a_run_without_a_step_has_no_curves(n: int, tmp_path: Path) -> None:
    read = PageReader(page_of(tmp_path, rows=ROWS[:n]))
    assert "Nothing was measured after the start." in read.words
    assert "figure" not in read.tags


def test_figures_that_are_missing_or_no_numbers_are_not_drawn(tmp_path: Path) -> None:
    rows = ({**ROWS[0], "gap": 0.0}, {**ROWS[1], "gap": float("nan"), "overlap": None})
    assert "10 nan n/a n/a" in words_of(tmp_path, rows=rows)


def test_questions_gained_and_lost_are_counted_and_shown_on_both_sides(page: str) -> None:
    words = PageReader(page).words
    assert "1 are gained and 1 lost; 1 have an answer before and after, 1 never." in words
    gained = words[words.index("Gained: 1") : words.index("Lost: 1")]
    assert "the 1th? Answers: Orsk Before Orsk's hills now at 2 It is a far place." in gained
    assert "After Orsk's hills holds an answer; new She was born in orsk." in gained
    assert '<li class="holds">' in page
    assert page.count("<mark>orsk</mark>") == 2, "once in what was gained, once in what was lost"


def test_no_more_than_six_of_each_are_shown_spread_over_all() -> None:
    changed = changes(found([False] * 60), found([True] * 60))
    assert (changed.n_gained, changed.n_lost, changed.lost) == (60, 0, ())
    assert [one.question.split()[-1] for one in changed.gained] == [f"{i}th?" for i in range(0, 60, 10)]


def test_a_long_passage_is_cut_around_the_answer() -> None:
    text = f"{'far ' * 300}in New\n  orsk{' away' * 300}"
    after = question(0, text, "x" * 1000, answers=["york", "new Orsk"])
    [shown] = changes([question(0, answers=["york", "new Orsk"])], [after]).gained
    passage, other = shown.after
    assert passage.answer == "New\n  orsk"
    assert passage.before.startswith("…")
    assert passage.before.endswith("far in ")
    assert passage.after.startswith(" away")
    assert passage.after.endswith("…")
    assert len(passage.before + passage.answer + passage.after) <= 282
    assert (len(other.before), other.after, other.holds, other.answer) == (280, "…", False, "")


def test_an_answer_that_is_found_otherwise_than_written_is_held_but_not_marked() -> None:
    """Tokens are compared decomposed; a part of a word is no answer."""
    [shown] = changes([question(0)], [question(0, "Orsks, cafe\u0301", answers=["Orsk", "caf\u00e9"])]).gained
    assert (shown.after[0].holds, shown.after[0].answer) == (True, "")
    assert shown.after[0].before == "Orsks, cafe\u0301"


def test_markup_in_names_questions_passages_and_words_is_text(tmp_path: Path) -> None:
    answers = [MARKUP, "\u202e", "Orsk"]
    hit = replace(question(0, f"{MARKUP} Orsk \x00\u202e", answers=answers), question=MARKUP)
    hit = replace(hit, passages=(replace(hit.passages[0], title=MARKUP),))
    miss = replace(question(0, "<b>bold</b>", answers=answers), question=MARKUP)
    row = {"file": f"{tmp_path}/t<script>.jsonl", "line": 3, "reason": "no-answer", "detail": MARKUP}
    page = page_of(
        tmp_path,
        result=replace(
            RESULT, stopped_by=MARKUP, warnings=(MARKUP,), gate=Gate(word="good", reason=MARKUP, passed=True)
        ),
        before=[miss],
        after=[hit],
        rejected_lines=json.dumps(row) + "\n",
        reader=MARKUP,
        retriever=MARKUP,
    )
    read = PageReader(page)
    assert read.words.count(MARKUP[:40]) > 8
    assert "t<script>.jsonl, line 3" in read.words
    assert "Passages set aside: 3, in rejected-passages.jsonl." in read.words
    assert "49" not in read.words.split(), "7*7 was not worked out"
    assert not set(page) & {chr(c) for c in (*range(10), *range(11, 32), 127, 0x202E, 0x2028, 0xFEFF)}
    assert str(tmp_path) not in page


def test_a_page_stays_below_1_mb_whatever_the_run(tmp_path: Path) -> None:
    """The worst of everything: many steps, alarms, warnings and answers, and characters that take many bytes."""
    run_of = "\u202e" * 2000
    rows = [{**ROWS[3], "step": step, "hr@5": (step % 7) / 10} for step in range(3000)]
    passages = tuple(Passage(str(i), run_of, f"Orsk{run_of}") for i in range(6))
    missed = tuple(Passage(str(i), run_of, run_of) for i in range(6))
    hits = [Question(f"q{i}", run_of, ("Orsk", *[run_of] * 5), passages=passages) for i in range(40)]
    misses = [replace(one, passages=missed) for one in hits]
    page = page_of(
        tmp_path,
        result=replace(RESULT, best_step=777, stopped_by=run_of, warnings=(run_of,) * 99),
        rows=rows,
        before=[*hits[:20], *misses[20:]],
        after=[*misses[:20], *hits[20:]],
    )
    read = PageReader(page)
    assert "The first 60 of 9,000 alarms." in read.words
    assert "777 0.090 0.000" in read.words, "the best step is drawn however many there are"
    assert read.tags.count("article") == 12
    assert len(page.encode()) < 1_000_000
