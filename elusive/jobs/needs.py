"""What a job needs beyond the package itself, looked for before anything is loaded or read, by a plan as by a run."""

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from elusive.config import DistillConfig, EvaluateConfig, IndexConfig, LoadedModelsConfig, PretrainConfig
from elusive.errors import MissingExtraError, OptionError


@dataclass(frozen=True, kw_only=True)
class Need:
    """A package that comes with an extra.

    Attributes:
        module: what is imported.
        package: what it is called.
        extra: which brings it.
        purpose: what needs it.
    """

    module: str
    package: str
    extra: str
    purpose: str


_FAISS: Final = Need(
    module="faiss",
    package="faiss (extra cpu, or gpu on a machine with CUDA)",
    extra="cpu",
    purpose="an index of passages",
)
_TRAINING: Final = Need(module="accelerate", package="accelerate", extra="train", purpose="training")


def check_needs(config: LoadedModelsConfig) -> None:
    """Refuse a job for which packages are not installed: all of them in one line.

    Raises:
        MissingExtraError: some are missing.
    """
    missing = [need for need in dict.fromkeys(_needs(config)) if importlib.util.find_spec(need.module) is None]
    if len(missing) == 1:
        raise MissingExtraError(missing[0].package, extra=missing[0].extra, purpose=missing[0].purpose)
    if missing:
        names = list(dict.fromkeys(need.module for need in missing))
        extras = ",".join(dict.fromkeys(need.extra for need in missing))
        raise MissingExtraError(f"{', '.join(names[:-1])} and {names[-1]}", extra=extras, purpose="this run")


def check_tracker(tracker: str | None) -> None:
    """Refuse a tracker in a plan, as accelerate does in the run.

    Raises:
        OptionError: it is not installed or not known.
    """
    if tracker and tracker not in _trackers():
        raise OptionError(f"--report-to {tracker} is not installed; install it, or leave it out")


def _needs(config: LoadedModelsConfig) -> Iterator[Need]:
    if isinstance(config, DistillConfig | PretrainConfig):
        yield _TRAINING
    if isinstance(config, DistillConfig | PretrainConfig) and config.lora:
        yield Need(module="peft", package="peft", extra="train", purpose="--lora")
    if isinstance(config, DistillConfig | IndexConfig) or (isinstance(config, EvaluateConfig) and config.retriever):
        yield _FAISS
    if isinstance(config, DistillConfig | EvaluateConfig) and config.adapter:
        yield Need(module="peft", package="peft", extra="peft", purpose=f"--adapter {config.adapter}")
    if config.quantize and not isinstance(config, IndexConfig):  # an encoder is not quantised, and says so itself
        yield Need(
            module="bitsandbytes", package="bitsandbytes", extra="quant", purpose=f"--quantize {config.quantize}"
        )
    elif config.device_map:
        yield Need(module="accelerate", package="accelerate", extra="multi", purpose="--device-map")


def _trackers() -> Iterable[str]:
    """Those that accelerate finds installed."""
    from accelerate.tracking import get_available_trackers

    return {str(tracker) for tracker in get_available_trackers()}
