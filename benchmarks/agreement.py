"""Whether figures that were made afresh agree with the committed ones: do the two intervals overlap?

A figure is anything with `low` and `high`. On the machine of the committed ones they are the same to the last bit.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What may be done with figures that were made: `--out` and `--check`."""
    parser.add_argument("--out", type=Path, help="where the figures go")
    parser.add_argument("--check", action="store_true", help="compare with the committed figures; 1 where they differ")


def written_or_compared(content: Mapping[str, Any], arguments: argparse.Namespace, *, committed: Path) -> int:
    """Write figures, or compare them with the committed ones, as was asked for.

    Returns:
        The exit code: 1 where a figure differs.
    """
    if arguments.out:
        arguments.out.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if not arguments.check:
        return 0
    lines = disagreements(json.loads(committed.read_text(encoding="utf-8")), content)
    print("\n".join(lines) or "all figures agree with the committed ones")
    return int(bool(lines))


def disagreements(committed: Any, fresh: Any) -> list[str]:
    """A line for each figure that is missing, or whose interval does not meet the committed one."""
    old, new = (dict(intervals(content)) for content in (committed, fresh))
    lines = [f"{name}: committed, but not made afresh" for name in old.keys() - new.keys()]
    for name in old.keys() & new.keys():
        (low, high), (new_low, new_high) = old[name], new[name]
        if new_high < low or high < new_low:
            lines.append(f"{name}: {new_low:.3f} to {new_high:.3f}, committed {low:.3f} to {high:.3f}")
    return sorted(lines)


def intervals(content: Any, name: str = "") -> Iterator[tuple[str, tuple[float, float]]]:
    """All intervals in nested content, each under its path; rows of a list go by their `name`."""
    if isinstance(content, list | tuple):
        content = {
            row.get("name", number) if isinstance(row, Mapping) else number: row for number, row in enumerate(content)
        }
    if not isinstance(content, Mapping):
        return
    if isinstance(content.get("low"), int | float) and isinstance(content.get("high"), int | float):
        yield name, (content["low"], content["high"])
    for key, value in content.items():
        yield from intervals(value, f"{name} / {key}" if name else str(key))
