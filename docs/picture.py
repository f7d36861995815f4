"""Draws the README's picture from a run: one text shaded by its contrast, and below it one of its copies.

python docs/picture.py demo docs/clues.svg
"""

import sys
from html import escape
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

WIDTH, LINE, CHAR = 96, 26, 8.4  # characters a line; pixels
INK, PAPER, FAINT, CLUE, COMMON = "#1f2328", "#ffffff", "#b9bec5", (31, 119, 180), (214, 122, 40)


def main(folder: str, out: str, text_number: int = 0) -> None:
    """Read the run in `folder` and write the picture to `out`."""
    clues = pq.read_table(next(Path(folder).glob("clues/*.parquet"))).to_pylist()
    rows = pq.read_table(next(Path(folder).glob("data/*.parquet"))).to_pylist()
    source_id = list(dict.fromkeys(row["source_id"] for row in rows))[text_number]
    original, copy = (next(r for r in rows if r["source_id"] == source_id and r["copy"] == n) for n in (0, 1))
    shades = _shades([c for c in clues if c["source_id"] == source_id], original["text"])
    gone = {i for start, end in copy["dropped_spans"] for i in range(start, end)}
    upper = _lines(original["text"])
    parts = [_caption(1, "attended to by the large model rather than the small one (blue), and the reverse (orange)")]
    for row, (start, line) in enumerate(upper, 2):
        parts += [_block(row, i, shades[start + i]) for i in range(len(line)) if start + i in shades]
        parts.append(_words(row, line))
    below = len(upper) + 3
    parts.append(_caption(below, "one of ten copies: what was dropped is struck out"))
    for row, (start, line) in enumerate(upper, below + 1):
        parts += [_strike(row, i) for i in range(len(line)) if start + i in gone]
        parts.append(_words(row, line, faint={i for i in range(len(line)) if start + i in gone}))
    size = f"{WIDTH * CHAR + 40:.0f}", f"{(below + len(upper) + 2) * LINE}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
        f'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">'
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>{"".join(parts)}</svg>\n'
    )
    Path(out).write_text(svg, encoding="utf-8")


def _shades(clues: list[dict[str, Any]], text: str) -> dict[int, str]:
    scored = [c for c in clues if c["contrast"] is not None]
    top = sorted(abs(c["contrast"]) for c in scored)[-3]
    shades = {}
    for clue in scored:
        r, g, b = CLUE if clue["contrast"] > 0 else COMMON
        strength = min(1.0, abs(clue["contrast"]) / top) ** 0.7
        for i in range(clue["start"], clue["end"]):
            if not text[i].isspace():
                shades[i] = f"rgba({r},{g},{b},{0.75 * strength:.2f})"
    return shades


def _lines(text: str) -> list[tuple[int, str]]:
    lines, start = [], 0
    while start < len(text):
        stop = len(text) if len(text) - start <= WIDTH else text.rindex(" ", start, start + WIDTH) + 1
        lines.append((start, text[start:stop]))
        start = stop
    return lines


def _x(column: int) -> float:
    return 20 + column * CHAR


def _caption(row: int, words: str) -> str:
    return f'<text x="20" y="{row * LINE}" fill="#59636e" font-size="13">{escape(words)}</text>'


def _block(row: int, column: int, shade: str) -> str:
    return f'<rect x="{_x(column):.1f}" y="{row * LINE - 16}" width="{CHAR + 0.2:.1f}" height="21" fill="{shade}"/>'


def _strike(row: int, column: int) -> str:
    y = row * LINE - 5
    return f'<line x1="{_x(column):.1f}" x2="{_x(column + 1):.1f}" y1="{y}" y2="{y}" stroke="{FAINT}"/>'


def _words(row: int, line: str, faint: frozenset[int] | set[int] = frozenset()) -> str:
    places = " ".join(f"{_x(i):.1f}" for i in range(len(line)))
    spans, start = [], 0
    while start < len(line):
        stop = start + 1
        while stop < len(line) and (stop in faint) == (start in faint):
            stop += 1
        spans.append(f'<tspan fill="{FAINT if start in faint else INK}">{escape(line[start:stop])}</tspan>')
        start = stop
    return f'<text x="{places}" y="{row * LINE}" xml:space="preserve">{"".join(spans)}</text>'


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:4]))
