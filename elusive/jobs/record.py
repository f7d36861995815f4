"""What a run writes down about itself, so that it can be told apart, gone on with, and repeated."""

import resource
import sys
from pathlib import Path
from typing import Any

from elusive import __version__
from elusive.clues.scoring import Scorer
from elusive.config import NEUTRAL_OPTIONS, AugmentConfig
from elusive.embedded import is_embedded, path_of


def recorded_options(config: AugmentConfig, large: Scorer, small: Scorer) -> dict[str, Any]:
    """What decides a run's files: the options, and the state of the things they name."""
    recorded = {name: value for name, value in config.model_dump(mode="json").items() if name not in NEUTRAL_OPTIONS}
    return recorded | {
        "large_fingerprint": large.fingerprint,
        "small_fingerprint": small.fingerprint,
        "window": large.options.window,
        "corpus_files": _state_of(config.corpus),
    }


def _state_of(corpus: str) -> list[list[Any]]:
    """Size and time of each file of a local corpus, so that a changed one is noticed."""
    path = path_of(corpus) if is_embedded(corpus) else Path(corpus)
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else []
    return [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files]


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
