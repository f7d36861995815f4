"""Folders of BEIR: `queries.jsonl`, `corpus.jsonl`, and which passage is relevant to which query in `qrels`.

Queries of all splits share one file; a split is what its file in `qrels` names: BEIR's own `{split}.tsv`, or the same
columns in another format. Memory is the judgements of one split.
"""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from elusive.data.folders import require_no_split
from elusive.data.layouts import COMPRESSED_SUFFIXES
from elusive.data.record_files import open_records
from elusive.data.rejected import Rejection, excerpt
from elusive.data.tables import require_columns
from elusive.data.texts import id_of
from elusive.errors import InputError, near_matches

Judgements = Mapping[str, Mapping[str, int]]
"""Relevance by the ids of query and passage; 0 and less is not relevant."""

_COLUMNS: Final = ("query-id", "corpus-id", "score")
_SUFFIXES: Final = (".tsv", ".jsonl", ".csv", ".parquet")
_BAD_SCORE: Final = "relevance is not an integer"
_BAD_ID: Final = "no id of a query and a passage"


def beir_file(source: str | Path, name: str) -> Path | None:
    """`queries.jsonl` or `corpus.jsonl` of a BEIR folder, compressed or not; None where it is no such folder."""
    if source == "":  # which is the working folder to pathlib
        return None
    folder = Path(source)
    with contextlib.suppress(RuntimeError):  # ~ and nobody of that name
        folder = folder.expanduser()
    found = {stem: _present(folder, f"{stem}.jsonl") for stem in ("queries", "corpus")}
    return found[name] if all(found.values()) else None


def judgements_of_split(folder: Path, *, split: str, on_rejected: Callable[[Rejection], None]) -> Judgements | None:
    """The judgements of a split; None where the folder has none at all.

    Raises:
        InputError: there is no such split.
    """
    if not (folder / "qrels").is_dir():
        require_no_split(folder, split)
        return None
    found = (_present(folder / "qrels", f"{split}{suffix}") for suffix in _SUFFIXES)
    path = next(filter(None, found), None)
    if path is None:
        splits = sorted({file.name.split(".")[0] for file in (folder / "qrels").iterdir() if file.is_file()})
        raise InputError(f"no split {split!r} in {folder / 'qrels'}{near_matches(split, splits)}")
    return read_qrels(path, on_rejected=on_rejected)


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
            query, passage = (id_of(row.values.get(name)) for name in _COLUMNS[:2])
            score = _whole(row.values.get(_COLUMNS[2]))
            if query is None or passage is None:
                shown = excerpt([row.values.get(name) for name in _COLUMNS[:2]])
                on_rejected(Rejection(str(path), row.line, _BAD_ID, shown))
            elif score is None:
                on_rejected(Rejection(str(path), row.line, _BAD_SCORE, excerpt(row.values.get(_COLUMNS[2]))))
            else:
                relevance.setdefault(query, {})[passage] = score
    return relevance


def _whole(value: object) -> int | None:
    """An integer, however it is written; None where it is none."""
    try:
        number = float(str(value))
        return int(number) if number == int(number) else None
    except (ValueError, OverflowError):
        return None


def _present(folder: Path, name: str) -> Path | None:
    for suffix in ("", *COMPRESSED_SUFFIXES):
        with contextlib.suppress(OSError):
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
    return None
