"""Which run a folder holds, and what is said of those that cannot be pushed."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from elusive.data.run_record import RUN
from elusive.data.sealed import read_sealed
from elusive.errors import FolderError

Job: TypeAlias = Literal["augment", "pretrain", "distill", "index", "evaluate", "score-reader", "compare-arms"]

PUSHED: Final = (
    "the folder that elusive augment wrote, or one of pretrain or distill, or an adapter, a model or a retriever in it"
)

_SIGNS: Final[tuple[tuple[Job, frozenset[str]], ...]] = (
    ("augment", frozenset({"large_fingerprint", "small_fingerprint"})),
    ("distill", frozenset({"retriever_fingerprints"})),
    ("index", frozenset({"encoder_fingerprint"})),
    ("evaluate", frozenset({"retriever_fingerprint"})),
    ("pretrain", frozenset({"model_fingerprint", "lora"})),
    ("score-reader", frozenset({"keys", "reader"})),
    ("compare-arms", frozenset({"evaluations"})),
)
"""Options that a run of each job records, and of the jobs after it none."""
_SHOWN: Final[Mapping[Job, tuple[str, tuple[str, ...]]]] = {
    "augment": ("corpus", ("large", "small")),
    "pretrain": ("data", ("model",)),
    "distill": ("", ("passages", "train", "dev", "reader", "retriever")),
}
"""Of each job that can be pushed, the option without a flag, and those that tell the most."""


def job_of(record: Mapping[str, Any]) -> Job:
    """The job whose run a record is of. A record that says nothing known is taken for one of `augment`."""
    names = record["options"].keys()
    return next((job for job, signs in _SIGNS if signs <= names), "augment")


def finished_record(folder: Path) -> dict[str, Any]:
    """The record of the finished run in a folder.

    Raises:
        FolderError: there is none, or it is not finished.
    """
    try:
        record = read_sealed(folder / RUN)
    except FileNotFoundError:
        raise FolderError(f"{folder} holds no {RUN}; name {PUSHED}") from None
    except (OSError, ValueError) as error:
        raise FolderError(f"{folder / RUN} cannot be read ({error}); name a folder as a run left it") from error
    if not record["finished"]:
        raise FolderError(f"the run in {folder} is not finished; finish it first: {_command(folder, record)}")
    return record


def _command(folder: Path, record: Mapping[str, Any]) -> str:
    """How the run was begun, as far as its record tells."""
    job, options = job_of(record), record["options"]
    argument, names = _SHOWN.get(job, ("", ()))
    words = ["elusive", job, *([str(options.get(argument, "…"))] if argument else [])]
    words += [word for name in names if options.get(name) for word in (f"--{name}", str(options[name]))]
    return shlex.join([*words, "--out", str(folder)]) + " and its other options"
