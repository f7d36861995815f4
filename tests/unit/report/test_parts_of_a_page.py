"""Signs for what cannot be seen, evenly spread samples, and drawings that leave matplotlib as it was."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np
import pytest
from jinja2 import UndefinedError

from elusive.report.augment_plots import falling
from elusive.report.glyphs import direction, visible, visible_piece
from elusive.report.page import render
from elusive.report.plots import BLUE, draw
from elusive.report.samples import spread
from tests.unit.report.html_check import PageReader

PIECES = {
    " the": "the",
    " ": "␣",
    "   ": "␣␣␣",
    "": "∅",
    "\n\n": "↵↵",
    "\t": "⇥",
    "\x00": "␀",
    "\x7f": "␡",
    "\u202e": "⟨U+202E⟩",
    "\u200d": "⟨U+200D⟩",
    "\u0301": "◌\u0301",
    "e\u0301": "e\u0301",
    "👩\u200d👧": "👩\u200d👧",
    "می\u200cخ": "می\u200cخ",
    "\ud800": "⟨U+D800⟩",
    "<b>": "<b>",
}


@pytest.mark.parametrize("piece", PIECES)
def test_every_piece_can_be_seen(piece: str) -> None:
    assert visible_piece(piece) == PIECES[piece]


def test_a_long_piece_is_shortened() -> None:
    assert len(visible_piece("x" * 5000)) < 40
    assert len(visible_piece(" " * 5000)) < 40


def test_ordinary_text_is_left_alone() -> None:
    text = "naïve 日本語 שלום مرحبا हिन्दी 👩‍👩‍👧 <b>&amp;"
    assert visible(text) == text


def test_direction_is_that_of_the_first_letter() -> None:
    assert [direction(t) for t in ("12 שלום a", "(a) שלום", "مرحبا", "12, 13", "")] == [
        "rtl",
        "ltr",
        "rtl",
        "ltr",
        "ltr",
    ]


def corpus_of(*chunk_sizes: int) -> Any:
    """Stands for a corpus whose texts are (chunk, number)."""
    texts = [[(chunk, i) for i in range(n)] for chunk, n in enumerate(chunk_sizes)]
    staged = SimpleNamespace(n_chunks=len(texts))
    return SimpleNamespace(staged=staged, texts=lambda chunks: iter([t for c in chunks for t in texts[c]]))


def test_samples_are_spread_evenly_and_each_text_is_shown_once() -> None:
    assert list(spread(corpus_of(60), 6)) == [(0, 0), (0, 10), (0, 20), (0, 30), (0, 40), (0, 50)]
    assert list(spread(corpus_of(*[10] * 12), 6)) == [(c, 0) for c in (0, 2, 4, 6, 8, 10)]
    assert list(spread(corpus_of(2), 6)) == [(0, 0), (0, 1)]
    assert list(spread(corpus_of(1), 6)) == [(0, 0)]
    assert len(list(spread(corpus_of(9, 9, 9, 9), 6))) == 6


def test_a_drawing_has_ids_of_its_own_and_the_pages_colours() -> None:
    drawn = [str(draw(lambda axes: axes.plot([1, 3], color=BLUE), name=n, label="<one> & other")) for n in ("a", "b")]
    PageReader("".join(drawn))
    assert drawn[0] == drawn[1].replace('"b-', '"a-').replace("#b-", "#a-")
    assert "var(--blue)" in drawn[0]
    assert "#00000" not in drawn[0]
    assert 'aria-label="&lt;one&gt; &amp; other"' in drawn[0]
    assert not any(word in drawn[0] for word in ("http:", "font-family", "<style", "dc:date"))


def test_a_drawing_does_not_depend_on_the_users_settings_and_leaves_them(tmp_path: Path) -> None:
    def drawn() -> str:
        return str(draw(lambda axes: axes.plot([1, 3], color=BLUE), name="a", label="l"))

    expected = drawn()
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "other", "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        assert drawn() == expected
        assert dict(matplotlib.rcParams) == before


def test_a_line_over_a_million_units_is_short() -> None:
    jagged = np.tile([1.0, -1.0, 0.5], 400_000)
    assert len(falling([("t", jagged)], guide="contrast").svg) < 40_000


def test_a_name_that_a_template_uses_and_nobody_gives_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("augment.html")
