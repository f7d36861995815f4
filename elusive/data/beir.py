"""Folders of BEIR: `queries.jsonl`, `corpus.jsonl`, and which passage is relevant to which query in `qrels`.

Queries of all splits share one file; a split is what its `qrels/{split}.tsv` names. Memory is the judgements of
one split.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from elusive.data.folders import require_no_split
from elusive.data.layouts import COMPRESSED_SUFFIXES
from elusive.data.record_files import open_records
from elusive.data.rejected import Rejection, excerpt
from elusive.data.tables import require_columns
from elusive.errors import InputError, near_matches

_COLUMNS: Final = ("query-id", "corpus-id", "score")
_BAD_SCORE: Final = "relevance is not an integer"


def beir_file(source: str | Path, name: str) -> Path | None:
    """`queries.jsonl` or `corpus.jsonl` of a BEIR folder, compressed or not; None where it is no such folder."""
    if source == "":  # which is the working folder to pathlib
        return None
    folder = Path(source)
    with contextlib.suppress(RuntimeError):  # ~ and nobody of that name
        folder = folder.expanduser()
    found = {stem: _present(folder, f"{stem}.jsonl") for stem in ("queries", "corpus")}
    return found[name] if all(found.values()) else None


def queries_of_split(folder: Path, *, split: str, on_rejected: Callable[[Rejection], None]) -> frozenset[str] | None:
    """The ids of a split's queries; None, which is all, where the folder has no judgements.

    Raises:
        InputError: there is no such split.
    """
    if not (folder / "qrels").is_dir():
        require_no_split(folder, split)
        return None
    path = _present(folder / "qrels", f"{split}.tsv")
    if path is None:
        splits = sorted({file.name.split(".")[0] for file in (folder / "qrels").glob("*.tsv*")})
        raise InputError(f"no split {split!r} in {folder / 'qrels'}{near_matches(split, splits)}")
    return frozenset(read_qrels(path, on_rejected=on_rejected))


def read_qrels(path: Path, *, on_rejected: Callable[[Rejection], None]) -> dict[str, dict[str, int]]:
    """Relevance by the ids of query and passage, in the order of the file.

    Raises:
        InputError: it cannot be read, or has not the columns `query-id`, `corpus-id` and `score`.
    """
    relevance: dict[str, dict[str, int]] = {}
    with open_records(path) as records:
        require_columns(records.table, dict.fromkeys(_COLUMNS, ""))
        for row in records.rows(_COLUMNS):
            if isinstance(row, Rejection):
                on_rejected(row)
                continue
            query, passage, score = (str(row.values.get(name, "")) for name in _COLUMNS)
            try:
                relevance.setdefault(query, {})[passage] = int(score)
            except ValueError:
                on_rejected(Rejection(str(path), row.line, _BAD_SCORE, excerpt(score)))
    return relevance


def _present(folder: Path, name: str) -> Path | None:
    for suffix in ("", *COMPRESSED_SUFFIXES):
        with contextlib.suppress(OSError):
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
    return None
