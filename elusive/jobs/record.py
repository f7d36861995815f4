"""What a run writes down about itself, so that it can be told apart, gone on with, and repeated."""

import resource
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from elusive import __version__
from elusive.clues.guides import Role
from elusive.clues.scoring import Scorer
from elusive.config import NEUTRAL_OPTIONS, AugmentConfig
from elusive.data.folder_lock import WORK
from elusive.data.folders import files_of_pattern, pattern_parts
from elusive.embedded import is_embedded, path_of
from elusive.errors import OptionError

ROWS_VERSION = 2
"""To be raised when the same options and scores would give other rows than before."""

FileStates = dict[str, list[int]]
"""Size and time of each file."""


def recorded_options(config: AugmentConfig, sides: Mapping[Role, Scorer]) -> dict[str, Any]:
    """What decides a run's files: the options, and the state of the things they name."""
    recorded = {name: value for name, value in config.model_dump(mode="json").items() if name not in NEUTRAL_OPTIONS}
    for role, side in sorted(sides.items()):
        recorded[role] = side.source.name
        recorded[f"{role}_fingerprint"] = side.fingerprint
        recorded[f"{role}_tokenizer"] = side.tokenizer.fingerprint
    window = next(iter(sides.values())).options.window
    return recorded | {"rows_version": ROWS_VERSION, "window": window, "corpus_files": corpus_state(config)}


def as_published(config: AugmentConfig, recorded: Mapping[str, Any]) -> AugmentConfig:
    """The options with names that mean something elsewhere: a local corpus or model goes by its last name alone.

    What is local was recorded when the run began; what lies at a path may have changed since.
    """
    used = {role: recorded[role] for role in ("large", "small") if f"{role}_fingerprint" in recorded}
    config = config.model_copy(update={"large": None, **used})  # a model that the guide does not use was not read
    local = [role for role in used if not recorded[f"{role}_fingerprint"].startswith("hub:")]
    if recorded["corpus_files"]:
        local.append("corpus")
    names = {option: getattr(config, option) for option in local}
    return config.model_copy(
        update={option: Path(name).absolute().name for option, name in names.items() if not is_embedded(name)}
    )


def corpus_state(config: AugmentConfig) -> FileStates:
    """The state of a local corpus, so that a changed one is noticed; as `file_states`."""
    return file_states(config.corpus, what="corpus", outputs=(config.out, config.scores))


def file_states(source: str, *, what: str, outputs: Iterable[str | None]) -> FileStates:
    """Size and time of each file of a local source, by its name there; nothing of what is on the Hub.

    What a run keeps for itself in its folder is left out: looking whether it is finished touches its lock.

    Args:
        source: a file, a folder, a pattern of files, or a name.
        what: what messages call it.
        outputs: folders of the run, which may not lie inside it.

    Raises:
        OptionError: one of them does.
        InputError: no file matches a pattern.
    """
    path = path_of(source) if is_embedded(source) else Path(source)
    if path.is_file():
        return {path.name: _size_and_time(path)}
    pattern = pattern_parts(path)
    if pattern:
        place, written = pattern
        if len(Path(written).parts) > 1:  # else nothing below a folder is matched
            _check_outside(outputs, place, what=what, source=source)
        return {str(file.relative_to(place)): _size_and_time(file) for file in files_of_pattern(path)}
    if not path.is_dir():
        return {}
    _check_outside(outputs, path, what=what, source=source)
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    named = ((file.relative_to(path), file) for file in files)
    return {str(name): _size_and_time(file) for name, file in named if WORK not in name.parts}


def _check_outside(outputs: Iterable[str | None], folder: Path, *, what: str, source: str) -> None:
    for inside in outputs:
        if inside and Path(inside).resolve().is_relative_to(folder.resolve()):
            raise OptionError(f"{inside} lies inside the {what} {source}, and would be read as part of it")


def _size_and_time(file: Path) -> list[int]:
    return [file.stat().st_size, file.stat().st_mtime_ns]


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    import tokenizers
    import torch
    import transformers

    return {
        "elusive": __version__,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
    }


def peak_bytes() -> int:
    """The largest resident memory of this process so far."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * (1 if sys.platform == "darwin" else 1024)
