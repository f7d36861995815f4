"""What a run writes down about itself, so that it can be told apart, gone on with, and repeated."""

import resource
import sys
from pathlib import Path
from typing import Any

from elusive import __version__
from elusive.clues.scoring import Scorer
from elusive.config import NEUTRAL_OPTIONS, AugmentConfig
from elusive.embedded import is_embedded, path_of
from elusive.errors import OptionError

ROWS_VERSION = 1
"""To be raised when the same options and scores would give other rows than before."""


def recorded_options(config: AugmentConfig, large: Scorer, small: Scorer) -> dict[str, Any]:
    """What decides a run's files: the options, and the state of the things they name."""
    recorded = {name: value for name, value in config.model_dump(mode="json").items() if name not in NEUTRAL_OPTIONS}
    return recorded | {
        "rows_version": ROWS_VERSION,
        "large_fingerprint": large.fingerprint,
        "small_fingerprint": small.fingerprint,
        "window": large.options.window,
        "corpus_files": _state_of(config),
    }


def _state_of(config: AugmentConfig) -> dict[str, list[int]]:
    """Size and time of each file of a local corpus, so that a changed one is noticed."""
    path = path_of(config.corpus) if is_embedded(config.corpus) else Path(config.corpus)
    if path.is_file():
        return {path.name: _size_and_time(path)}
    if not path.is_dir():
        return {}
    for inside in (config.out, config.scores):
        if inside and Path(inside).resolve().is_relative_to(path.resolve()):
            raise OptionError(f"{inside} lies inside the corpus {config.corpus}, and would be read as part of it")
    return {str(file.relative_to(path)): _size_and_time(file) for file in sorted(path.rglob("*")) if file.is_file()}


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


def peak_gpu_bytes() -> int:
    """The largest memory taken on any GPU so far; 0 where there is none."""
    import torch

    return max((torch.cuda.max_memory_allocated(i) for i in range(torch.cuda.device_count())), default=0)
