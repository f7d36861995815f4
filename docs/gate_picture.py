"""Draws what readers' figures before a distillation say of its gain: one panel a figure, one mark a reader.

python docs/gate_picture.py benchmarks/results/gate_predicts.json docs/gate.svg
"""

import json
import sys
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

PANELS = ("indicator 1, lift p95", "exact match", "share of the passage with the answer")
SIDE, LEFT, TOP, GAP = 250, 60, 50, 36  # pixels
INK, PAPER, FAINT, GRID = "#1f2328", "#ffffff", "#59636e", "#e4e7eb"
COLOURS = {
    "shipped-0": "#0b5394",
    "shipped-1": "#6fa8dc",
    "never-cut": "#2d8a4e",
    "never-apart": "#d67a28",
    "half-wrong": "#8e5bb5",
    "by-heart": "#a33b3b",
}


def main(results: str, out: str) -> None:
    """Read the figures and write the picture."""
    content = json.loads(Path(results).read_text(encoding="utf-8"))
    readers = content["readers"]
    rho = {row["name"]: row for row in content["gain"]}
    low = min(min(one["gain"]["low"] for one in readers), 0.0)
    high = max(one["gain"]["high"] for one in readers)
    parts = [_text(16, TOP - 26, "Gain in HR@5 of the retriever on test, against what was known of its reader before")]
    for number, name in enumerate(PANELS):
        panel = _panel(readers, name, rho[name], (low, high), is_first=number == 0)
        parts.append(f'<g transform="translate({LEFT + number * (SIDE + GAP)} {TOP})">{panel}</g>')
    parts.append(_legend())
    width, height = LEFT + len(PANELS) * (SIDE + GAP), TOP + SIDE + 84
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{INK}">'
        f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>{"".join(parts)}</svg>\n'
    )
    Path(out).write_text(svg, encoding="utf-8")


def _panel(
    readers: Sequence[Mapping[str, Any]],
    name: str,
    rho: Mapping[str, Any],
    span: tuple[float, float],
    *,
    is_first: bool,
) -> str:
    values = [one["before"][name] for one in readers]
    first, last = min(*values, 0.0), max(values) * 1.05

    def x(value: float) -> float:
        return SIDE * (value - first) / (last - first)

    def y(gain: float) -> float:
        return SIDE * (span[1] - gain) / (span[1] - span[0])

    parts = [f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="{GRID}"/>']
    for step in range(int(10 * span[0]), int(10 * span[1]) + 1):
        parts.append(f'<line x1="0" x2="{SIDE}" y1="{y(step / 10):.1f}" y2="{y(step / 10):.1f}" stroke="{GRID}"/>')
        if is_first:
            parts.append(_text(-8, y(step / 10) + 4, f"{step / 10:+.1f}" if step else "0", anchor="end"))
    for value in (first, last / 1.05):
        parts.append(_text(x(value), SIDE + 18, f"{value:.2f}", anchor="middle"))
    for one, value in zip(readers, values, strict=True):
        colour, gain = COLOURS[one["line"]], one["gain"]
        ends = f'y1="{y(gain["low"]):.1f}" y2="{y(gain["high"]):.1f}"'
        parts.append(f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" {ends} stroke="{colour}" stroke-opacity=".35"/>')
        shown = escape(f"{one['name']}: {value:.2f}, {gain['mean']:+.3f}")
        mark = f'<circle cx="{x(value):.1f}" cy="{y(gain["mean"]):.1f}" r="4.5" fill="{colour}"><title>{shown}</title>'
        parts.append(f"{mark}</circle>")
    parts.append(_text(SIDE / 2, SIDE + 34, name, anchor="middle"))
    over = rho["over_lines"]
    words = f"Spearman {rho['spearman']:.2f} ({over['low']:.2f} to {over['high']:.2f} over lines)"
    return "".join([*parts, _text(SIDE / 2, -6, words, anchor="middle")])


def _legend() -> str:
    parts, left = [], LEFT
    for line, colour in COLOURS.items():
        parts.append(f'<circle cx="{left + 5}" cy="{TOP + SIDE + 62}" r="4.5" fill="{colour}"/>')
        parts.append(_text(left + 15, TOP + SIDE + 66, line))
        left += 40 + 8 * len(line)
    return "".join(parts)


def _text(x: float, y: float, words: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{FAINT}">{escape(words)}</text>'


if __name__ == "__main__":
    main(*sys.argv[1:3])
