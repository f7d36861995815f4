"""`report.html`: the same bytes for the same run, well-formed whatever the corpus says, and never large."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elusive.clues.counts import PartCounts
from elusive.clues.histograms import DropHistogram, Histograms
from elusive.config import AugmentConfig
from elusive.jobs import augment as job
from elusive.report.augment_page import augment_page
from tests.augment_fixtures import Run
from tests.tiny import byte_bpe, save_llama
from tests.unit.report.hostile import MARKUP, OPTIONS
from tests.unit.report.html_check import PageReader

HEADINGS = ("spread over the corpus", "What was dropped", "The corpus and its scores", "Rows set aside", "its limits")


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_it_shows_the_run_in_the_order_that_a_reader_wants(run: Run, tmp_path: Path) -> None:
    result = run(alpha=0.65)
    page = PageReader(page_of(tmp_path / "out"))
    places = [page.words.index(words) for words in HEADINGS]
    assert places == sorted(places)
    for number in (result.texts, result.tokens, result.rows, result.unchanged):
        assert f"{number:,}" in page.words
    assert f"{result.drop_rate['realised']:.3f}" in page.words
    assert page.tags.count("svg") == 5
    assert page.tags.count("article") == 6
    assert "alpha set 0.65" in page.words
    assert "copies set 10" in page.words, "by the preset"
    assert "seed set" not in page.words, "at its default"
    assert "arXiv 2409.17954" in page.words
    assert "cut here after about 100 tokens" in page.words


def test_a_run_stopped_when_its_page_was_made_goes_on_to_the_same_bytes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("whole", limit=4)

    def stopped(*_args: Any, **_options: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job._Run, "_finish", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(limit=4)
    run(limit=4)
    assert page_of(tmp_path / "out") == page_of(tmp_path / "whole")


def test_a_corpus_of_markup_is_text_on_the_page(run: Run, hostile: Path, tmp_path: Path) -> None:
    run(corpus=hostile, **OPTIONS)
    page = page_of(tmp_path / "out")
    read = PageReader(page)
    assert MARKUP[:70] in read.words
    assert OPTIONS["mask_string"] in read.words
    assert "<script>document.title='id'</script>" in read.words
    assert "t<script>alert(1)<!--.jsonl, line 11" in read.words
    assert "The first 20 of 28" in read.words
    assert "49" not in read.words.split(), "7*7 was not worked out"
    assert not set(page) & {chr(c) for c in (*range(10), *range(11, 32), 127, 0x202E, 0x2028, 0xFEFF)}
    assert str(tmp_path) not in page
    assert str(hostile.parent) not in page, "no path of the machine"


CASES: dict[str, dict[str, Any]] = {
    "random": {"guide": "random"},
    "random at a guide's rate": {"guide": "random", "match_rate": "contrast"},
    "large": {"guide": "attention:large"},
    "small": {"guide": "attention:small", "drop_mode": "blank"},
    "words": {"unit": "word", "contrast": "log-ratio"},
    "relative ranks": {"rank": "relative", "target_rate": 0.3},
    "one copy": {"copies": 1, "originals": False},
    "nothing droppable": {"protect": ["."]},
    "one text": {"limit": 1},
    "surprisal, no copies": {"preset": None},
    "surprisals": {"guide": "surprisal:difference"},
    "entropy": {"guide": "entropy", "copies": 0},
    "two kinds of score": {"guide": "surprisal+contrast", "contrast": "geometric", "lift": True},
    "weighted rows": {"row_weights": "gap", "renormalise": True, "prefix": "newline"},
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_well_formed_in_every_mode(run: Run, tmp_path: Path, case: str) -> None:
    run(**{"copies": 2, "limit": 4} | CASES[case])
    page = PageReader(page_of(tmp_path / "out"))
    assert ("no heat maps" in page.words) == case.startswith("random")
    assert ("By rank" in page.words) == (not case.startswith("random") and case != "nothing droppable")
    assert ("No unit of this corpus could be dropped" in page.words) == (case == "nothing droppable")


def test_one_text_of_one_token_makes_a_page(run: Run, tmp_path: Path) -> None:
    corpus = tmp_path / "one.jsonl"
    corpus.write_text('{"id": "only", "text": "a"}')
    run(corpus=corpus)
    assert "One text" in PageReader(page_of(tmp_path / "out")).words


def test_a_page_stays_below_3_mb_whatever_the_corpus(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst of everything: long tokens of characters that take many bytes to show, and every bin filled."""

    def of_the_largest(config: AugmentConfig, *, counts: PartCounts, **given: Any) -> str:
        return augment_page(config, counts=_of_100_000_texts(counts), **given)

    monkeypatch.setattr(job, "augment_page", of_the_largest)
    run_of = "\u202e" * 15
    tokenizer = byte_bpe(vocab_size=330, text=run_of)
    large, small = (save_llama(tmp_path / str(seed), seed=seed, tokenizer=tokenizer) for seed in (1, 2))
    corpus = tmp_path / "worst.jsonl"
    texts = [json.dumps({"id": "\u202e" * 999 + str(i), "text": (run_of + "x") * 100}) for i in range(6)]
    bad = [json.dumps({"id": 1, "text": ["\u202e" * 500]})] * 100
    corpus.write_text("\n".join(texts + bad))
    run(
        corpus=corpus, large=large, small=small, protect=["\u202e" * 3000], mask_string="\u2067" * 999, drop_mode="mask"
    )
    page = page_of(tmp_path / "out")
    assert PageReader(page).words.count("⟨U+202E⟩") > 6 * 6 * 700, "as long as it gets"
    assert len(page.encode()) < 3_000_000
    assert "100,000" in page


def _of_100_000_texts(counts: PartCounts) -> PartCounts:
    def full(drops: DropHistogram) -> DropHistogram:
        ones = np.full(len(drops.units), 10**9)
        return DropHistogram(units=ones, planned=ones * 0.5, variance=ones * 0.25, dropped=ones * 5)

    found = counts.histograms
    every_bin = Histograms(full(found.by_rank), full(found.by_place), np.full(len(found.lengths), 10**6))
    return replace(counts, texts=100_000, droppable=10**9, histograms=every_bin)
