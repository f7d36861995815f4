"""The page of judged readers in a real browser: hostile names and passages do nothing, and everything can be read."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_report_in_a_browser import CHROMIUM, CONTRASTS, browser
from tests.unit.report.hostile import MARKUP, TEXTS
from tests.unit.report.reader_pages import examples_of, page_of, prompt

__all__ = ["browser"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    tuned = replace(
        examples_of("tuned", planted=1.0, shape=(40, 40)),
        reader=f"{MARKUP}{'x' * 200}",
        prompts=(prompt("q0", planted=1.0, words=list(TEXTS.values()), n_passages=2),),
    )
    readers = [tuned, examples_of("fid", kind="encoder-decoder"), examples_of("untuned")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elusive.statistics._RESAMPLES", 100)
        page = page_of(readers, folder, left_out={MARKUP: MARKUP * 9}, data="<img src=x onerror=alert(1)>.jsonl")
    (folder / "report.html").write_text(page, encoding="utf-8")
    return folder / "report.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_runs_and_everything_can_be_read(browser: Any, report: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    happened: list[object] = []
    requests: list[str] = []
    for event in ("console", "pageerror", "dialog", "popup", "download"):
        page.on(event, lambda what: happened.append(what))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    assert page.title() == "<img src=x onerror=alert(1)>.jsonl: readers, and what they attend to"
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page does not scroll sideways"
    assert happened == []
    assert requests == [report.as_uri()]
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert {place: ratio for place, ratio in contrasts.items() if ratio < 4.5} == {}
    drawn = page.evaluate(
        "[...document.querySelectorAll('figure svg, .heads')].map(s => [s.clientWidth, s.clientHeight])"
    )
    assert len(drawn) == 6
    assert all(w > 250 and h > 100 for w, h in drawn)
    unpainted = "[...document.querySelectorAll('svg path')].filter(p => /var/.test(getComputedStyle(p).stroke)).length"
    assert page.evaluate(unpainted) == 0
    page.close()


def test_headings_landmarks_and_names_are_there_for_a_screen_reader(browser: Any, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), "no level is skipped on the way down"
    for role in ("banner", "main", "navigation", "contentinfo"):
        assert page.get_by_role(role).count() == 1
    named = "e => e.ariaHidden || e.ariaLabel || document.getElementById(e.getAttribute('aria-labelledby'))"
    assert page.evaluate(f"[...document.querySelectorAll('svg, section, article, nav')].every({named})")
    assert page.evaluate("[...document.querySelectorAll('table')].every(t => t.caption && t.tHead)")
    page.close()
