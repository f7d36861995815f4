"""`report.html` of judged readers: what it says, in which order, for readers of every kind and whatever they read."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elusive.indicators.examples import ReaderExamples
from elusive.indicators.judged import judge
from elusive.indicators.readings import Measure
from tests.unit.report.hostile import MARKUP
from tests.unit.report.html_check import PageReader
from tests.unit.report.reader_pages import MEASURES, examples_of, page_of, prompt, shown, two_readers

HEADINGS = (
    "Which reader to take",
    "Differences between readers",
    "Both indicators",
    "How they are spread over questions",
    "Beside the paper's values",
    "What they attend to",
    "Where in the reader",
    "By place in the prompt",
    "Rows set aside None",
    "its limits",
)


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    """Intervals need not be good here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elusive.statistics._RESAMPLES", 100)
        yield


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, few_resamples: None) -> str:
    """The page of a tuned reader and its reference."""
    return page_of(two_readers(), tmp_path_factory.mktemp("page"), k=7)


def words_of(readers: list[ReaderExamples], folder: Path, **options: Any) -> str:
    return PageReader(page_of(readers, folder, **options)).words


def test_it_says_first_which_reader_to_take_and_how_sure_that_is(page: str) -> None:
    read = PageReader(page)
    places = [read.words.index(words) for words in HEADINGS]
    assert places == sorted(places)
    tuned, _ = judge(two_readers(), reference="untuned", measures=MEASURES)
    lead = read.words[: places[0]]
    assert "tuned looks most at what answers" in lead
    assert "Its lead is real." in lead
    assert "questions read, of 3,61030" in lead
    assert f"{tuned.indicators['answer']['p95'].lift:.2f}" in lead
    verdicts = read.words[places[0] : places[2]]
    assert verdicts.index("Its attention is fit to teach the retriever.") < verdicts.index("It is the reference")
    assert read.tags.count("figure") == 5
    assert read.tags.count("article") == 3
    assert "k set 7" in read.words
    assert "arXiv 2402.11794" in read.words


def test_every_figure_of_every_reader_is_on_it(page: str) -> None:
    words = PageReader(page).words
    for reader in judge(two_readers(), reference="untuned", measures=MEASURES):
        for of in (reader.indicators, reader.indicators_given_hit):
            for by_percentile in of.values():
                for found in by_percentile.values():
                    assert f"{found.lift:.2f} ± {found.sd['lift']:.2f}" in words
                    assert f"{found.spearman:.3f}".replace("-", "−") in words
        assert f"{reader.em:.3f}" in words
        assert f"{reader.tokens:,}" in words
        assert all(f"{share:.3f}" in words for share in (*reader.slots, *reader.slot_hits))


def test_the_same_readings_make_the_same_bytes(page: str, tmp_path: Path) -> None:
    assert page_of(two_readers(), tmp_path, k=7) == page


def test_a_difference_that_may_be_chance_is_called_so(tmp_path: Path) -> None:
    twins = [examples_of("one"), examples_of("two")]
    words = words_of(twins, tmp_path, reference=None)
    assert "Its lead over two may be chance." in words
    assert "+0.00 to +0.00 may be chance" in words
    assert "there is no reference reader" in words.lower()


def test_what_does_not_apply_is_n_a_with_its_reason_and_not_drawn(tmp_path: Path) -> None:
    readers = [examples_of("fid", planted=0.9, kind="encoder-decoder", answers=False), examples_of("untuned")]
    page = PageReader(page_of(readers, tmp_path))
    assert page.words.count("Of an encoder-decoder only the lift of the answer's tokens was found") >= 4
    assert page.words.count("fid n/a n/a n/a 27 0 0 3") == 2
    assert "Exact match and F1 are n/a where no right answer is known." in page.words
    alone = PageReader(page_of([readers[0]], tmp_path, reference=None))
    assert alone.tags.count("figure") == 1, "no histogram says anything of it"
    assert "There is no other reader to rank it with." in alone.words


def test_without_answers_asked_for_or_found_it_says_so(tmp_path: Path) -> None:
    readers = [examples_of("tuned", planted=1.0, answers=False, hits=False), examples_of("untuned", hits=False)]
    words = words_of(readers, tmp_path, exact_match=False)
    assert "the readers were not asked to answer by themselves" in words
    assert "Over the questions with an answer in a passage" not in words
    assert "No question has an answer in a passage" in words
    words = words_of([examples_of("tuned", hits=False)], tmp_path, reference=None)
    assert "given a hit is n/a where no passage holds an answer" in words


