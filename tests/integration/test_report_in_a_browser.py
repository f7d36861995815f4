"""`report.html` of a hostile corpus in a real browser: nothing runs, nothing is loaded, everything can be read."""

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elusive.jobs.augment import augment
from elusive.progress import Bars
from tests.unit.report.hostile import OPTIONS, REJECTED, TEXTS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

CONTRASTS = """() => {
  const rgb = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return [m[0], m[1], m[2], m[3] ?? 1]; };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
  const linear = (v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const lum = (c) => { const [r, g, b] = c.map(v => linear(v / 255)); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = (e) => { const own = rgb(getComputedStyle(e).backgroundColor);
                          return own[3] === 1 ? own.slice(0, 3) : over(own, ground(e.parentElement)); };
  const found = {};
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim()) continue;
    const back = ground(e), style = getComputedStyle(e);
    const fore = over(rgb(e.closest('svg') ? style.fill : style.color), back);
    const [a, b] = [lum(fore), lum(back)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05), key = e.tagName + '.' + (e.className.baseVal ?? e.className);
    found[key] = Math.min(found[key] ?? 99, ratio);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def report(large: str, small: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    corpus = folder / "<img src=x onerror=alert(1)>.jsonl"
    lines = [json.dumps({"id": i, "text": text}) for i, text in TEXTS.items()]
    corpus.write_text("\n".join(lines + REJECTED), encoding="utf-8")
    augment(corpus, large=large, small=small, out=folder / "out", progress=Bars(quiet=True), **OPTIONS)
    return folder / "out" / "report.html"


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
    assert page.title() == "<img src=x onerror=alert(1)>.jsonl: clues and copies"
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page does not scroll sideways"
    assert happened == []
    assert requests == [report.as_uri()]
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 10
    assert {place: ratio for place, ratio in contrasts.items() if ratio < 4.5} == {}
    boxes = page.evaluate("[...document.querySelectorAll('svg')].map(s => [s.clientWidth, s.clientHeight])")
    assert len(boxes) == 5
    assert all(w > 250 and h > 100 for w, h in boxes)
    _assert_drawn(page)
    page.close()


def _assert_drawn(page: Any) -> None:
    """Lines have the page's ink, and no box of a heat map is empty."""
    assert page.evaluate(
        "[...document.querySelectorAll('svg path')].every(p => !/var/.test(getComputedStyle(p).stroke))"
    )
    assert page.evaluate("document.querySelectorAll('.heat > span').length") > 100
    empty = (
        "[...document.querySelectorAll('.heat > span')].filter(s => s.offsetWidth < 3 || s.offsetHeight < 10).length"
    )
    assert page.evaluate(empty) == 0


def test_it_prints_on_light_ground_whatever_the_screen(browser: Any, report: Path, tmp_path: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(report.as_uri())
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    page.emulate_media(media="print", color_scheme="dark")
    ground, heat = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('.heat > span')).printColorAdjust]"
    )
    assert (ground, heat) == ("rgb(255, 255, 255)", "exact")
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
    named = "e => e.ariaLabel || document.getElementById(e.getAttribute('aria-labelledby'))"
    assert page.evaluate(f"[...document.querySelectorAll('svg, section, article, nav')].every({named})")
    assert page.evaluate("[...document.querySelectorAll('table')].every(t => t.caption && t.tHead)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.close()
