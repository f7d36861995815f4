"""What lies in an output folder, for tests that compare folders."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


def contents(folder: Path, *names: str) -> dict[str, bytes]:
    """All files below `names` of a folder, by their path in it."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for name in names
        for file in sorted((folder / name).rglob("*"))
        if file.is_file()
    }


def rows(folder: Path, subset: str = "data") -> list[dict[str, Any]]:
    """The rows of `data` or `clues`, in order."""
    return [row for part in sorted((folder / subset).glob("*.parquet")) for row in pq.read_table(part).to_pylist()]
