"""Finds the files of a corpus that is a folder or a pattern: a saved dataset, a folder in Hub layout, or plain files.

The order is that of the sorted paths, so the same folder is always the same corpus. Where a folder leaves it
open what the corpus is (prose beside tables, one table in two formats, files within and without splits) it is refused:
nothing is left out silently but files of no known format. Reads names and cards, no rows.
"""

import contextlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from elusive.data.cards import declared_patterns
from elusive.data.layouts import FORMAT_OF_SUFFIX, format_of_name
from elusive.errors import InputError, near_matches

DEFAULT_SPLIT: Final = "train"

_SPLIT_WORDS: Final = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
_WILD: Final = frozenset("*?[")
_SHARD: Final = re.compile(r"(?P<split>\w[\w.]*?)-\d{5}-of-\d{5}\b")
# Written beside the data by tools of the field, and no part of it.
_NOT_DATA: Final = frozenset(
    {
        "dataset_info.json",
        "dataset_infos.json",
        "dataset_dict.json",
        "state.json",
        "run.json",
        "metrics.jsonl",
        "rejected.jsonl",
    }
)


def files_of_folder(folder: Path, *, split: str) -> list[Path]:
    """The files of the corpus in `folder`, in order.

    Raises:
        InputError: there is no such split, nothing that can be read, or more than one corpus.
    """
    named = folder / "dataset_dict.json"
    if named.is_file():
        splits = _read_json(named).get("splits")
        if not isinstance(splits, list):
            raise InputError(f"{named} does not tell the splits of a saved dataset")
        _require_split(split, [str(name) for name in splits], folder)
        folder, split = folder / split, DEFAULT_SPLIT
    if (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file():
        require_no_split(folder, split)
        return _saved_files(folder)
    patterns = declared_patterns(folder)
    if patterns is not None:
        _require_split(split, list(patterns), folder)
        return _matching(folder, patterns[split])
    return _plain_files(folder, split)


def pattern_parts(source: str | Path) -> tuple[Path, str] | None:
    """The folder at which a pattern of files begins, and the pattern from there: `data` and `*/x.jsonl`.

    None where a source is no pattern: it has no `*`, `?` or `[`, or is itself the name of a file or folder.
    """
    path = Path(source)
    with contextlib.suppress(RuntimeError):  # ~ and nobody of that name
        path = path.expanduser()
    n_plain = next((n for n, part in enumerate(path.parts) if _WILD.intersection(part)), None)
    if n_plain is None or path.exists():
        return None
    return Path(*path.parts[:n_plain]), str(Path(*path.parts[n_plain:]))


def files_of_pattern(source: str | Path) -> list[Path]:
    """The files of known formats that a pattern matches, in order of their paths; `**` is any number of folders.

    Raises:
        InputError: there is none, or it is no pattern.
    """
    found = pattern_parts(source)
    try:
        matches = sorted(found[0].glob(found[1])) if found else []
    except ValueError as error:  # ** within a name
        raise InputError(f"{source} is no pattern of files: {error}") from error
    files = [path for path in matches if path.is_file() and format_of_name(path) and path.name not in _NOT_DATA]
    if not files:
        raise InputError(f"no file matches {source}; what can be read: {', '.join(FORMAT_OF_SUFFIX)}")
    return files


def _saved_files(folder: Path) -> list[Path]:
    """The files of a dataset that `datasets.save_to_disk` wrote, in its order."""
    state = folder / "state.json"
    try:
        names = [Path(part["filename"]) for part in _read_json(state)["_data_files"]]
    except (KeyError, TypeError) as error:
        raise InputError(f"{state} does not tell the files of a saved dataset") from error
    for name in names:
        if name != Path(name.name) or not (folder / name).is_file():
            raise InputError(f"{state} names {str(name)!r}, and no file beside it is of that name")
    return [folder / name for name in names]


def require_no_split(source: Path, split: str) -> None:
    """Refuses a split of what has none, rather than to read something else in its stead.

    Raises:
        InputError: `split` is other than the default.
    """
    if split != DEFAULT_SPLIT:
        raise InputError(f"no split {split!r}: {source} has no splits; leave the split out")


def _plain_files(folder: Path, split: str) -> list[Path]:
    files = _data_files(folder)
    formats = Counter(format_of_name(path) or "no suffix" for path in files)
    if not files:
        known = ", ".join(FORMAT_OF_SUFFIX)
        raise InputError(f"nothing to read in {folder}; what can be read: {known}")
    stems = Counter(path.with_name(path.name.split(".")[0]) for path in files)
    stem, n_of_stem = stems.most_common(1)[0]
    if len(formats) > 1 and (n_of_stem > 1 or "txt" in formats):
        held = ", ".join(f"{n} {name}" for name, n in formats.most_common())
        why = f"such as {stem.name} in {n_of_stem}" if n_of_stem > 1 else "prose among them"
        raise InputError(
            f"{folder} holds files of several formats ({held}), {why}; name one file, or those of one format: "
            f"'{folder}/**/*{files[0].suffix}'"
        )
    return _files_of_split(files, folder, split)


def _data_files(folder: Path) -> list[Path]:
    """Files with a known suffix; where there are none, those without any, whose content will tell."""
    everything = sorted(_everything(folder), key=lambda path: path.relative_to(folder).as_posix())
    files = [path for path in everything if path.name.lower() not in _NOT_DATA]
    told = [path for path in files if format_of_name(path)]
    for path in told:
        if not path.is_file():
            raise InputError(f"{path} is a link that leads nowhere, or no file; mend it or take it out of the folder")
    return told or [path for path in files if path.is_file() and not path.suffix and not path.name.isupper()]


def _everything(folder: Path) -> Iterator[Path]:
    """What is not hidden below `folder`, folders aside; links are followed, each folder once."""
    seen: set[Path] = set()
    for place, folders, names in os.walk(folder, onerror=_refuse_folder, followlinks=True):
        here = Path(place)
        if here.resolve() in seen:
            folders.clear()
            continue
        seen.add(here.resolve())
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (here / name for name in names if not _is_hidden(name))


def _refuse_folder(error: OSError) -> None:
    raise InputError(f"cannot read {error.filename}: {error.strerror}") from error


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def _files_of_split(files: list[Path], folder: Path, split: str) -> list[Path]:
    splits = {path: _split_of(path.relative_to(folder)) for path in files}
    named = sorted({name for name in splits.values() if name})
    if not named:
        require_no_split(folder, split)
        return files
    without = [path for path, name in splits.items() if name is None]
    if without:
        raise InputError(
            f"{folder} holds files of splits ({', '.join(named)}) and others ({without[0].name}); "
            "name one file, or a folder that holds the corpus alone"
        )
    _require_split(split, named, folder)
    return [path for path, name in splits.items() if name == split]


def _split_of(path: Path) -> str | None:
    """The split that a path tells in one of the ways of the Hub: shard name, bare name, or folder name."""
    shard = _SHARD.match(path.name)
    if shard:
        return _SPLIT_WORDS.get(shard["split"], shard["split"])
    for word in (path.name.split(".")[0], *path.parent.parts):
        if word in _SPLIT_WORDS:
            return _SPLIT_WORDS[word]
    return None


def _matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    files: dict[Path, None] = {}
    for pattern in patterns:
        if "://" in pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            raise InputError(f"the card of {folder} names data outside of it: {pattern}")
        try:
            found = sorted(path for path in folder.glob(pattern) if path.is_file())
        except ValueError as error:
            raise InputError(f"the card of {folder} names {pattern!r}, which is no pattern of files") from error
        if not found:
            raise InputError(f"the card of {folder} names {pattern!r}, and no file there is of that name")
        files.update(dict.fromkeys(found))
    return list(files)


def _require_split(split: str, splits: Sequence[str], folder: Path) -> None:
    if split not in splits:
        raise InputError(f"no split {split!r} in {folder}{near_matches(split, splits)}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
