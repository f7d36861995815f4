"""Finds what a user names: a file, a folder of files, a pattern of them, or a dataset of the Hugging Face Hub."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from elusive.data.folders import files_of_folder, files_of_pattern, pattern_parts, require_no_split
from elusive.data.hub_dataset import HubDataset
from elusive.data.layouts import format_of_name
from elusive.errors import InputError, near_matches


def locate(source: str | Path, split: str) -> Sequence[Path | HubDataset]:
    """The files of a source in their order, or the dataset of the Hub that it names.

    Raises:
        InputError: there is no such source, or no such split of it; near matches are named.
    """
    try:
        return _locate(source, split)
    except OSError as error:  # a folder on the way that may not be entered; a name longer than any file's
        raise InputError(f"cannot read {source}: {error.strerror}") from error


def _locate(source: str | Path, split: str) -> Sequence[Path | HubDataset]:
    if source == "":  # which is the working folder to pathlib
        raise InputError("no source is named; give a file, a folder or the name of a Hugging Face dataset")
    path = Path(source)
    with contextlib.suppress(RuntimeError):  # ~ and nobody of that name: a file that is missing
        path = path.expanduser()
    if path.is_dir():
        return files_of_folder(path, split=split)
    if path.is_file():
        require_no_split(path, split)
        return [path]
    if pattern_parts(path):
        require_no_split(path, split)
        return files_of_pattern(path)
    if path.is_symlink() and not path.exists():
        raise InputError(f"{source} is a link that leads nowhere; name the file itself")
    if path.exists():
        raise InputError(f"{source} is neither a file nor a folder; write it to a file first")
    hub = HubDataset.parse(source, split=split) if isinstance(source, str) else None
    # `data/corpus` beside a folder `data`, or a name with a suffix that we read, is a file that is missing.
    if hub is None or format_of_name(path) or (path.parent != Path() and path.parent.is_dir()):
        raise InputError(_missing(source, path))
    return [hub]


def _missing(source: str | Path, path: Path) -> str:
    if not path.parent.is_dir():
        return f"no file or folder '{source}'; there is no folder '{path.parent}' either"
    near = near_matches(path.name, sorted(neighbour.name for neighbour in path.parent.iterdir()))
    return f"no file or folder '{source}'{near}"
