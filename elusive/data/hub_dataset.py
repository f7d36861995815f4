"""Reads a dataset of the Hugging Face Hub by its name, streamed: nothing is downloaded whole.

What can go wrong there (no network, no such name, a gate, a missing split) becomes one line that says what to
do. Rows are numbered as they come. `datasets` is imported on use.
"""

import contextlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from elusive.data.json_lines import read_ahead
from elusive.data.rejected import Rejection
from elusive.data.tables import Row, Table
from elusive.errors import InputError

_NAME: Final = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?)(:(?P<subset>[\w.+-]+))?")


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A dataset on the Hub.

    Attributes:
        name: `owner/name`, or a bare name.
        subset: its configuration, written after a colon: `owner/name:subset`.
        split: which split to read.
    """

    name: str
    subset: str | None
    split: str

    @classmethod
    def parse(cls, source: str, *, split: str) -> Self | None:
        """The dataset that `source` names; None when it cannot be such a name."""
        found = _NAME.fullmatch(source)
        return cls(found["name"], found["subset"], split) if found else None

    def __str__(self) -> str:
        return self.name if self.subset is None else f"{self.name}:{self.subset}"


@contextlib.contextmanager
def hub_table(dataset: HubDataset, *, text_column: str) -> Iterator[Table]:
    """Opens a dataset of the Hub.

    Raises:
        InputError: it cannot be reached, is not there, is gated, or has no such split or subset.
    """
    import datasets

    with _explaining(dataset):
        rows = datasets.load_dataset(dataset.name, dataset.subset, split=dataset.split, streaming=True)
    if rows.column_names is not None:
        names = list(rows.column_names)
        yield Table(str(dataset), names, lambda wanted: _numbered(rows.select_columns(wanted), dataset, wanted))
        return
    records = _numbered(rows, dataset, None)
    ahead, columns = read_ahead(records, text_column=text_column)
    yield Table(str(dataset), columns, lambda _: itertools.chain(ahead, records))


def _numbered(
    rows: Iterable[Mapping[str, Any]], dataset: HubDataset, wanted: Sequence[str] | None
) -> Iterator[Row | Rejection]:
    with _explaining(dataset):
        for number, row in enumerate(rows, start=1):
            yield Row(number, row if wanted is None else {name: row[name] for name in wanted})


@contextlib.contextmanager
def _explaining(dataset: HubDataset) -> Iterator[None]:
    from datasets.exceptions import DatasetsError

    # The error of whichever HTTP library the Hub's client is built on: that changes with its version.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except (OSError, ValueError, RuntimeError, DatasetsError, HTTPError) as error:
        raise InputError(_explanation(error, dataset)) from error


def _explanation(error: Exception, dataset: HubDataset) -> str:
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled

    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
    if isinstance(error, GatedRepoError) or "is a gated dataset" in said:
        return (
            f"the dataset '{dataset}' is gated; ask for access at "
            f"https://huggingface.co/datasets/{dataset.name} and run: hf auth login"
        )
    if isinstance(error, OfflineModeIsEnabled | ConnectionError):
        return (
            f"no file or folder '{dataset}', and the Hugging Face Hub, where a dataset of that name may be, "
            f"cannot be reached: {said}"
        )
    if isinstance(error, DatasetNotFoundError):
        return f"no file or folder '{dataset}', and no dataset of that name on the Hugging Face Hub: {said}"
    if "config name" in said.lower():
        name = dataset.name
        return f"the dataset '{name}' has subsets; name one as '{name}:SUBSET': {_one_line(error)}"
    return f"the dataset '{dataset}', split '{dataset.split}', cannot be read: {said}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
