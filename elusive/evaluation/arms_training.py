"""How the model of an evaluation was trained, followed back through the `run.json` of each job.

    evaluate    names an adapter or a model of
    pretrain    which tells its steps, and names a dataset of
    augment     which tells its drop rate

What is gone, or was never made by these jobs, is not known; nothing is refused for it. Reads some small files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from elusive.data.run_record import RUN
from elusive.data.sealed import read_sealed

ADAPTER: Final = "adapter"
MODEL: Final = "model"
"""What `elusive pretrain` calls the folders in which it writes one or the other."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is known of a training.

    Attributes:
        steps: of the optimizer.
        drop_rate: realised, of the copies in the dataset; None too where it was no dataset of augment.
        options: of each of the two jobs whose record was found, by its name.
    """

    steps: int | None
    drop_rate: float | None
    options: Mapping[str, Mapping[str, Any]]


def training_of(options: Mapping[str, Any]) -> Training:
    """The training behind an evaluation.

    Args:
        options: of the evaluation.
    """
    model = _existing(options.get("adapter") or options.get("model"))
    folders = pretraining_folders(model) if model else ()
    pretrain = next((run for folder in folders if (run := _record(folder, tells="steps"))), {})
    augment = _record(_existing(pretrain.get("options", {}).get("data")), tells="drop_rate") or {}
    found = {"pretrain": pretrain, "augment": augment}
    return Training(
        steps=pretrain.get("result", {}).get("steps"),
        drop_rate=augment.get("result", {}).get("drop_rate", {}).get("realised"),
        options={job: run["options"] for job, run in found.items() if run},
    )


def pretraining_folders(place: Path) -> tuple[Path, ...]:
    """Where the record of a pretraining would lie that has this folder, or wrote this adapter or model."""
    return (place, place.parent) if place.name in (ADAPTER, MODEL) else (place,)


def _existing(place: str | None) -> Path | None:
    """A folder of this machine; a name on the Hub is none."""
    return Path(place) if place and Path(place).is_dir() else None


def _record(folder: Path | None, *, tells: str) -> dict[str, Any] | None:
    """The record of a finished run in whose result there is `tells`."""
    if folder is None:
        return None
    try:
        run = read_sealed(folder / RUN)
    except (OSError, ValueError):
        return None
    return run if run.get("finished") and tells in run.get("result", {}) else None
