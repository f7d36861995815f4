"""What of a folder of `elusive augment` is the dataset: the parts that its run wrote, and the card.

Scores, rejected rows, the report and the run's record stay at home: they name files of this machine. So does whatever
else lies in the folder.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from elusive.data.card_merge import renamed
from elusive.data.folder_lock import locked
from elusive.data.run_record import check_files
from elusive.errors import FolderError
from elusive.hub.content import CARD, Content, Layout
from elusive.hub.runs import finished_record

_SUBSETS: Final = ("data", "clues")
_PART: Final = re.compile(r"(data|clues)/train-\d{5,}-of-\d{5,}\.(parquet|jsonl|csv)")

DATASET: Final = Layout(
    repo_type="dataset",
    is_part=lambda name: _PART.fullmatch(name) is not None,
    is_contested=lambda name: name.startswith(tuple(f"{subset}/" for subset in _SUBSETS)),
)


@contextlib.contextmanager
def dataset_content(folder: Path) -> Iterator[Content]:
    """The dataset in `folder`, locked: no run changes it meanwhile.

    Raises:
        FolderError: there is none, it is not finished, a part was changed since, or a run is at work in it.
    """
    with locked(folder):
        record = finished_record(folder)
        check_files(folder, record["files"])
        parts = {name: seal for name, seal in sorted(record["files"].items()) if DATASET.is_part(name)}
        card = _card(folder)
        yield Content(
            folder=folder,
            what="dataset",
            layout=DATASET,
            places={name: folder / name for name in parts},
            sizes={name: seal["bytes"] for name, seal in parts.items()},
            card_of=lambda repo: renamed(card, repo),
            load_with=lambda repo: f'datasets.load_dataset("{repo}"), or with "clues" for the scores',
            title=_title(record),
            digests={(name, "sha256"): seal["sha256"] for name, seal in parts.items()},
        )


def _card(folder: Path) -> str:
    try:
        return (folder / CARD).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FolderError(f"{folder / CARD} cannot be read ({error}); --overwrite writes it again") from error


def _title(record: Any) -> str:
    result, version = record["result"], record["versions"]["elusive"]
    return f"{result['texts']:,} texts in {result['rows']:,} rows (elusive {version})"
