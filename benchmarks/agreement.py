"""Whether figures that were made afresh agree with the committed ones: do the two intervals overlap?

A figure is anything with `low` and `high`. On the machine of the committed ones they are the same to the last bit.
"""

from collections.abc import Iterator, Mapping
from typing import Any


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
