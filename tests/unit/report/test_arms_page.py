"""`report.html` of compared arms: the verdict comes first, every figure is there, and no name can do anything."""

from dataclasses import replace
from pathlib import Path

import pytest

from elusive.evaluation.arms import compare
from elusive.evaluation.arms_reading import read_arms
from elusive.evaluation.arms_result import ArmsComparison, Spread
from elusive.report.arms_markdown import arms_markdown
from elusive.report.arms_page import arms_page
from tests.arms_folders import experiment
from tests.unit.report.hostile import MARKUP
from tests.unit.report.html_check import PageReader


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> ArmsComparison:
    arms = experiment(
        tmp_path_factory.mktemp("arms"),
        {"plain": 0.3, "random": 0.3, "contrast": 0.6},
        n_people=12,
        steps={"plain": 420, "random": 420, "contrast": 400},
        drop_rates={"random": 0.2, "contrast": 0.25},
        augment={"random": {"guide": "random"}, "contrast": {"guide": "contrast", "out": "/home/someone/data"}},
        perplexities={"general.jsonl": 12.5},
    )
    return compare(read_arms(arms), references=["plain", "random"])


def page_of(comparison: ArmsComparison) -> str:
    return arms_page(comparison, seed=0, version="0")


def test_it_says_first_which_arm_is_above_which_and_what_is_not_equal(comparison: ArmsComparison) -> None:
    read = PageReader(page_of(comparison))
    lead = read.words[: read.words.index("What each arm knows")]
    for sentence in (*comparison.verdict, *comparison.warnings):
        assert sentence in lead
    assert "randomagainst plainnot told apart random and plain are" in lead
    assert "contrastagainst plainabove contrast is above plain by" in lead
    assert read.tags.count("figure") == 3, "the means, and a plot for each reference"


def test_every_figure_is_on_it_and_no_place(comparison: ArmsComparison) -> None:
    page = page_of(comparison)
    words = PageReader(page).words
    for arm in comparison.arms:
        one = arm.estimates["exact_match"]
        assert f"{arm.name} {one.mean:.3f}{one.low:.3f} to {one.high:.3f}" in words.replace("\u00a0", " ")
        assert all(f"{seed.folder} {seed.means['exact_match']:.3f}" in words for seed in arm.seeds)
    assert "general.jsonl 12.50 12.50 12.50" in words
    assert "guide n/a random contrast" in words
    assert "420 n/a" in words
    assert "400 0.250" in words
    assert "/home/" not in page
    assert "/tmp/" not in page


def test_the_same_comparison_makes_the_same_bytes(comparison: ArmsComparison) -> None:
    assert page_of(comparison) == page_of(comparison)


def test_few_seeds_no_fields_and_no_other_texts_are_said(comparison: ArmsComparison) -> None:
    arms = tuple(replace(arm, fields={}, perplexities={}) for arm in comparison.arms)
    caveat = "One seed says little of other training runs."
    bare = replace(comparison, arms=arms, options={}, warnings=(), verdict=(*comparison.verdict, caveat))
    words = PageReader(page_of(bare)).words
    for said in (
        caveat,
        "The questions have no fields.",
        "No perplexity on other texts was taken.",
        "No option is known",
    ):
        assert said in words
    assert "Not all else is equal" not in words


def test_markup_in_names_fields_folders_and_options_is_text(comparison: ArmsComparison) -> None:
    contrast = comparison.arms[2]
    arms = tuple(
        replace(
            arm,
            fields={MARKUP: contrast.fields["city"], "\u202e\x00": contrast.fields["city"]},
            perplexities={MARKUP: Spread(1.0, 1.0, 2.0)},
            seeds=tuple(replace(seed, folder=MARKUP) for seed in arm.seeds),
        )
        for arm in comparison.arms
    )
    options = {"augment": {MARKUP: {"plain": MARKUP, "contrast": [MARKUP, None, 0.5, True]}}}
    page = page_of(replace(comparison, arms=arms, options=options, verdict=(MARKUP,), warnings=(MARKUP,)))
    read = PageReader(page)
    assert read.words.count(MARKUP[:40]) > 8
    assert "49" not in read.words.split(), "7*7 was not worked out"
    assert not set(page) & {chr(c) for c in (*range(10), *range(11, 32), 127, 0x202E, 0x2028, 0xFEFF)}


def test_places_of_named_texts_go_by_their_last_name(comparison: ArmsComparison) -> None:
    options = {
        "evaluate": {
            "forgetting": {"plain": ["wiki=/home/me/wiki.jsonl", "/home/me/x", "/home/a=b/c"], "contrast": ["a=b"]}
        }
    }
    page = page_of(replace(comparison, options=options))
    assert "wiki=wiki.jsonl, x, c n/a a=b" in PageReader(page).words
    assert "/home/" not in page


def test_a_drop_rate_is_said_to_be_that_of_the_copies(comparison: ArmsComparison) -> None:
    assert "drop rate of the copies" in PageReader(page_of(comparison)).words
    assert "drop rates are of the copies, originals left out" in arms_markdown(comparison)


def test_of_many_arms_the_references_and_the_best_are_drawn_and_all_are_in_the_tables(tmp_path: Path) -> None:
    rates = {f"arm {i:02}": 0.3 + i / 100 for i in range(30)}
    found = compare(read_arms(experiment(tmp_path, rates, n_seeds=1, n_people=4)), references=["arm 00"])
    page = page_of(found)
    words = PageReader(page).words
    assert "A arm 00 B arm" in words
    assert page.count("<li><b>") == 12
    assert "Of 30 arms, plots show the references and the best ones." in words
    assert "The first 24 of 29 differences" in words
    assert all(name in words for name in rates)
    assert len(page.encode()) < 1_000_000