def test_pictures_are_of_the_best_and_the_reference_and_tables_of_all(tmp_path: Path) -> None:
    readers = [examples_of(f"r{i}", planted=0.1 * i) for i in range(1, 7)] + [examples_of("untuned")]
    words = words_of(readers, tmp_path)
    key = words[words.index("How they are spread") : words.index("Attention: near the answer")]
    assert "A r6 B r5 C r4 D untuned" in key
    assert "Of 7 readers, pictures show" in key
    assert all(words.count(f"r{i} ") > 8 for i in range(1, 7))
    assert "with the best one, and of neighbours" in words


def test_percentiles_beside_the_two_have_rows_too(tmp_path: Path) -> None:
    [reader] = [examples_of("tuned")]
    more = replace(
        reader,
        examples=tuple(
            replace(e, indicators=e.indicators | {"answer p99": e.indicators["answer p95"]}) for e in reader.examples
        ),
    )
    judged = judge([more], reference=None, measures=[*MEASURES, Measure("answer", 99.0)])
    words = words_of([more], tmp_path, reference=None, judged=judged, percentile=[99])
    assert "the nearest 1 % of passage tokens (p99)" in words


def test_prompts_of_one_question_lie_under_each_other_with_both_answers(page: str) -> None:
    words = PageReader(page).words
    first = words[words.index("Where was she born? (q0)") : words.index("Where was she born? (q1)")]
    assert "Orsk" in first.split(". ")[0]
    assert first.index("tuned answers in Orsk") < first.index("untuned answers in Orsk")
    assert first.count("Mara Velting was born in Orsk and studied at") == 10
    assert first.count("20 % of the attention") == 10
    assert "Question:" not in first, "only passages are shown"


def test_a_long_prompt_is_cut_around_what_is_near_and_says_so(tmp_path: Path) -> None:
    words = [*["far"] * 300, "Orsk", *["away"] * 50]
    long = replace(examples_of("tuned"), prompts=(prompt("q0", words=words, n_passages=12),))
    page = words_of([long], tmp_path, reference=None)
    assert "2 passages with less attention are not shown" in page
    assert page.count("… 281 tokens far") == 10
    assert page.count("far Orsk away") == 10
    assert page.count("away … 30 tokens") == 10


def test_markup_in_names_questions_passages_and_answers_is_text(tmp_path: Path) -> None:
    evil = shown(
        replace(examples_of("untuned"), reader=MARKUP, unread={MARKUP: MARKUP}),
        question=MARKUP,
        gold=MARKUP,
        answer=MARKUP,
    )
    evil = replace(
        evil, prompts=(replace(prompt("q0", words=[MARKUP, "\u202e", "\x00", "", "<b>"], n_passages=2), gold=MARKUP),)
    )
    row = '{"file": "%s", "line": 3, "reason": "no-answer", "detail": "<img src=x onerror=alert(1)>"}\n'
    page = page_of(
        [evil],
        tmp_path,
        reference=None,
        left_out={MARKUP: MARKUP},
        rejected_lines=row % (tmp_path / "t<script>.jsonl"),
        rejected_counts={"no-answer": 1},
        fingerprints={MARKUP: MARKUP},
        data=MARKUP,
    )
    read = PageReader(page)
    assert read.words.count(MARKUP[:40]) > 10
    assert "t<script>.jsonl, line 3" in read.words
    assert "49" not in read.words.split(), "7*7 was not worked out"
    assert not set(page) & {chr(c) for c in (*range(10), *range(11, 32), 127, 0x202E, 0x2028, 0xFEFF)}
    assert str(tmp_path) not in page


def test_a_page_stays_below_3_mb_whatever_the_readers(tmp_path: Path) -> None:
    """The worst of everything: many readers, heads, passages, and characters that take many bytes to show."""
    run_of = "\u202e" * 999
    longest = [prompt(f"q{i}", words=[run_of] * 100, n_passages=100) for i in range(3)]
    readers = [
        replace(
            examples_of("untuned", n=4, planted=0.1 * i, shape=(126, 128)),
            reader=f"{i}{run_of[:200]}",
            unread=dict.fromkeys(map(str, range(1000)), run_of),
            prompts=tuple(replace(p, question=run_of, gold=run_of, answer=run_of) for p in longest),
        )
        for i in range(8)
    ]
    page = page_of(readers, tmp_path, reference=None, left_out={"x": run_of}, reader=[one.reader for one in readers])
    assert PageReader(page).words.count("⟨U+202E⟩") > 4 * 2 * 400 * 30
    assert len(page.encode()) < 3_000_000
